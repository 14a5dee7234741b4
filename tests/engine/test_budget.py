"""The accounts of a run: what is counted, what is refused and whose refusal it is, and what a journal brings back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.engine.budget import MOST_COUNTERS, RunBudget, usage_of
from swarm_core.errors import BudgetExceeded
from swarm_core.model.budget import AgentBudget, Budget
from swarm_core.model.event import Event


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def accounts(agents: dict[str, AgentBudget] | None = None, *, clock: Clock | None = None, **limits: Any) -> RunBudget:
    return RunBudget(Budget(**limits), agents or {}, clock_monotonic=clock or Clock())


def refusal(call: Any, *arguments: Any) -> tuple[str, float, str | None]:
    with pytest.raises(BudgetExceeded) as caught:
        call(*arguments)
    return caught.value.name, caught.value.limit, caught.value.agent


class TestTheRun:
    def test_without_limits_everything_is_counted_and_nothing_refused(self):
        budget = accounts()

        for number in range(3):
            budget.begin_task("writer", 7, f"/{number}")
            budget.begin_attempt("writer")
        budget.spend("writer", {"tokens": 10**18})

        spent = budget.spent
        assert (3, 3, {"tokens": 10**18}) == (spent["dispatches"], spent["attempts"], spent["counters"])

    def test_as_many_tasks_as_allowed_begin_and_the_next_is_refused(self):
        budget = accounts(dispatches=2)

        budget.begin_task("writer", 0, "/0")
        budget.begin_task("editor", 0, "/1")

        assert ("dispatches", 2, None) == refusal(budget.begin_task, "writer", 0, "/2")

    def test_as_many_attempts_as_allowed_begin_and_the_next_is_refused(self):
        budget = accounts(attempts=2)

        budget.begin_task("writer", 0, "/0")
        budget.begin_attempt("writer")
        budget.begin_attempt("writer")

        assert ("attempts", 2, None) == refusal(budget.begin_attempt, "writer")

    def test_a_task_that_could_have_no_attempt_does_not_begin(self):
        budget = accounts(attempts=1)
        budget.begin_attempt("writer")

        assert ("attempts", 1, None) == refusal(budget.begin_task, "writer", 0, "/0")

    def test_p36_a_worker_that_starts_itself_comes_to_an_end(self):
        """P36: the depth is bounded, and so is their number where each starts many."""
        budget = accounts(depth=3)

        def work(depth: int, address: str) -> int:
            budget.begin_task("worker", depth, address)
            return 1 + work(depth + 1, f"{address}/child@0")

        assert ("depth", 3, None) == refusal(work, 0, "/0")
        assert 3 == budget.spent["dispatches"]

    def test_p36_a_worker_that_starts_many_of_itself_comes_to_an_end(self):
        """P36: all tasks of a run's tree count, however wide it is."""
        budget = accounts(dispatches=100)

        def work(depth: int, address: str) -> None:
            budget.begin_task("worker", depth, address)
            for child in range(1000):
                work(depth + 1, f"{address}/child@{child}") if depth < 2 else None

        assert ("dispatches", 100, None) == refusal(work, 0, "/0")

    def test_what_is_refused_is_not_counted(self):
        budget = accounts(dispatches=1, depth=1)

        budget.begin_task("writer", 0, "/0")
        refusal(budget.begin_task, "writer", 0, "/1")
        refusal(budget.begin_task, "writer", 1, "/0/child@0")

        assert 1 == budget.spent["dispatches"]


