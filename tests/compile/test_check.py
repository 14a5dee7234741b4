from __future__ import annotations

import pytest

from swarm_core.compile import check
from swarm_core.factories import Function
from swarm_core.model.blueprint import (
    AgentHint,
    CompilerHints,
    CompilerStrategy,
    LayerUse,
    OperatorDef,
)
from swarm_core.model.nodes import Branch, CallExtern, Fanout, Join, Let, Lit, Logic, Loop, Path, Seq, Step, Try
from swarm_core.model.problem import Severity

LAX = CompilerStrategy(strict_refs=False, strict_kind=False)


def codes(problems):
    return [problem.code for problem in problems]


def one(problems):
    (problem,) = problems
    return problem


def step(ref):
    return Step(ref=ref, in_=Lit(value=None), out=Path(at="$.x"))


class TestSound:
    def test_a_sound_blueprint_has_no_problems(self, found, blueprint):
        sound = blueprint(("a", "echo"), ("b", "talk", {"voice": "low"}), refs=("a", "b", "a"))

        assert found(sound) == []

    def test_an_agent_that_no_step_uses_is_no_problem(self, found, blueprint):
        assert found(blueprint(("spare", "echo"))) == []

    def test_a_kinds_other_name_will_do(self, found, blueprint):
        assert found(blueprint(("a", "rust_fn", {"fn_id": "up"}), ("b", "speak", {"voice": "low"}))) == []


class TestOrder:
    """The first error is the one that the original compiler stops at."""

    def test_row_38_operator_seats_come_before_duplicate_agents(self, found, blueprint):
        wrong = blueprint(("a", "echo"), ("a", "echo"), ("w", "operator", {"operator_ref": "ghost"}), refs=("x",))

        assert codes(found(wrong))[:2] == ["unresolved_operator_ref", "duplicate_agent"]

    def test_row_34_duplicate_agents_come_before_refs(self, found, blueprint):
        wrong = blueprint(("a", "echo"), ("a", "echo"), refs=("ghost",))

        assert codes(found(wrong)) == ["duplicate_agent", "unresolved_ref"]

    def test_name_kind_and_spec_are_told_in_this_order(self, found, blueprint):
        wrong = blueprint(("a", "talk", {"voice": "low", "volume": 12}), ("a", "ghost"), refs=("x",))

        assert codes(found(wrong)) == ["invalid_spec", "duplicate_agent", "unknown_kind", "unresolved_ref"]

    def test_agents_are_told_in_the_order_of_the_list(self, found, blueprint):
        wrong = blueprint(("a", "ghost"), ("b", "talk", {}), ("c", "ghost"), ("b", "echo"))

        assert [(p.code, p.path) for p in found(wrong)] == [
            ("unknown_kind", "$.agents[0].kind"),
            ("invalid_spec", "$.agents[1].spec"),
            ("unknown_kind", "$.agents[2].kind"),
            ("duplicate_agent", "$.agents[3].name"),
        ]

    def test_what_only_we_look_at_comes_last(self, found, blueprint):
        hints = CompilerHints(per_agent={"ghost": AgentHint(timeout="soon")})
        wrong = blueprint(("a", "echo"), refs=("x",), hints=hints, layers=(LayerUse(key="ghost"),))

        assert codes(found(wrong)) == ["unresolved_ref", "invalid_hint", "unknown_hint_agent", "unknown_layer"]


