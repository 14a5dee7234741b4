"""Which part of a run's record a rerun shares: what does not depend on the steps that it starts from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from swarm_core.engine.recorded import RecordedTask, read_events
from swarm_core.errors import StepNotFound, did_you_mean
from swarm_core.model.event import Event
from swarm_core.model.task import Pass

_COUNTED = re.compile(r"([a-z]*)@?(\d+)\Z")


def shared_events(events: Sequence[Event], start: Iterable[str]) -> list[Event]:
    """Return the events of the steps that a rerun from the addresses `start` does not run again.

    Kept are finished steps that come before all of these, and those of other lanes: lanes do not see each other.
    Raises: StepNotFound, for an address that no recorded step stands at or below.
    """
    recorded = read_events(events)
    addresses = [_normal(address) for address in start]
    for address in addresses:
        if not any(_is_within(step.address, address) for step in recorded.steps):
            known = [step.address for step in recorded.steps]
            raise StepNotFound(address, hint=did_you_mean(address, known[:1000], otherwise="steps"))
    kept = {step.id for step in recorded.finished if not any(depends(step.address, at) for at in addresses)}
    return [event for event in events if event.task_id in kept]


def failed_steps(tasks: Iterable[RecordedTask]) -> list[str]:
    """Return the addresses of the steps that ended without passing."""
    return [task.address for task in tasks if task.outcome is not None and not isinstance(task.outcome, Pass)]


def depends(address: str, start: str) -> bool:
    """Tell whether the step at an address is the one at `start`, stands inside it, or comes after it."""
    here, there = _parts(address), _parts(start)
    for one, other in zip(here, there, strict=False):
        if one != other:
            return _comes_after(one, other)
    return len(here) >= len(there)


def _comes_after(one: str, other: str) -> bool:
    """Tell, of two different places in the same node, whether the first can depend on the second."""
    if one == "catch":
        return True
    found, besides = _COUNTED.match(one), _COUNTED.match(other)
    if found is None or besides is None or found[1] != besides[1] or found[1] == "lane":
        return False
    return int(found[2]) > int(besides[2])


def _is_within(address: str, start: str) -> bool:
    return address == start or address.startswith(f"{start.rstrip('/')}/")


def _normal(address: str) -> str:
    return "/" + "/".join(_parts(address))


def _parts(address: str) -> list[str]:
    return [part for part in address.split("/") if part]