class TestCounters:
    def test_reports_add_up_for_the_run_and_for_each_agent(self):
        budget = accounts()

        budget.spend("writer", {"tokens": 100, "cost": 0.25})
        budget.spend("editor", {"tokens": 50})
        budget.spend("writer", {"tokens": 1})

        assert {"tokens": 151, "cost": 0.25} == budget.spent["counters"]
        assert {"tokens": 101, "cost": 0.25} == budget.spent["agents"]["writer"]["counters"]

    def test_all_of_it_may_be_spent_and_no_more(self):
        budget = accounts(counters={"tokens": 100})

        budget.spend("writer", {"tokens": 100})
        budget.begin_task("writer", 0, "/0")

        assert ("tokens", 100, None) == refusal(budget.spend, "writer", {"tokens": 1})

    def test_what_was_too_much_is_added_all_the_same_and_nothing_begins_after_it(self):
        budget = accounts(counters={"tokens": 100})

        refusal(budget.spend, "writer", {"tokens": 300})

        assert {"tokens": 300} == budget.spent["counters"]
        assert ("tokens", 100, None) == refusal(budget.begin_task, "editor", 0, "/0")
        assert ("tokens", 100, None) == refusal(budget.begin_attempt, "editor")

    def test_nothing_may_be_used_of_what_is_limited_to_0(self):
        budget = accounts(counters={"cost": 0})

        budget.begin_task("writer", 0, "/0")

        assert ("cost", 0, None) == refusal(budget.spend, "writer", {"cost": 0.01})

    def test_tenths_that_add_up_to_the_limit_are_no_more_than_it(self):
        budget = accounts(counters={"cost": 0.3})

        for _ in range(3):
            budget.spend("writer", {"cost": 0.1})  # 0.30000000000000004 in all

        assert ("cost", 0.3, None) == refusal(budget.spend, "writer", {"cost": 0.001})

    @pytest.mark.parametrize("amount", [-1, True, "5", None, math.nan, math.inf, -math.inf, 10**18 + 1, 10**400])
    def test_what_is_no_amount_is_refused_and_nothing_is_added(self, amount):
        budget = accounts()

        with pytest.raises(ValueError, match="cost cannot grow by"):
            budget.spend("writer", {"tokens": 1, "cost": amount})

        assert {} == budget.spent["counters"]

    @pytest.mark.parametrize("name", ["attempts", "wall_time", "two words", "", "x" * 65])
    def test_a_counter_has_a_name_of_its_own(self, name):
        with pytest.raises(ValueError, match="cannot be reported"):
            accounts().spend("writer", {name: 1})

    def test_a_worker_cannot_make_up_counters_without_end(self):
        budget = accounts()
        budget.spend("writer", {f"c{number}": 1 for number in range(MOST_COUNTERS)})

        with pytest.raises(ValueError, match="at most 100 counters"):
            budget.spend("writer", {"one_more": 1})

        budget.spend("writer", {"c7": 1})
        assert MOST_COUNTERS == len(budget.spent["counters"])


class TestAgents:
    def test_an_agents_refusal_names_it_and_leaves_the_others_alone(self):
        budget = accounts({"writer": AgentBudget(dispatches=1), "editor": AgentBudget(attempts=1)})

        budget.begin_task("writer", 0, "/0")
        budget.begin_task("editor", 0, "/1")
        budget.begin_attempt("editor")

        assert ("dispatches", 1, "writer") == refusal(budget.begin_task, "writer", 0, "/2")
        assert ("attempts", 1, "editor") == refusal(budget.begin_attempt, "editor")
        budget.begin_task("reader", 0, "/3")
        assert 3 == budget.spent["dispatches"]

    def test_an_agent_has_counters_of_its_own(self):
        budget = accounts({"writer": AgentBudget(counters={"tokens": 10})})

        budget.spend("editor", {"tokens": 99})

        assert ("tokens", 10, "writer") == refusal(budget.spend, "writer", {"tokens": 11})
        assert ("tokens", 10, "writer") == refusal(budget.begin_task, "writer", 0, "/0")
        budget.begin_task("editor", 0, "/0")

    def test_the_runs_refusal_comes_before_the_agents(self):
        budget = accounts({"writer": AgentBudget(counters={"tokens": 10})}, counters={"tokens": 10})

        assert ("tokens", 10, None) == refusal(budget.spend, "writer", {"tokens": 11})
        assert ("tokens", 10, None) == refusal(budget.begin_task, "writer", 0, "/0")

    def test_a_report_of_something_else_is_no_second_refusal(self):
        budget = accounts({"writer": AgentBudget(counters={"tokens": 10})})
        refusal(budget.spend, "writer", {"tokens": 11})

        budget.spend("writer", {"searches": 1})


class TestTime:
    def test_time_that_passes_counts_and_is_over_at_its_limit(self):
        clock = Clock()
        budget = accounts(clock=clock, wall_time="1m")

        clock.now += 59.5
        budget.check_time()
        assert 0.5 == budget.time_left
        clock.now += 0.5

        assert ("wall_time", 60, None) == refusal(budget.check_time)
        assert ("wall_time", 60, None) == refusal(budget.begin_task, "writer", 0, "/0")
        assert ("wall_time", 60, None) == refusal(budget.begin_attempt, "writer")
        assert 0 == budget.time_left

    def test_pauses_do_not_count(self):
        clock = Clock()
        budget = accounts(clock=clock, wall_time=60)

        clock.now += 10
        budget.pause()
        clock.now += 10_000
        budget.pause()
        assert 10 == budget.wall_time
        budget.go_on()
        clock.now += 2
        budget.go_on()
        clock.now += 3

        assert (15, 45) == (budget.wall_time, budget.time_left)

    def test_without_a_limit_there_is_no_end(self):
        clock = Clock()
        budget = accounts(clock=clock)

        clock.now += 10**9
        budget.check_time()

        assert budget.time_left is None