class TestOperators:
    def test_row_38_the_defined_names_are_told(self, found, blueprint):
        seats = (OperatorDef(name="lead"), OperatorDef(name="second"))
        wrong = blueprint(("w", "operator", {"operator_ref": "leed"}), operators=seats)

        problem = found(wrong)[0]

        assert (problem.code, problem.path) == ("unresolved_operator_ref", "$.agents[0].spec.operator_ref")
        assert problem.hint == "did you mean 'lead'? defined: lead, second"

    @pytest.mark.parametrize("spec", [None, {}, {"operator_ref": None}, {"operator_ref": 5}, ["lead"]])
    def test_row_38_an_agent_without_a_seat_is_left_to_its_kind(self, found, blueprint, spec):
        assert "unresolved_operator_ref" not in codes(found(blueprint(("w", "operator", spec))))

    def test_other_kinds_may_have_an_operator_ref_of_their_own(self, found, blueprint):
        assert found(blueprint(("a", "echo", {"operator_ref": "ghost"}))) == []

    def test_the_operator_kind_is_named_with_what_brings_it(self, found, blueprint):
        seats = (OperatorDef(name="lead"),)

        problem = one(found(blueprint(("w", "operator", {"operator_ref": "lead"}), operators=seats)))

        assert problem.code == "unknown_kind"
        assert problem.hint is not None
        assert problem.hint.startswith("pip install swarm-plugin-operator brings it; installed: ")


class TestNames:
    def test_row_34_two_agents_of_one_name(self, found, blueprint):
        problem = one(found(blueprint(("a", "echo"), ("b", "echo"), ("a", "echo"))))

        assert (problem.code, problem.path) == ("duplicate_agent", "$.agents[2].name")
        assert str(problem) == (
            "$.agents[2].name: two agents are named 'a'; the first one is $.agents[0]; rename or remove one"
        )

    @pytest.mark.parametrize("other", ["WRITER", "writer ", "wri\u0301ter"])
    def test_bp25_names_that_look_alike_are_duplicates(self, found, blueprint, other):
        first = "wr\u00edter" if "\u0301" in other else "writer"

        assert "duplicate_agent" in codes(found(blueprint((first, "echo"), (other, "echo"))))

    @pytest.mark.parametrize("name", ["../x", "a|b", "a,b", "*", "", "x" * 10_000, "a\u202eb", "a b", "-a", "a\n"])
    def test_bp26_names_that_are_none_are_refused(self, found, blueprint, name):
        problem = one(found(blueprint((name, "echo"))))

        assert (problem.code, problem.path, problem.severity) == ("bad_name", "$.agents[0].name", Severity.ERROR)
        assert len(str(problem)) < 500


class TestKinds:
    def test_row_37_an_unknown_kind_is_an_error(self, found, blueprint):
        problem = one(found(blueprint(("a", "ghost"), refs=("a",))))

        assert (problem.code, problem.path, problem.severity) == ("unknown_kind", "$.agents[0].kind", Severity.ERROR)

    def test_bp27_a_near_kind_is_offered_with_the_installed_ones(self, found, blueprint):
        problem = one(found(blueprint(("a", "fuction"))))

        assert problem.hint is not None
        assert problem.hint.startswith("did you mean 'function'? installed: broken, echo, function,")

    def test_bp27_a_kind_that_is_not_installed_is_named_with_what_brings_it(self, found, blueprint):
        problem = one(found(blueprint(("a", "lua"))))

        assert problem.hint is not None
        assert problem.hint.startswith("pip install swarm-plugin-lua brings it; installed: ")

    def test_bp27_a_near_kind_that_is_not_installed_either_is_offered_with_what_brings_it(self, found, blueprint):
        problem = one(found(blueprint(("a", "subproces"))))

        assert problem.hint is not None
        assert problem.hint.startswith("did you mean 'subprocess'? (pip install swarm-plugin-subprocess) installed: ")

    def test_row_37_without_strict_kind_it_is_a_warning(self, found, blueprint):
        problem = one(found(blueprint(("a", "ghost"), strategy=CompilerStrategy(strict_kind=False))))

        assert (problem.code, problem.severity) == ("unknown_kind", Severity.WARNING)

    def test_row_37_a_strict_ref_to_an_agent_that_was_dropped_is_an_error(self, found, blueprint):
        lax = CompilerStrategy(strict_kind=False)

        problems = found(blueprint(("a", "ghost"), refs=("a",), strategy=lax))

        assert [(p.code, p.severity) for p in problems] == [
            ("unknown_kind", Severity.WARNING),
            ("unresolved_ref", Severity.ERROR),
        ]
        assert "no installed plugin provides kind 'ghost'" in problems[1].message

    def test_row_37_without_any_strictness_both_are_warnings(self, found, blueprint):
        problems = found(blueprint(("a", "ghost"), refs=("a",), strategy=LAX))

        assert [(p.code, p.severity) for p in problems] == [
            ("unknown_kind", Severity.WARNING),
            ("unresolved_ref", Severity.WARNING),
        ]


