"""Budgets as values: what is tighter, what an agent takes over, and what cannot be a limit."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.model.budget import (
    LIMITS,
    MOST,
    MOST_AMOUNT,
    AgentBudget,
    Budget,
    budget_problems,
    counter_fault,
    filled,
    tighter,
)

COUNTS = st.none() | st.integers(1, 1000)
NAMES = st.sampled_from(["tokens", "cost", "searches"])
COUNTERS = st.dictionaries(NAMES, st.integers(0, 100) | st.sampled_from([0.5, 2.25]))
BUDGETS = st.builds(
    Budget,
    dispatches=COUNTS,
    attempts=COUNTS,
    depth=COUNTS,
    wall_time=st.none() | st.sampled_from([1, 60.0, "90s", "2h", "500ms"]),
    concurrency=COUNTS,
    breaker=COUNTS,
    counters=COUNTERS,
)


def facts(budget: Budget) -> dict[str, float]:
    """Return every limit as a number, by its name."""
    limits = {name: getattr(budget, name) for name in LIMITS}
    limits["wall_time"] = budget.seconds
    return {**{name: limit for name, limit in limits.items() if limit is not None}, **budget.counters}


class TestTighter:
    @given(BUDGETS, BUDGETS)
    def test_every_limit_of_either_is_kept(self, one: Budget, other: Budget) -> None:
        both = facts(tighter(one, other))

        assert both == {
            name: min(facts(budget)[name] for budget in (one, other) if name in facts(budget))
            for name in facts(one) | facts(other)
        }

    @given(BUDGETS)
    def test_nothing_and_itself_change_nothing(self, budget: Budget) -> None:
        assert budget == tighter(budget, None) == tighter(None, budget) == tighter(budget, Budget())
        assert budget == tighter(budget, budget)

    def test_two_that_are_not_there_limit_nothing(self) -> None:
        assert Budget() == tighter(None, None)

    def test_times_are_compared_by_their_length(self) -> None:
        assert "90s" == tighter(Budget(wall_time="90s"), Budget(wall_time="2m")).wall_time
        assert 60 == tighter(Budget(wall_time="90s"), Budget(wall_time=60)).wall_time


class TestFilled:
    def test_an_agent_takes_over_what_it_does_not_say(self) -> None:
        own = AgentBudget(attempts=9, counters={"tokens": 5})
        common = AgentBudget(dispatches=2, attempts=3, counters={"tokens": 1, "cost": 0.5})

        assert AgentBudget(dispatches=2, attempts=9, counters={"tokens": 5, "cost": 0.5}) == filled(own, common)

    def test_either_alone_is_what_it_is(self) -> None:
        budget = AgentBudget(dispatches=2)

        assert (budget, budget, None) == (filled(budget, None), filled(None, budget), filled(None, None))


class TestSeconds:
    @pytest.mark.parametrize(("wall_time", "seconds"), [(None, None), (90, 90.0), ("2h", 7200.0), ("500ms", 0.5)])
    def test_wall_time_is_a_duration(self, wall_time: Any, seconds: float | None) -> None:
        assert seconds == Budget(wall_time=wall_time).seconds


class TestProblems:
    def places(self, budget: Budget | AgentBudget) -> list[tuple[str, str]]:
        return [(problem.code, problem.path) for problem in budget_problems(budget, "$.budget", "invalid_budget")]

    @given(BUDGETS)
    def test_what_a_document_can_say_has_none(self, budget: Budget) -> None:
        assert [] == self.places(budget)

    @pytest.mark.parametrize("name", [name for name in LIMITS if name != "wall_time"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", MOST + 1, 10**400, float("nan"), [1]])
    def test_a_limit_is_a_whole_number_from_1(self, name: str, value: Any) -> None:
        assert [("invalid_budget", f"$.budget.{name}")] == self.places(Budget(**{name: value}))

    @pytest.mark.parametrize("value", [0, -1, True, "soon", "5 parsecs", [1], math.inf, "1e9s"])
    def test_a_time_is_a_duration(self, value: Any) -> None:
        assert [("invalid_budget", "$.budget.wall_time")] == self.places(Budget(wall_time=value))

    @pytest.mark.parametrize("amount", [-1, -0.5, True, "5", None, math.nan, math.inf, MOST_AMOUNT + 1, 10**400])
    def test_a_counter_is_a_number_from_0(self, amount: Any) -> None:
        assert [("invalid_budget", "$.budget.counters.tokens")] == self.places(Budget(counters={"tokens": amount}))

    @pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, *LIMITS])
    def test_a_counter_has_a_name_of_its_own(self, name: str) -> None:
        assert counter_fault(name, 1) is not None

    def test_all_are_told_at_once(self) -> None:
        budget = Budget(dispatches=0, wall_time="soon", counters={"a b": 1, "cost": -1})

        assert ["$.budget.dispatches", "$.budget.wall_time", '$.budget.counters["a b"]', "$.budget.counters.cost"] == [
            path for _, path in self.places(budget)
        ]

    def test_an_agents_budget_is_looked_at_in_the_same_way(self) -> None:
        assert ["$.budget.attempts"] == [path for _, path in self.places(AgentBudget(attempts=0))]

    def test_the_message_of_a_long_value_is_short(self) -> None:
        (problem,) = budget_problems(Budget(dispatches=10**5000), "$.budget", "invalid_budget")

        assert len(problem.message) < 200
