"""Budgets: how much a whole run may use, and how much each agent of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, fields, frozen

from swarm_core.model.duration import parse_duration
from swarm_core.model.fields import type_name
from swarm_core.model.ids import is_name
from swarm_core.model.path import place
from swarm_core.model.problem import Problem
from swarm_core.model.shown import shown

MOST = 10**12
"""The largest number that a limit may be."""

MOST_AMOUNT = 10**18
"""The largest number that a counter may be limited to, or that may be reported at once."""


@frozen(kw_only=True)
class Budget:
    """What one run may use, the tasks that its tasks start included; None is no limit.

    `dispatches` are tasks begun, `attempts` the tries at them. `depth` says how deep tasks may start tasks: 2 allows
    the flow's steps and their children. `wall_time` is seconds, or a text such as `2h`: the time during which an engine
    drove the run. `concurrency` is how many workers may be at work at the same time. `breaker` stops a fan-out whose
    first so many lanes all failed alike. `counters` bounds what workers report under names of their own (`tokens`).
    """

    __repr__ = shown

    dispatches: int | None = None
    attempts: int | None = None
    depth: int | None = None
    wall_time: str | float | None = None
    concurrency: int | None = None
    breaker: int | None = None
    counters: Mapping[str, float] = field(factory=dict)

    @property
    def seconds(self) -> float | None:
        """Return `wall_time` as seconds."""
        return None if self.wall_time is None else parse_duration(self.wall_time)


@frozen(kw_only=True)
class AgentBudget:
    """What one agent may use within a run; None is no limit. The fields mean what they do in `Budget`."""

    __repr__ = shown

    dispatches: int | None = None
    attempts: int | None = None
    counters: Mapping[str, float] = field(factory=dict)


LIMITS = tuple(attribute.name for attribute in fields(Budget) if attribute.name != "counters")
"""The names of the limits that are no counters."""

_COUNTS = tuple(name for name in LIMITS if name != "wall_time")


def tighter(one: Budget | None, other: Budget | None) -> Budget:
    """Return the budget that keeps to both: limit by limit the smaller one."""
    given = [budget for budget in (one, other) if budget is not None]
    counts = {name: _least(getattr(budget, name) for budget in given) for name in _COUNTS}
    times = [budget.wall_time for budget in given if budget.wall_time is not None]
    counters: dict[str, float] = {}
    for budget in given:
        for name, amount in budget.counters.items():
            counters[name] = min(amount, counters.get(name, amount))
    return Budget(**counts, wall_time=min(times, key=parse_duration, default=None), counters=counters)


def _least(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def filled(own: AgentBudget | None, common: AgentBudget | None) -> AgentBudget | None:
    """Return an agent's budget; what it does not say itself, the common one says, limit by limit."""
    if own is None or common is None:
        return own or common
    return AgentBudget(
        dispatches=common.dispatches if own.dispatches is None else own.dispatches,
        attempts=common.attempts if own.attempts is None else own.attempts,
        counters={**common.counters, **own.counters},
    )


def counter_fault(name: str, amount: Any) -> str | None:
    """Return what is wrong with a counter of a budget, or None."""
    if name in LIMITS:
        return f"{name!r} is a limit of its own, not a counter: write it beside `counters`"
    if not is_name(name):
        return f"{name[:80]!r} cannot name a counter: use letters, digits, '_', '.' and '-', 64 at most"
    return None if is_amount(amount) else f"{type_name(amount)} is no number from 0 to 10^18"


def is_amount(value: Any) -> bool:
    """Tell whether a value is a number that can be added up: from 0 to MOST_AMOUNT."""
    return type(value) in (int, float) and 0 <= value <= MOST_AMOUNT


def budget_problems(budget: Budget | AgentBudget, path: str, code: str) -> Iterator[Problem]:
    """Yield what is wrong with a budget that did not come from a document; `path` is its place."""
    for attribute in fields(type(budget)):
        value = getattr(budget, attribute.name)
        if attribute.name == "counters":
            faults = {place(f"{path}.counters", name): counter_fault(name, value[name]) for name in value}
        else:
            faults = {f"{path}.{attribute.name}": None if value is None else _limit_fault(attribute.name, value)}
        yield from (Problem(code=code, message=text, path=at) for at, text in faults.items() if text is not None)


def _limit_fault(name: str, value: Any) -> str | None:
    if name == "wall_time":
        return _duration_fault(value)
    good = type(value) is int and 1 <= value <= MOST
    return None if good else f"{type_name(value)} is no whole number from 1 to 10^12"


def _duration_fault(value: Any) -> str | None:
    if not isinstance(value, str | int | float):
        return f"{type_name(value)} is no duration"
    try:
        parse_duration(value)
    except ValueError as error:
        return str(error)
    return None