class TestSpecs:
    def test_every_fault_of_a_spec_has_its_place(self, found, blueprint):
        problems = found(blueprint(("a", "echo"), ("b", "talk", {"volume": "loud", "vioce": "low"})))

        assert {(p.code, p.path) for p in problems} == {
            ("invalid_spec", "$.agents[1].spec"),
            ("invalid_spec", "$.agents[1].spec.volume"),
            ("invalid_spec", "$.agents[1].spec.vioce"),
        }
        assert all(p.message.startswith("agent 'b' spec invalid: ") for p in problems)

    def test_a_builder_refuses_with_a_value_error(self, found, blueprint):
        problem = one(found(blueprint(("a", "talk", {"voice": "low", "volume": 12}))))

        assert (problem.code, problem.path) == ("invalid_spec", "$.agents[0].spec")
        assert problem.message == "agent 'a' spec invalid: volume goes up to 11"

    def test_row_60_a_function_agent_without_fn_id(self, found, blueprint):
        problem = one(found(blueprint(("a", "rust_fn"))))

        assert (problem.code, problem.path) == ("invalid_spec", "$.agents[0].spec")
        assert problem.message == "agent 'a' spec invalid: rust_fn spec: 'fn_id' (string) required"

    def test_row_60_a_function_agent_with_an_unknown_fn_id(self, found, blueprint):
        problem = one(found(blueprint(("a", "function", {"fn_id": "upp"}))))

        assert problem.message == ("agent 'a' spec invalid: fn_id 'upp' not registered in factory; did you mean 'up'?")

    def test_a_spec_that_is_left_out_is_an_empty_one(self, found, blueprint):
        problem = one(found(blueprint(("a", "talk"))))

        assert (problem.code, problem.path) == ("invalid_spec", "$.agents[0].spec")
        assert problem.message == "agent 'a' spec invalid: TalkSpec lacks the field 'voice'"

    @pytest.mark.parametrize("error", [RuntimeError("boom"), SystemExit(3), BaseException("odd")], ids=repr)
    def test_p34_a_builder_that_fails_is_named_with_its_plugin(self, found, blueprint, error):
        problems = found(blueprint(("a", "broken", error), ("b", "ghost")))

        assert codes(problems) == ["plugin_failed", "unknown_kind"]
        assert "cannot be built by broken (swarm-plugin-broken 2.0)" in problems[0].message
        assert type(error).__name__ in problems[0].message

    def test_p34_ctrl_c_in_a_builder_is_let_through(self, found, blueprint):
        with pytest.raises(KeyboardInterrupt):
            found(blueprint(("a", "broken", KeyboardInterrupt())))

    def test_p34_a_builder_that_builds_no_spawner_is_a_fault_of_its_plugin(self, found, blueprint):
        problem = one(found(blueprint(("a", "nothing"))))

        assert problem.code == "plugin_failed"
        assert "build returned NoneType, not a Spawner" in problem.message

    def test_an_error_of_ours_keeps_its_code_and_hint(self, found, blueprint):
        problem = one(found(blueprint(("a", "unready"))))

        assert (problem.code, problem.hint) == ("spawn_failed", "start it")
        assert "the engine is not there" in problem.message


