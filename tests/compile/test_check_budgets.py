"""Budgets of the Blueprint and of its agents: invalid ones at their place, and those that the flow cannot keep to."""

from __future__ import annotations

import pytest

from swarm_core.compile import compile_blueprint
from swarm_core.model.blueprint import AgentHint, CompilerHints
from swarm_core.model.budget import AgentBudget, Budget
from swarm_core.model.parse import parse_node
from swarm_core.model.policy import AgentPolicy
from swarm_core.model.problem import Severity

WORK = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.x"}}


def loop(most):
    counter = {"op": "path", "at": "$.i"}
    return {"kind": "loop", "counter": counter, "cond": {"op": "lit", "value": True}, "body": WORK, "max": most}


def per_file():
    files, one = {"op": "path", "at": "$.files"}, {"op": "path", "at": "$.file"}
    return {"kind": "fanout", "items": files, "bind": one, "body": WORK, "join": "all", "out": files}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


@pytest.fixture
def flowing(blueprint):
    """Make a Blueprint of one agent out of a flow's document and a budget."""
    return lambda flow, budget: blueprint(("a", "echo"), flow=parse_node(flow), budget=budget)


class TestTheRunsBudget:
    def test_a_good_one_is_no_problem(self, found, blueprint):
        budget = Budget(dispatches=5, attempts=9, depth=2, wall_time="2h", concurrency=1, counters={"tokens": 0})

        assert found(blueprint(("a", "echo"), refs=("a",), budget=budget)) == []

    @pytest.mark.parametrize(
        ("budget", "path"),
        [
            (Budget(dispatches=0), "dispatches"),
            (Budget(attempts=True), "attempts"),
            (Budget(depth=1.5), "depth"),
            (Budget(concurrency=-1), "concurrency"),
            (Budget(breaker=0), "breaker"),
            (Budget(wall_time="5 parsecs"), "wall_time"),
            (Budget(counters={"tokens": -1}), "counters.tokens"),
            (Budget(counters={"depth": 5}), "counters.depth"),
            (Budget(counters={"two words": 5}), 'counters["two words"]'),
        ],
    )
    def test_a_bad_value_is_an_error_at_its_place(self, found, blueprint, budget, path):
        (problem,) = found(blueprint(("a", "echo"), budget=budget))

        assert ("invalid_budget", Severity.ERROR) == (problem.code, problem.severity)
        assert f"$.budget.{path}" == problem.path

    def test_all_bad_values_are_told_at_once(self, found, blueprint):
        problems = found(blueprint(("a", "echo"), budget=Budget(dispatches=0, wall_time="soon", breaker=0)))

        assert ["$.budget.dispatches", "$.budget.wall_time", "$.budget.breaker"] == [p.path for p in problems]


class TestTheFlowsBound:
    def test_p36_a_flow_that_can_make_more_dispatches_than_its_budget_is_doubtful(self, found, flowing):
        """P36: a loop's bound is known before the run, and the budget is the one that ends it."""
        (problem,) = found(flowing(loop(2_000), Budget(dispatches=200)))

        assert ("budget_below_bound", Severity.WARNING) == (problem.code, problem.severity)
        assert "$.budget.dispatches" == problem.path
        assert "the flow can make 2,000 dispatches, and its budget ends the run after 200" == problem.message

    def test_one_that_can_keep_to_it_is_not(self, found, flowing):
        assert found(flowing(loop(200), Budget(dispatches=200))) == []

    def test_the_part_that_depends_on_data_raises_no_doubt(self, found, flowing):
        assert found(flowing(seq(per_file(), WORK), Budget(dispatches=1))) == []

    def test_the_part_that_does_not_does(self, found, flowing):
        (problem,) = found(flowing(seq(per_file(), loop(3)), Budget(dispatches=2)))

        assert "3 + 1 per item of $.files dispatches" in problem.message

    def test_a_budget_of_other_things_is_not_compared(self, found, flowing):
        assert found(flowing(loop(2_000), Budget(attempts=1, depth=1, counters={"tokens": 1}))) == []

    def test_an_invalid_budget_is_not_compared(self, found, flowing):
        (problem,) = found(flowing(loop(2_000), Budget(dispatches=0)))

        assert "invalid_budget" == problem.code


class TestAgentsBudgets:
    def hinted(self, blueprint, budget, **hints):
        own = AgentHint(budget=budget)
        return blueprint(("a", "echo"), ("b", "echo"), hints=CompilerHints(per_agent={"a": own}, **hints))

    @pytest.mark.parametrize(
        ("budget", "path"),
        [
            (AgentBudget(dispatches=0), "dispatches"),
            (AgentBudget(attempts="3"), "attempts"),
            (AgentBudget(counters={"tokens": True}), "counters.tokens"),
        ],
    )
    def test_a_bad_value_is_told_at_its_place(self, found, blueprint, budget, path):
        (problem,) = found(self.hinted(blueprint, budget))

        assert ("invalid_hint", f"$.hints.per_agent.a.budget.{path}") == (problem.code, problem.path)

    def test_a_bad_value_for_all_agents_is_told_once(self, found, blueprint):
        hints = CompilerHints(global_=AgentHint(budget=AgentBudget(attempts=0)))

        (problem,) = found(blueprint(("a", "echo"), ("b", "echo"), hints=hints))

        assert "$.hints.global.budget.attempts" == problem.path

    def test_an_agent_takes_over_what_it_does_not_say_itself(self, catalog, environment, blueprint):
        common = AgentHint(budget=AgentBudget(attempts=9, counters={"tokens": 100}))
        written = self.hinted(blueprint, AgentBudget(counters={"tokens": 5, "cost": 1}), global_=common)

        routes = compile_blueprint(written, catalog, environment(written))

        assert {
            "a": AgentPolicy(budget=AgentBudget(attempts=9, counters={"tokens": 5, "cost": 1})),
            "b": AgentPolicy(budget=AgentBudget(attempts=9, counters={"tokens": 100})),
        } == routes.policies

    def test_an_agents_kind_sees_the_budget_with_its_other_hints(self, catalog, environment, blueprint):
        seen = []

        def build(agent, spec, hint, environment):
            seen.append(hint.budget)
            return catalog.spawners["echo"].build(agent, spec, hint, environment)

        nosy = type(catalog.spawners["echo"])("nosy", build)
        catalog.spawners["nosy"] = nosy
        hints = CompilerHints(global_=AgentHint(budget=AgentBudget(attempts=9)))
        written = blueprint(("a", "nosy"), hints=hints)

        compile_blueprint(written, catalog, environment(written))

        assert [AgentBudget(attempts=9)] == seen
