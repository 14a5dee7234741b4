from __future__ import annotations

import pytest
from attrs import evolve

from swarm_core.model.problem import Problem


def codes(problems):
    return [problem.code for problem in problems]


class TestPluginChecks:
    def test_their_problems_come_last(self, found, blueprint, catalog):
        mine = Problem(code="mine", message="no", path="$.id")
        asked = []
        checked = evolve(catalog, checks=(lambda blueprint: [asked.append(blueprint.id), mine][1:],))

        problems = found(blueprint(refs=("ghost",)), catalog=checked)

        assert (codes(problems), asked) == (["unresolved_ref", "mine"], ["b"])

    def test_a_check_may_find_nothing(self, found, blueprint, catalog):
        assert found(blueprint(), catalog=evolve(catalog, checks=(lambda b: [], lambda b: None))) == []

    def test_p34_a_check_that_raises_becomes_a_problem(self, found, blueprint, catalog):
        def broken(blueprint):
            yield Problem(code="first", message="found before it broke")
            raise LookupError("gone")

        problems = found(
            blueprint(), catalog=evolve(catalog, checks=(broken, lambda b: [Problem(code="c", message="m")]))
        )

        assert codes(problems) == ["first", "plugin_check_failed", "c"]
        assert "LookupError: gone" in problems[1].message

    @pytest.mark.parametrize("answer", [5, "text", [None], {"code": "x"}], ids=repr)
    def test_p34_a_check_that_returns_something_else_becomes_a_problem(self, found, blueprint, catalog, answer):
        problems = found(blueprint(), catalog=evolve(catalog, checks=(lambda b: answer,)))

        assert codes(problems) == ["plugin_check_failed"]

    def test_p34_exit_in_a_check_does_not_end_the_process(self, found, blueprint, catalog):
        def leave(blueprint):
            raise SystemExit(3)

        assert codes(found(blueprint(), catalog=evolve(catalog, checks=(leave,)))) == ["plugin_check_failed"]

    def test_p34_a_check_without_an_end_is_ended(self, found, blueprint, catalog):
        def endless(blueprint):
            while True:
                yield Problem(code="again", message="and again")

        problems = found(blueprint(), catalog=evolve(catalog, checks=(endless,)))

        assert (len(problems), problems[-1].code) == (1001, "plugin_check_failed")
