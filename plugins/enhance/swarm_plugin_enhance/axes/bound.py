"""The axis `budget`: a run may not make more dispatches, or spend more, than before unless the patch says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import fields

from swarm_core.codec import structure_blueprint
from swarm_core.flow.bound import dispatch_bound
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.budget import Budget
from swarm_core.model.enhance import AxisVerdict
from swarm_core.verifiers import Change
from swarm_plugin_enhance.axes.verdicts import denied, passed


async def verify_budget(change: Change) -> AxisVerdict:
    """Deny a higher upper bound of dispatches and a looser budget, unless the patch has `raises_bound`."""
    before, after = structure_blueprint(change.before), structure_blueprint(change.after)
    raised = [*_raised_bound(before, after), *_raised_budget(before.budget or Budget(), after.budget or Budget())]
    if raised and change.patch.get("raises_bound") is not True:
        return denied("budget", f'{"; ".join(raised)}; a patch that means it says "raises_bound": true')
    return passed("budget", {"bound": str(dispatch_bound(after.flow)), "raised": raised})


def _raised_bound(before: Blueprint, after: Blueprint) -> Iterator[str]:
    old, new = dispatch_bound(before.flow), dispatch_bound(after.flow)
    if old.total is not None and new.total is not None:
        higher = new.total > old.total
    else:
        higher = any(count > old.terms.get(per, 0) for per, count in new.terms.items())
    if higher:
        yield f"the upper bound goes from {old} to {new}"


def _raised_budget(before: Budget, after: Budget) -> Iterator[str]:
    for attribute in fields(Budget):
        name = attribute.name
        if name == "counters":
            for counter, limit in before.counters.items():
                yield from _looser(f"counters.{counter}", limit, after.counters.get(counter))
        elif name == "wall_time":
            yield from _looser(name, before.seconds, after.seconds)
        else:
            yield from _looser(name, getattr(before, name), getattr(after, name))


def _looser(name: str, old: Any, new: Any) -> Iterator[str]:
    if old is not None and (new is None or new > old):
        yield f"budget.{name} goes from {old} to {'no limit' if new is None else new}"
