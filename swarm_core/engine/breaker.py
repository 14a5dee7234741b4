"""The circuit breaker of fan-outs: one whose first lanes all failed alike gets no further work.

A step address such as `/2/lane@7/0` says all: the fan-out stands at `/2`, this is its lane 7, and the step is at `/0`
of the lane's body. A step within several fan-outs counts for each of them: the inner one may have gone wrong in this
lane only, the outer one in all of its lanes.

- A lane has failed when a step of it failed and no other one has begun in it since: where a `try` goes on with its
  `catch`, the lane has not failed yet. Failures are alike when agent and message are the same but for ids and digits.
- A fan-out is broken when a step of it wants to begin, and as many other lanes as it takes have failed alike. If the
  first ones have failed in several ways, it will never be broken.
- A step that passes means that it will never be broken either, unless the step comes before the failing ones in the
  body: a lane that has only prepared what then fails proves nothing; one that came as far, or another way, does.

A fan-out that is evaluated again (in a loop) has another address, and starts anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from swarm_core.model.call import to_text
from swarm_core.model.event import Event

_MOST_PLACES = 256
_MOST_FANOUTS = 10_000
_LONGEST = 500
# Compiled when it is first used, not at every start.
_IDS = (
    r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"  # UUIDs
    r"|\b[0-9A-Fa-f]{8,}\b"
    r"|[0-9A-Za-z]*[0-9][0-9A-Za-z]*"  # words with a digit in them
)


@frozen(eq=False, repr=False)
class _Failure:
    """The last step of a lane: where in the body it stands, and how it failed."""

    place: str
    agent: str
    text: str
    message: str


@define(eq=False, repr=False)
class _Fanout:
    """What is known of one fan-out: places that were passed, lanes that have failed; nothing once it is `closed`."""

    passed: set[str] = field(factory=set)
    failed: dict[str, _Failure] = field(factory=dict)
    closed: bool = False

    def close(self) -> None:
        """Let the question rest: it will never be broken."""
        self.closed = True
        self.passed.clear()
        self.failed.clear()


class Breaker:
    """Watches the flow's own steps of one run; `k` lanes that failed alike break a fan-out.

    It wants to be asked right before each attempt of a step, and told how the step ended (not each attempt) in the
    moment in which the flow learns it: a `catch` then begins before any other lane goes on. Refusals are no failures,
    and children of steps are none of its business, save that they are refused, too.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._fanouts: dict[str, _Fanout] = {}
        self._broken: dict[str, str] = {}

    def refuses(self, address: str) -> str | None:
        """Return why a step at this address is not to be run; None when it is, and then it counts as begun."""
        if not self._fanouts:
            return None
        around = list(_around(address))
        for name, lane, _ in around:
            why = self._broken.get(name) or self._judge(name, lane)
            if why is not None:
                return why
        for name, lane, _ in around:
            if (fanout := self._fanouts.get(name)) is not None:
                fanout.failed.pop(lane, None)
        return None

    def failed(self, address: str, agent: str, message: str) -> None:
        """Note that a step failed; where enough lanes have failed already, that tells nothing new."""
        around = list(_around(address))
        if any(len(self._of(name).failed) >= self._k for name, _, _ in around):
            return
        text = alike(message) if around else ""
        for name, lane, place in around:
            fanout = self._of(name)
            if not fanout.closed:
                fanout.failed[lane] = _Failure(place, agent, text, message)

    def passed(self, address: str) -> None:
        """Note that a step passed."""
        for name, _, place in _around(address):
            fanout = self._of(name)
            if not fanout.closed:
                fanout.passed.add(place)
                if len(fanout.passed) > _MOST_PLACES:
                    fanout.close()

    def restore(self, events: Iterable[Event]) -> None:
        """Take over what the events of the run's journal tell, before anything is begun here."""
        steps: dict[str | None, tuple[str, str]] = {}
        for event in events:
            if (event.kind == "task_created" and "/child@" in event.data["address"]) or event.data.get("refused"):
                continue
            if event.kind == "task_created":
                steps[event.task_id] = (event.data["address"], event.data["agent"])
                self.refuses(event.data["address"])
            elif event.kind == "task_pass" and event.task_id in steps:
                self.passed(steps.pop(event.task_id)[0])
            elif event.kind == "task_blocked" and event.task_id in steps:
                self.failed(*steps.pop(event.task_id), event.data.get("error") or to_text(event.data["result"]))

    def _of(self, name: str) -> _Fanout:
        fanout = self._fanouts.get(name)
        if fanout is None:
            fanout = self._fanouts[name] = _Fanout()
            if len(self._fanouts) > _MOST_FANOUTS:
                del self._fanouts[next(iter(self._fanouts))]  # the oldest one, most likely long over
        return fanout

    def _judge(self, name: str, lane: str) -> str | None:
        """Break the fan-out when enough lanes beside the one that asks have failed alike, and return why."""
        fanout = self._fanouts.get(name)
        if fanout is None or len(fanout.failed) < self._k:
            return None
        first = [failure for other, failure in fanout.failed.items() if other != lane][: self._k]
        if len(first) < self._k:
            return None
        if not _all_alike(first) or _contradicted(fanout.passed, first):
            fanout.close()
            return None
        self._broken[name] = _sentence(name, self._k, first[0])
        return self._broken[name]


def _all_alike(failures: list[_Failure]) -> bool:
    return len({(failure.agent, failure.text) for failure in failures}) == 1


def _contradicted(passed: set[str], failures: list[_Failure]) -> bool:
    """Tell whether some step passed that does not come before every failing one."""
    return any(not _precedes(done, failure.place) for done in passed for failure in failures)


def _sentence(name: str, k: int, failure: _Failure) -> str:
    lanes = "lane failed" if k == 1 else f"{k} lanes failed alike"
    said = failure.message if len(failure.message) <= _LONGEST else f"{failure.message[:_LONGEST]}..."
    return f"the fan-out at {name or '/'} was stopped: its first {lanes} (agent {failure.agent!r}: {said})"


def alike(message: str) -> str:
    """Return what a message has in common with others of its sort: its beginning, without ids and digits."""
    return re.sub(_IDS, "#", message[: 2 * _LONGEST])[:_LONGEST]


def _around(address: str) -> Iterator[tuple[str, str, str]]:
    """Yield the fan-outs around a step, the outermost first: address, lane, and the step's place in the lane's body."""
    at = address.find("/lane@")
    while at >= 0:
        end = address.find("/", at + 1)
        end = len(address) if end < 0 else end
        yield address[:at], address[at:end], address[end:]
        at = address.find("/lane@", end)


def _precedes(one: str, other: str) -> bool:
    """Tell whether a step stands before another one in the order in which one lane comes by them."""
    for mine, its in zip(one.split("/"), other.split("/"), strict=False):
        if mine != its:
            return _number(mine) < _number(its) if _kind(mine) == _kind(its) else False
    return False


def _kind(part: str) -> str:
    """Return what a part of an address counts: children of a seq, iterations of a loop; lanes have no order."""
    return "" if part.isdigit() else "body@" if part.startswith("body@") else part


def _number(part: str) -> int:
    return int(part.rpartition("@")[2])
