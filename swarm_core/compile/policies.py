"""Hints: what each agent is granted, and which hints make no sense."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from attrs import define, field, frozen

from swarm_core.errors import did_you_mean
from swarm_core.model.blueprint import RETRY_CAUSES, AgentHint, CompilerHints, RetryHint
from swarm_core.model.budget import AgentBudget, budget_problems, filled
from swarm_core.model.duration import parse_duration
from swarm_core.model.path import place
from swarm_core.model.policy import NO_POLICY, AgentPolicy, Retry
from swarm_core.model.problem import Problem, Severity

T = TypeVar("T")

NO_HINT = AgentHint()

_HINTS = "$.hints.per_agent"
_GLOBAL = "$.hints.global"


@frozen(kw_only=True, eq=False, repr=False)
class Policies:
    """The policies of agents by name, and what is wrong with the hints they come from."""

    of: Mapping[str, AgentPolicy]
    problems: tuple[Problem, ...]


def read_policies(hints: CompilerHints, agents: Collection[str]) -> Policies:
    """Merge the hints of each agent over the global ones; a hint for a name that is no agent's is a warning."""
    reader = _Reader()
    common = reader.policy(hints.global_, _GLOBAL) if hints.global_ else NO_POLICY
    own = {name: reader.policy(hint, place(_HINTS, name)) for name, hint in hints.per_agent.items()}
    reader.problems.extend(_strangers(hints.per_agent, agents))
    names = dict.fromkeys([*agents, *own])
    return Policies(of={name: _merged(own.get(name), common) for name in names}, problems=tuple(reader.problems))


def merged_hint(hints: CompilerHints, agent: str) -> AgentHint:
    """Return an agent's hint as its factory sees it: what it does not say itself, the global hint says."""
    own, common = hints.per_agent.get(agent) or NO_HINT, hints.global_ or NO_HINT
    return AgentHint(
        timeout=_first(own.timeout, common.timeout),
        retry=_first(own.retry, common.retry),
        concurrency=_first(own.concurrency, common.concurrency),
        budget=filled(own.budget, common.budget),
        bind=_first(own.bind, common.bind),
        extra={**common.extra, **own.extra},
    )


def bind_place(hints: CompilerHints, agent: str) -> str:
    """Return where the hint stands that binds the agent to a kind."""
    own = hints.per_agent.get(agent)
    return f"{place(_HINTS, agent)}.bind" if own and own.bind is not None else f"{_GLOBAL}.bind"


def _merged(own: AgentPolicy | None, common: AgentPolicy) -> AgentPolicy:
    if own is None:
        return common
    return AgentPolicy(
        timeout=_first(own.timeout, common.timeout),
        retry=_first(own.retry, common.retry),
        concurrency=_first(own.concurrency, common.concurrency),
        budget=filled(own.budget, common.budget),
    )


def _first(own: Any, common: Any) -> Any:
    return own if own is not None else common


def _strangers(names: Iterable[str], agents: Collection[str]) -> list[Problem]:
    return [
        Problem(
            code="unknown_hint_agent",
            message=f"hints are given for {name!r}, which is no agent of this Blueprint",
            path=place(_HINTS, name),
            severity=Severity.WARNING,
            hint=did_you_mean(name, agents, otherwise="agents"),
        )
        for name in names
        if name not in agents
    ]


@define(eq=False, repr=False)
class _Reader:
    """Reads hints into policies; `problems` gathers what it could not read."""

    problems: list[Problem] = field(factory=list)

    def policy(self, hint: AgentHint, path: str) -> AgentPolicy:
        retry = None if hint.retry is None else self._retry(hint.retry, f"{path}.retry")
        timeout = None if hint.timeout is None else self._read(parse_duration, hint.timeout, f"{path}.timeout")
        concurrency = None if hint.concurrency is None else self._read(_count, hint.concurrency, f"{path}.concurrency")
        budget = None if hint.budget is None else self._budget(hint.budget, f"{path}.budget")
        return AgentPolicy(timeout=timeout, retry=retry, concurrency=concurrency, budget=budget)

    def _retry(self, hint: RetryHint, path: str) -> Retry:
        return Retry(
            max_attempts=self._read(_count, hint.max_attempts, f"{path}.max_attempts") or 1,
            backoff=self._read(_wait, hint.backoff, f"{path}.backoff") or 0.0,
            max_backoff=self._read(_wait, hint.max_backoff, f"{path}.max_backoff") or 0.0,
            on=frozenset(self._read(_cause, cause, f"{path}.on[{at}]") or "" for at, cause in enumerate(hint.on)),
        )

    def _budget(self, budget: AgentBudget, path: str) -> AgentBudget | None:
        found = list(budget_problems(budget, path, "invalid_hint"))
        self.problems.extend(found)
        return None if found else budget

    def _read(self, parse: Callable[[Any], T], value: object, path: str) -> T | None:
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            self.problems.append(Problem(code="invalid_hint", message=str(error), path=path))
            return None


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no whole number from 1 up")
    return value


def _wait(value: str | float) -> float:
    """Return seconds as `parse_duration` does, and 0 for no wait at all."""
    return 0.0 if value in (0, "0", "0s") and not isinstance(value, bool) else parse_duration(value)


def _cause(value: str) -> str:
    if value not in RETRY_CAUSES:
        raise ValueError(f"{value!r} is no cause to retry for; {did_you_mean(value, RETRY_CAUSES, otherwise='causes')}")
    return value
