"""What a run and its agents have spent, and the word that nothing is left: arithmetic on what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf, isclose
from typing import Any

from attrs import define, field

from swarm_core.errors import BudgetExceeded
from swarm_core.model.budget import LIMITS, AgentBudget, Budget, is_amount
from swarm_core.model.event import Event
from swarm_core.model.fields import type_name
from swarm_core.model.ids import is_name

MOST_COUNTERS = 100
"""Counters that one run keeps; workers choose their names."""

_ENDS = frozenset({"task_pass", "task_blocked", "task_cancelled"})
# No engine drove the run before these events, and none after those.
_TAKEN_UP = frozenset({"run_started", "run_resumed", "run_migrated"})
_LEFT = frozenset({"run_waiting", "run_interrupted"})


@define(eq=False, repr=False)
class _Account:
    """What one agent, or the run (`agent` None), may spend and has spent; `over` is the first counter to exceed."""

    agent: str | None
    most_dispatches: float
    most_attempts: float
    limits: Mapping[str, float]
    dispatches: int = 0
    attempts: int = 0
    counters: dict[str, float] = field(factory=dict)
    over: str | None = None

    @property
    def used(self) -> bool:
        """Tell whether anything was spent."""
        return bool(self.dispatches or self.attempts or self.counters)

    def check(self) -> None:
        """Raise BudgetExceeded when no further attempt can be made."""
        if self.over is not None:
            raise BudgetExceeded(self.over, self.limits[self.over], agent=self.agent)
        if self.attempts >= self.most_attempts:
            raise BudgetExceeded("attempts", self.most_attempts, agent=self.agent)

    def check_task(self) -> None:
        """Raise BudgetExceeded when no further task can be begun."""
        if self.dispatches >= self.most_dispatches:
            raise BudgetExceeded("dispatches", self.most_dispatches, agent=self.agent)

    def add(self, amounts: Mapping[str, float]) -> None:
        for name, amount in amounts.items():
            spent = self.counters[name] = self.counters.get(name, 0) + amount
            limit = self.limits.get(name, inf)
            # three times 0.1 is a little more than 0.3, and yet it is all of it
            if spent > limit and self.over is None and not isclose(spent, limit, rel_tol=1e-12):
                self.over = name

    def as_json(self) -> dict[str, Any]:
        return {"dispatches": self.dispatches, "attempts": self.attempts, "counters": dict(self.counters)}


class RunBudget:
    """The accounts of one run: asked before each dispatch and each attempt, told what workers report.

    A refusal that is the run's own (`BudgetExceeded.agent` is None) ends the run; one that is an agent's fails what was
    asked for. What is refused is not counted. Time counts from the making of this object on, without pauses, by
    `clock_monotonic`, which gives seconds.
    """

    def __init__(
        self, budget: Budget, agents: Mapping[str, AgentBudget], *, clock_monotonic: Callable[[], float]
    ) -> None:
        self.budget, self._limits, self._clock = budget, agents, clock_monotonic
        self._run = _account(None, budget)
        self._bounded = budget != Budget() or bool(agents)
        self._agents: dict[str, _Account] = {}
        self._depth: float = _limit(budget.depth)
        self._seconds = budget.seconds
        self._before = 0.0
        self._since: float | None = clock_monotonic()
        self._again: set[str] = set()

    def begin_task(self, agent: str, depth: int, address: str) -> None:
        """Count a task that is about to begin, at a depth from 0.

        One that was under way when the run was interrupted was counted then. Raises: BudgetExceeded.
        """
        own = self._agents.get(agent) or self._open(agent)
        again = address in self._again if self._again else False
        if self._bounded:
            self._check_attempt(own)
            if depth >= self._depth:
                raise BudgetExceeded("depth", self._depth)
            if not again:
                self._run.check_task()
                own.check_task()
        if again:
            self._again.discard(address)
            return
        self._run.dispatches += 1
        own.dispatches += 1

    def begin_attempt(self, agent: str) -> None:
        """Count an attempt that is about to begin; one that an engine took with it when it died counts, too.

        Raises: BudgetExceeded.
        """
        own = self._agents.get(agent) or self._open(agent)
        if self._bounded:
            self._check_attempt(own)
        self._run.attempts += 1
        own.attempts += 1

    def spend(self, agent: str, amounts: Mapping[str, float]) -> None:
        """Add what a worker of the agent reports of the counters.

        Raises: ValueError, when it is nothing that can be added, and nothing was; BudgetExceeded, when it is more than
        was left: it is added all the same.
        """
        self._check_amounts(amounts)
        own = self._agents.get(agent) or self._open(agent)
        self._run.add(amounts)
        own.add(amounts)
        for account in (self._run, own):
            if account.over in amounts:
                account.check()

    def check_time(self) -> None:
        """Raise BudgetExceeded when the time is over."""
        if self._seconds is not None and self.wall_time >= self._seconds:
            raise BudgetExceeded("wall_time", self._seconds)

    @property
    def wall_time(self) -> float:
        """Return the seconds for which engines have driven the run."""
        return self._before + (0.0 if self._since is None else self._clock() - self._since)

    @property
    def time_left(self) -> float | None:
        """Return the seconds that are left, None when there is no limit."""
        return None if self._seconds is None else max(0.0, self._seconds - self.wall_time)

    def pause(self) -> None:
        """Let time stand still: nobody drives the run, or all that is left of it waits for answers."""
        self._before, self._since = self.wall_time, None

    def go_on(self) -> None:
        """Let time count again."""
        if self._since is None:
            self._since = self._clock()

    @property
    def spent(self) -> dict[str, Any]:
        """Return what was spent as JSON: of the run with `wall_time` in seconds, and by agent below `agents`."""
        whole = self._run.as_json()
        return {
            **whole,
            "wall_time": round(self.wall_time, 3),
            "agents": {name: account.as_json() for name, account in self._agents.items() if account.used},
        }

    def restore(self, events: Iterable[Event]) -> None:
        """Take over what the events of the run's journal tell, before anything is begun here.

        A task without an end was under way: when it is begun again it is no further dispatch. Time is taken from the
        times of the events.
        """
        under_way: dict[str, str] = {}
        before: Event | None = None
        for event in events:
            self._recount(event, under_way)
            if before is not None and before.kind not in _LEFT and event.kind not in _TAKEN_UP:
                self._before += max(0.0, event.time - before.time)
            before = event

    def _recount(self, event: Event, under_way: dict[str, str]) -> None:
        kind, data = event.kind, event.data
        if kind == "task_created" and not data.get("refused"):
            self._recount_task(event.task_id or "", data["agent"], data["address"], under_way)
        elif kind == "task_attempt_started":
            self._run.attempts += 1
            self._open(data["agent"]).attempts += 1
        elif kind == "budget_spent":
            self._run.add(data["spent"])
            self._open(data["agent"]).add(data["spent"])
        elif kind in _ENDS:
            self._again.discard(under_way.pop(event.task_id or "", ""))

    def _recount_task(self, task_id: str, agent: str, address: str, under_way: dict[str, str]) -> None:
        if address not in self._again:
            self._run.dispatches += 1
            self._open(agent).dispatches += 1
            self._again.add(address)
        under_way[task_id] = address

    def _check_attempt(self, own: _Account) -> None:
        self.check_time()
        self._run.check()
        own.check()

    def _open(self, agent: str) -> _Account:
        account = self._agents.get(agent)
        if account is None:
            account = self._agents[agent] = _account(agent, self._limits.get(agent, _NO_LIMITS))
        return account

    def _check_amounts(self, amounts: Mapping[str, float]) -> None:
        for name, amount in amounts.items():
            if not is_name(name) or name in LIMITS:
                raise ValueError(f"{name[:80]!r} cannot be reported: counters are names of your own, such as tokens")
            if not is_amount(amount):
                raise ValueError(f"{name} cannot grow by {type_name(amount)}: amounts are numbers from 0 to 10^18")
        if len(self._run.counters.keys() | amounts.keys()) > MOST_COUNTERS:
            raise ValueError(f"a run keeps at most {MOST_COUNTERS} counters")


_NO_LIMITS = AgentBudget()


def _account(agent: str | None, budget: Budget | AgentBudget) -> _Account:
    return _Account(agent, _limit(budget.dispatches), _limit(budget.attempts), budget.counters)


def _limit(limit: int | None) -> float:
    return inf if limit is None else limit


def usage_of(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return what a result's facts report under `usage`: those of its members that are amounts of a counter."""
    usage = facts.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    return {
        name: amount
        for name, amount in usage.items()
        if isinstance(name, str) and is_name(name) and name not in LIMITS and is_amount(amount)
    }