def journal(*entries: tuple[Any, ...]) -> list[Event]:
    """Return events from (time, kind, task id, data)."""
    return [
        Event(kind, "RUN-1", seq, time, task_id, None, data)
        for seq, (time, kind, task_id, data) in enumerate(entries, start=1)
    ]


def created(time: float, task_id: str, agent: str, address: str) -> tuple[Any, ...]:
    return (time, "task_created", task_id, {"agent": agent, "address": address, "depth": 0})


def started(time: float, task_id: str, agent: str) -> tuple[Any, ...]:
    return (time, "task_attempt_started", task_id, {"agent": agent})


class TestRestored:
    def test_what_was_spent_survives(self):
        budget = accounts({"writer": AgentBudget(dispatches=1)}, dispatches=3, attempts=4, counters={"tokens": 100})

        budget.restore(
            journal(
                (0, "run_started", None, {}),
                created(0, "T-1", "writer", "/0"),
                started(0, "T-1", "writer"),
                (0, "task_attempt_failed", "T-1", {}),
                started(0, "T-1", "writer"),
                (1, "budget_spent", "T-1", {"agent": "writer", "spent": {"tokens": 60}}),
                (1, "task_pass", "T-1", {"result": 1}),
                created(1, "T-2", "editor", "/1"),
                started(1, "T-2", "editor"),
                (1, "task_blocked", "T-2", {"result": None, "error": "no"}),
            )
        )

        spent = budget.spent
        assert (2, 3, {"tokens": 60}) == (spent["dispatches"], spent["attempts"], spent["counters"])
        assert {"dispatches": 1, "attempts": 2, "counters": {"tokens": 60}} == spent["agents"]["writer"]
        assert ("dispatches", 1, "writer") == refusal(budget.begin_task, "writer", 0, "/2")
        assert ("tokens", 100, None) == refusal(budget.spend, "editor", {"tokens": 41})

    def test_a_task_that_was_under_way_is_no_second_dispatch_and_its_new_attempt_is_an_attempt(self):
        budget = accounts(dispatches=1, attempts=2)
        budget.restore(journal(created(0, "T-1", "writer", "/0"), started(0, "T-1", "writer")))

        budget.begin_task("writer", 0, "/0")
        budget.begin_attempt("writer")

        assert (1, 2) == (budget.spent["dispatches"], budget.spent["attempts"])
        assert "attempts" == refusal(budget.begin_attempt, "writer")[0]
        assert "attempts" == refusal(budget.begin_task, "writer", 0, "/0")[0]

    def test_it_is_one_dispatch_however_often_the_engine_died_over_it(self):
        budget = accounts(dispatches=1)

        budget.restore(journal(created(0, "T-1", "writer", "/0"), created(9, "T-2", "writer", "/0")))
        budget.begin_task("writer", 0, "/0")

        assert 1 == budget.spent["dispatches"]
        assert "dispatches" == refusal(budget.begin_task, "writer", 0, "/0")[0]

    def test_a_task_that_has_ended_and_begins_anew_is_a_second_dispatch(self):
        budget = accounts(dispatches=1)

        budget.restore(journal(created(0, "T-1", "writer", "/0"), (0, "task_cancelled", "T-1", {})))

        assert "dispatches" == refusal(budget.begin_task, "writer", 0, "/0")[0]

    def test_only_time_under_an_engine_counts(self):
        clock = Clock()
        budget = accounts(clock=clock, wall_time=100)

        budget.restore(
            journal(
                (0, "run_started", None, {}),
                created(10, "T-1", "writer", "/0"),  # 10 s, then the engine is killed
                (5000, "run_resumed", None, {}),
                (5007, "run_waiting", None, {}),  # 7 s, then all that is left waits
                (9000, "senior_answered", "T-1", {}),
                (9003, "run_interrupted", None, {}),  # 3 s
                (9900, "run_migrated", None, {}),
                (9999, "run_resumed", None, {}),
                (9999.5, "task_pass", "T-1", {}),  # half a second
            )
        )
        clock.now += 2

        assert 22.5 == budget.wall_time
        assert 77.5 == budget.time_left

    def test_p16_a_clock_that_was_set_back_takes_no_time_away(self):
        """P16: between two events no less than nothing passed."""
        budget = accounts()

        budget.restore(journal((0, "run_started", None, {}), (5, "x", None, {}), (-4000, "x", None, {})))

        assert 5 == budget.wall_time

    def test_an_empty_journal_brings_nothing(self):
        budget = accounts(dispatches=1)

        budget.restore([])

        assert (0, 0, {}) == tuple(budget.spent[name] for name in ("dispatches", "attempts", "counters"))