class TestRefs:
    def test_bp24_a_ref_without_an_agent_names_the_nearest(self, found, blueprint):
        problem = one(found(blueprint(("writer", "echo"), refs=("writer", "wirter"))))

        assert str(problem) == "$.flow.children[1].ref: no agent is named 'wirter'; did you mean 'writer'?"

    def test_row_35_refs_are_found_in_every_body_in_pre_order(self, found, blueprint):
        flow = Seq(
            children=(
                Branch(cond=Path(at="$.yes"), then=step("a1"), else_=step("a2")),
                Loop(counter=Path(at="$.n"), cond=Lit(value=True), body=step("a3"), max=1),
                Fanout(items=Path(at="$.l"), bind=Path(at="$.i"), body=step("a4"), join=Join.ALL, out=Path(at="$.o")),
                Try(body=Seq(children=(step("a5"),)), catch=step("a6")),
                step("a7"),
            )
        )

        problems = found(blueprint(flow=flow))

        assert [p.path for p in problems] == [
            "$.flow.children[0].then.ref",
            "$.flow.children[0].else.ref",
            "$.flow.children[1].body.ref",
            "$.flow.children[2].body.ref",
            "$.flow.children[3].body.children[0].ref",
            "$.flow.children[3].catch.ref",
            "$.flow.children[4].ref",
        ]
        assert set(codes(problems)) == {"unresolved_ref"}

    def test_row_36_without_strict_refs_it_is_a_warning(self, found, blueprint):
        lax = CompilerStrategy(strict_refs=False)

        problem = one(found(blueprint(refs=("ghost",), strategy=lax)))

        assert (problem.code, problem.severity) == ("unresolved_ref", Severity.WARNING)

    def test_row_39_with_a_default_spawner_no_ref_is_unresolved(self, found, blueprint, catalog):
        spawner = catalog.spawners["echo"].build(None, None, AgentHint(), None)

        assert found(blueprint(refs=("ghost",)), default=spawner) == []

    def test_a_ref_to_an_agent_whose_spec_is_wrong_is_not_told_twice(self, found, blueprint):
        assert codes(found(blueprint(("a", "talk"), refs=("a",)))) == ["invalid_spec"]


class TestExterns:
    def flow(self, ref):
        nested = Logic(op="and", args=(Lit(value=True), CallExtern(ref=ref, args=())))
        return Seq(children=(Let(at=Path(at="$.x"), value=nested),))

    def test_a_pure_function_may_be_called(self, found, blueprint):
        assert found(blueprint(flow=self.flow("half"))) == []

    def test_an_unknown_one_is_a_warning_at_its_place(self, found, blueprint):
        problem = one(found(blueprint(flow=self.flow("hlaf"))))

        assert (problem.code, problem.severity) == ("unknown_extern", Severity.WARNING)
        assert str(problem) == (
            "$.flow.children[0].value.args[1].ref: no function is named 'hlaf'; did you mean 'half'?"
        )

    def test_one_that_is_not_pure_says_so(self, found, blueprint):
        problem = one(found(blueprint(flow=self.flow("up"))))

        assert (problem.code, problem.hint) == ("unknown_extern", "mark it with @function(pure=True)")


class TestAllAtOnce:
    def test_one_look_finds_everything(self, found, blueprint, catalog, environment):
        hints = CompilerHints(per_agent={"nobody": AgentHint(timeout="soon")})
        layers = (LayerUse(key="ghost"), LayerUse(key="near", options={"makr": 1}))
        wrong = blueprint(
            ("a", "ghost"),
            ("a", "talk", {"voice": 5}),
            ("w", "operator", {"operator_ref": "nobody"}),
            flow=Seq(children=(step("x"), Let(at=Path(at="$.y"), value=CallExtern(ref="nothing", args=())))),
            hints=hints,
            layers=layers,
        )

        assert codes(found(wrong)) == [
            "unresolved_operator_ref",
            "unknown_kind",
            "duplicate_agent",
            "invalid_spec",
            "unknown_kind",
            "unresolved_ref",
            "invalid_hint",
            "unknown_hint_agent",
            "unknown_layer",
            "invalid_layer_options",
            "unknown_extern",
        ]

    def test_the_functions_of_the_environment_count_not_only_the_catalogs(self, blueprint, catalog, environment):
        sound = blueprint(("a", "function", {"fn_id": "mine"}), refs=("a",))

        assert check(sound, catalog, environment(sound, Function("mine", len))) == []
