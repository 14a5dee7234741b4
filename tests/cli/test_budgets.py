"""Budgets on the command line: `--budget KEY=VALUE`, and what `swarm explain` shows of them."""

import json

import click
import pytest
from click.testing import CliRunner

from swarm_core.cli.inputs import budget_options, parse_budget

STEP = {"kind": "step", "ref": "a", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.out"}}
THRIFTY = {
    "id": "thrifty",
    "flow": STEP,
    "agents": [{"name": "a", "kind": "fake"}, {"name": "b", "kind": "fake"}],
    "hints": {"per_agent": {"a": {"budget": {"attempts": 3, "counters": {"tokens": 5e4}}}}},
    "budget": {"dispatches": 200, "wall_time": "2h", "counters": {"tokens": 1000000, "cost": 1.5}},
}


class TestOption:
    @pytest.mark.parametrize(
        ("pairs", "budget"),
        [
            ([], {}),
            (["dispatches=200"], {"dispatches": 200}),
            (
                ["attempts=1e3", "depth=2", "concurrency=4", "breaker=5"],
                {"attempts": 1000, "depth": 2, "concurrency": 4, "breaker": 5},
            ),
            (["wall_time=2h"], {"wall_time": "2h"}),
            (["wall_time=90.5"], {"wall_time": 90.5}),
            (["tokens=1e6", "cost=1.5", "searches=0"], {"counters": {"tokens": 1000000, "cost": 1.5, "searches": 0}}),
            (["counters.tokens=5"], {"counters": {"tokens": 5}}),
            (["counters.attemps=5"], {"counters": {"attemps": 5}}),
            (["dispatches=2", "tokens=5"], {"dispatches": 2, "counters": {"tokens": 5}}),
        ],
        ids=str,
    )
    def test_pairs_are_a_budgets_document(self, pairs, budget):
        assert budget == parse_budget(pairs)

    @pytest.mark.parametrize(
        ("pair", "text"),
        [
            ("dispatches", "'dispatches' is not of the form KEY=VALUE"),
            ("=5", "'=5' is not of the form KEY=VALUE"),
            ("dispatches=0", "dispatches: 0 is out of range: 1 to 1,000,000,000,000"),
            ("dispatches=many", "dispatches: expected an integer"),
            ("attempts=1.5", "attempts: expected an integer"),
            ("wall_time=soon", "wall_time: 'soon' is no duration"),
            ("wall_time=0", "wall_time: 0 is out of range"),
            ("tokens=-1", "counters.tokens: the number -1 is no number from 0"),
            ("tokens=nan", "counters.tokens: the number nan is no number from 0"),
            ("tokens=1e400", "counters.tokens: the number inf is no number from 0"),
            ("tokens=lots", "counters.tokens: expected a number"),
            ("two words=1", "cannot name a counter"),
            ("counters.depth=1", "'depth' is a limit of its own"),
            ("counters=1", "did you mean 'counters'?"),
            (
                "dispatchs=200",
                "did you mean 'dispatches'? A counter of the name 'dispatchs' is written counters.dispatchs=...",
            ),
            ("wall-time=2h", "did you mean 'wall_time'?"),
        ],
    )
    def test_what_would_be_no_budget_is_a_mistake_of_usage(self, pair, text):
        with pytest.raises(click.BadParameter) as caught:
            parse_budget([pair])

        assert text in caught.value.message
        assert "--budget" == caught.value.param_hint

    @pytest.mark.parametrize("pairs", [["depth=1", "depth=2"], ["tokens=1", "counters.tokens=2"]])
    def test_a_limit_is_given_once(self, pairs):
        with pytest.raises(click.BadParameter, match="is given twice"):
            parse_budget(pairs)

    def test_a_command_takes_as_many_pairs_as_are_given(self):
        @click.command()
        @budget_options
        def command(budget_pairs):
            click.echo(json.dumps(parse_budget(budget_pairs)))

        ended = CliRunner().invoke(command, ["--budget", "dispatches=2", "--budget", "tokens=5"])
        refused = CliRunner().invoke(command, ["--budget", "dispatches"])

        assert {"dispatches": 2, "counters": {"tokens": 5}} == json.loads(ended.output)
        assert 2 == refused.exit_code


class TestExplain:
    def explain(self, swarm, cwd, blueprint, *options):
        (cwd / "b.json").write_text(json.dumps(blueprint))
        return swarm("explain", "b.json", *options)

    def test_people_see_the_budget_beside_the_bound_and_each_agents_with_its_grants(self, swarm, cwd):
        ended = self.explain(swarm, cwd, THRIFTY)

        assert "Budget: dispatches 200, wall_time 2h, tokens 1,000,000, cost 1.5" in ended.out
        assert "budget of attempts 3, tokens 50,000\n" in ended.out

    def test_programs_get_it_as_it_is_written(self, swarm, cwd):
        ended = self.explain(swarm, cwd, THRIFTY, "--json")

        assert THRIFTY["budget"] == ended.json["budget"]
        assert [{"attempts": 3, "counters": {"tokens": 50000}}, None] == [a["budget"] for a in ended.json["agents"]]

    def test_without_a_budget_that_is_said(self, swarm, cwd):
        plain = {name: value for name, value in THRIFTY.items() if name not in ("budget", "hints")}

        assert "Budget: none" in self.explain(swarm, cwd, plain).out
        assert self.explain(swarm, cwd, plain, "--json").json["budget"] is None

    def test_one_that_the_flow_may_exceed_is_a_warning(self, swarm, cwd):
        loop = {"kind": "loop", "counter": {"op": "path", "at": "$.i"}, "cond": {"op": "lit", "value": True}, "max": 9}

        ended = self.explain(swarm, cwd, {**THRIFTY, "flow": {**loop, "body": STEP}, "budget": {"dispatches": 5}})

        assert 0 == ended.code
        assert "the flow can make 9 dispatches, and its budget ends the run after 5" in ended.err