# what happens to a run, as (what, agent, number)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["task", "attempt", "spend", "end"]),
        st.sampled_from(["writer", "editor"]),
        st.integers(0, 5),
    ),
    max_size=40,
)
LIMITS = st.none() | st.integers(1, 8)


def follow(budget: RunBudget, steps: list[tuple[str, str, int]], events: list[Event]) -> list[tuple[Any, ...]]:
    """Do the steps, note those that were not refused as the engine would, and return all refusals."""
    refused = []
    for number, (what, agent, amount) in enumerate(steps, start=len(events)):
        kind, data = "task_pass", {}
        try:
            if what == "task":
                budget.begin_task(agent, 0, f"/{number}")
                kind, data = "task_created", {"agent": agent, "address": f"/{number}", "depth": 0}
            elif what == "attempt":
                budget.begin_attempt(agent)
                kind, data = "task_attempt_started", {"agent": agent}
            elif what == "spend":
                kind, data = "budget_spent", {"agent": agent, "spent": {"tokens": amount}}
                budget.spend(agent, {"tokens": amount})
        except BudgetExceeded as error:
            refused.append((error.name, error.limit, error.agent))
            if what != "spend":
                continue
        events.append(Event(kind, "RUN-1", len(events) + 1, 0.0, f"T-{number}", 1, data))
    return refused


class TestAnyCourse:
    @given(STEPS, STEPS, LIMITS, LIMITS, st.none() | st.integers(0, 20), LIMITS)
    def test_a_run_that_was_interrupted_spends_as_one_that_was_not(
        self, before, after, dispatches, attempts, tokens, own
    ):
        counters = {} if tokens is None else {"tokens": tokens}
        agents = {"writer": AgentBudget(dispatches=own, attempts=own, counters=counters)}
        whole = accounts(agents, dispatches=dispatches, attempts=attempts, counters=counters)
        resumed = accounts(agents, dispatches=dispatches, attempts=attempts, counters=counters)
        events: list[Event] = []

        follow(whole, before, events)
        resumed.restore(events)

        assert whole.spent == resumed.spent
        assert follow(whole, after, list(events)) == follow(resumed, after, list(events))

    @given(STEPS, st.integers(1, 8), st.integers(1, 8))
    def test_no_more_is_begun_than_the_budget_says(self, steps, dispatches, attempts):
        budget = accounts(dispatches=dispatches, attempts=attempts)
        events: list[Event] = []

        follow(budget, steps, events)

        assert sum(event.kind == "task_created" for event in events) <= dispatches
        assert sum(event.kind == "task_attempt_started" for event in events) <= attempts

    @given(STEPS)
    def test_what_was_spent_is_json(self, steps):
        budget = accounts()
        follow(budget, steps, [])

        assert budget.spent == json.loads(json.dumps(budget.spent))


class TestUsage:
    def test_amounts_of_a_results_usage_are_reported(self):
        facts = {"usage": {"tokens": 1200, "cost": 0.03}, "model": "x"}

        assert {"tokens": 1200, "cost": 0.03} == usage_of(facts)

    def test_what_is_no_amount_is_left_alone(self):
        usage = {
            "tokens": 5,
            "model": "x",
            "details": {"cached": 3},
            "bad": -1,
            "nan": math.nan,
            "yes": True,
            "depth": 2,
        }

        assert {"tokens": 5} == usage_of({"usage": {**usage, 7: 1, "two words": 1, "depth": 2}})

    @pytest.mark.parametrize("facts", [{}, {"usage": None}, {"usage": [1]}, {"usage": "5 tokens"}])
    def test_without_usage_nothing_is(self, facts):
        assert {} == usage_of(facts)
