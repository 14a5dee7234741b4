"""What each lint finds, what it leaves alone, and how levels decide what is told of it."""

from __future__ import annotations

import pytest
from attrs import evolve

from swarm_core.compile import check, compile_blueprint
from swarm_core.compile.lints import DEFAULTS, LINTS, Levels, lint, read_levels
from swarm_core.errors import InvalidBlueprint
from swarm_core.model.blueprint import (
    AgentDef,
    AgentHint,
    Blueprint,
    BlueprintMetadata,
    CompilerHints,
    OperatorDef,
    SubprocessDef,
    VerdictContract,
)
from swarm_core.model.budget import Budget
from swarm_core.model.parse import parse_node
from swarm_core.model.problem import Severity
from swarm_core.settings import Settings

EVERYTHING = Levels(of=dict.fromkeys(DEFAULTS, "warn"))
NOTHING = {"kind": "seq", "children": []}


def path(at):
    return {"op": "path", "at": at}


def lit(value):
    return {"op": "lit", "value": value}


def eq(at, value, op="eq"):
    return {"op": op, "lhs": path(at), "rhs": lit(value)}


def step(ref, out, in_="$.in"):
    return {"kind": "step", "ref": ref, "in": path(in_), "out": path(out)}


def let(at, value):
    return {"kind": "let", "at": at, "value": value if isinstance(value, dict) else lit(value)}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def branch(cond, then=NOTHING, other=NOTHING):
    return {"kind": "branch", "cond": cond, "then": then, "else": other}


def loop(cond, body, most=3):
    return {"kind": "loop", "counter": path("$.n"), "cond": cond, "body": body, "max": most}


def fanout(body, items=None, join="all", out="$.lanes"):
    return {
        "kind": "fanout",
        "items": items or path("$.items"),
        "bind": path("$.item"),
        "body": body,
        "join": join,
        "out": path(out),
    }


def attempt(body, catch=NOTHING, err_at="$.why"):
    return {"kind": "try", "body": body, "catch": catch, "err_at": path(err_at)}


def blueprint(flow, *agents, **fields):
    return Blueprint(id="b", flow=parse_node(flow), agents=agents, **fields)


def agent(name, *values, path="$"):
    return AgentDef(name=name, kind="k", verdict=VerdictContract(values=values, path=path) if values else None)


def found(flow, code, *agents, levels=EVERYTHING, **fields):
    """Return the places, below the flow, of what a lint finds."""
    problems = lint(blueprint(flow, *agents, **fields), levels)
    return [problem.path.removeprefix("$.flow.") for problem in problems if problem.code == code]


class TestUnreachable:
    @pytest.mark.parametrize(
        ("flow", "places"),
        [
            (branch(lit(True), step("a", "$.x"), step("b", "$.x")), ["else"]),
            (branch(lit(False), step("a", "$.x"), step("b", "$.x")), ["then"]),
            (branch({"op": "not", "arg": lit(None)}, NOTHING, step("b", "$.x")), ["else"]),
            (branch({"op": "eq", "lhs": lit(1), "rhs": lit(2)}, step("a", "$.x")), ["then"]),
            (branch({"op": "and", "args": [eq("$.a", 1), lit(False)]}, step("a", "$.x")), ["then"]),
            (branch({"op": "or", "args": [lit(True), eq("$.a", 1)]}, NOTHING, step("a", "$.x")), ["else"]),
            (loop(lit(False), step("a", "$.x")), ["body"]),
            (loop(eq("$.a", 1), step("a", "$.x"), most=0), ["body"]),
            (fanout(step("a", "$.x"), items=lit([])), ["body"]),
            (attempt(seq(), step("a", "$.x")), ["catch"]),
            (branch(lit(True), NOTHING, seq(let("$.x", 1), step("a", "$.x"))), ["else.children[1]"]),
        ],
    )
    def test_what_no_data_lead_to_is_found(self, flow, places):
        assert places == found(flow, "unreachable_step")

    @pytest.mark.parametrize(
        "flow",
        [
            branch(eq("$.a", 1), step("a", "$.x"), step("b", "$.x")),
            branch(lit(True), step("a", "$.x")),
            branch({"op": "and", "args": [eq("$.a", 1), lit(True)]}, step("a", "$.x"), step("b", "$.x")),
            branch({"op": "call_extern", "ref": "f", "args": []}, step("a", "$.x"), step("b", "$.x")),
            branch({"op": "lt", "lhs": lit(1), "rhs": lit("x")}, step("a", "$.x"), step("b", "$.x")),
            loop(lit(True), step("a", "$.x")),
            fanout(step("a", "$.x"), items=lit([1])),
            attempt(let("$.a.b", 1), step("a", "$.x")),
        ],
    )
    def test_what_may_be_reached_is_left_alone(self, flow):
        assert [] == found(flow, "unreachable_step")

    def test_all_steps_of_a_part_are_one_problem(self):
        (problem,) = lint(
            blueprint(branch(lit(True), NOTHING, seq(*[step("a", "$.x")] * 3))),
            evolve(EVERYTHING, of={**DEFAULTS, "agent_never_used": "allow"}),
        )

        assert problem.message == (
            "the step of 'a' is never reached, nor are the 2 after it: the condition of its branch is always true"
        )


class TestUnread:
    LOST = seq(step("a", "$.draft"), step("b", "$.draft"), step("c", "$.end", "$.draft"))

    def test_what_is_overwritten_unread_is_found_with_what_overwrites_it(self):
        (problem,) = [
            problem for problem in lint(blueprint(self.LOST), EVERYTHING) if problem.code == "output_never_read"
        ]

        assert "$.flow.children[0].out" == problem.path
        assert "what 'a' writes at $.draft is overwritten at $.flow.children[1].out" in problem.message

    @pytest.mark.parametrize(
        ("flow", "places"),
        [
            (seq(step("a", "$.d.x"), let("$.d", {"op": "path", "at": "$.in"}), step("c", "$.e", "$.d")), [0]),
            (seq(step("a", "$.d"), branch(eq("$.q", 1), let("$.d", 1), let("$.d", 2)), step("c", "$.e", "$.d")), [0]),
            (seq(step("a", "$.n"), loop({"op": "lt", **{"lhs": path("$.n"), "rhs": lit(2)}}, NOTHING)), [0]),
            (seq(step("a", "$.d"), loop(eq("$.n", 0), let("$.e", 1)), let("$.d", 1), step("c", "$.e", "$.d")), [0]),
            (seq(step("a", "$.why"), attempt(let("$.why", 1)), step("c", "$.e", "$.why")), [0]),
            (seq(step("a", "$.d"), {**step("b", "$"), "in": lit(1)}, step("c", "$.e", "$.d")), [0]),
        ],
    )
    def test_it_is_found_on_all_ways(self, flow, places):
        assert [f"children[{at}].out" for at in places] == found(flow, "output_never_read")

    @pytest.mark.parametrize(
        "flow",
        [
            seq(step("a", "$.d"), step("b", "$.d", "$.d")),  # read by what overwrites it
            seq(step("a", "$.d"), step("b", "$.e", "$"), step("c", "$.d"), step("x", "$.f", "$.d")),  # read as a whole
            seq(step("a", "$.d"), step("b", "$.e", "$.d.x"), step("c", "$.d"), step("x", "$.f", "$.d")),
            seq(step("a", "$.d"), branch(eq("$.q", 1), let("$.d", 1)), step("c", "$.e", "$.d")),  # one way keeps it
            seq(step("a", "$.d"), loop(eq("$.n", 0), let("$.d", 1)), step("c", "$.e", "$.d")),
            seq(step("a", "$.d"), loop(eq("$.n", 0), step("b", "$.q", "$.d")), let("$.d", 1), step("c", "$.e", "$.d")),
            seq(step("a", "$.d"), loop(eq("$.d", 0), step("b", "$.q")), let("$.d", 1), step("c", "$.e", "$.d")),
            seq(step("a", "$.d"), let("$.d.x", 1), let("$.d", 1), step("c", "$.e", "$.d")),  # something to write in
            seq(step("a", "$.d"), let("$.d[0]", 1), step("c", "$.e", "$.d")),
            seq(step("a", "$.d"), attempt(step("b", "$.d")), step("c", "$.e", "$.d")),  # the catch has it back
            seq(step("a", "$.d"), fanout(step("b", "$.q")), let("$.d", 1), step("c", "$.e", "$.d")),  # lanes keep it
            seq(step("a", "$.x"), step("b", "$.x"), step("c", "$.x")),  # nobody reads it: no use is meant
            seq(step("a", "$.x"), step("b", "$.y")),  # what is there at the end is the result
        ],
    )
    def test_what_may_be_read_is_left_alone(self, flow):
        assert [] == found(flow, "output_never_read")


class TestLoops:
    def test_a_condition_that_nothing_changes_is_found(self):
        flow = loop(eq("$.verdict", "FIX"), step("a", "$.review"))

        assert ["cond"] == found(flow, "loop_condition_fixed")

    def test_what_lanes_write_changes_nothing(self):
        flow = loop(eq("$.verdict", "FIX"), fanout(step("a", "$.verdict")))

        assert ["cond"] == found(flow, "loop_condition_fixed")

    @pytest.mark.parametrize(
        "flow",
        [
            loop(eq("$.verdict", "FIX"), step("a", "$.verdict")),
            loop(eq("$.review.verdict", "FIX"), step("a", "$.review")),
            loop(eq("$.review", "FIX"), step("a", "$.review.verdict")),
            loop(eq("$.n", 1), step("a", "$.x")),
            loop(eq("$.l[0]", 1), step("a", "$.l[-1]")),
            loop(lit(True), step("a", "$.x")),
            loop(eq("$.verdict", "FIX"), step("a", "$.x"), most=1),
            loop(eq("$.lanes", 1), fanout(step("a", "$.x"))),
        ],
    )
    def test_one_that_may_change_is_left_alone(self, flow):
        assert [] == found(flow, "loop_condition_fixed")


class TestLanes:
    LOST = seq(fanout(step("a", "$.review")), step("b", "$.end", "$.review.score"))

    def test_what_only_lanes_have_written_is_found_where_it_is_read(self):
        (problem,) = [p for p in lint(blueprint(self.LOST), EVERYTHING) if p.code == "lane_write_lost"]

        assert "$.flow.children[1].in" == problem.path
        assert "read it from $.lanes, where the join puts what it keeps of the lanes" == problem.hint

    @pytest.mark.parametrize(
        "flow",
        [
            seq(fanout(step("a", "$.review")), step("b", "$.end", "$.lanes")),
            seq(step("x", "$.review"), fanout(step("a", "$.review")), step("b", "$.end", "$.review")),
            seq(fanout(step("a", "$.review"), out="$.review"), step("b", "$.end", "$.review")),
            seq(fanout(step("a", "$.review"), out="$"), step("b", "$.end", "$.review")),
            seq(fanout(seq(step("a", "$.review"), step("b", "$.end", "$.review")))),
            seq(fanout(step("a", "$.review")), step("b", "$.end", "$")),
            seq(step("b", "$.end", "$.review"), fanout(step("a", "$.review"))),
            branch(eq("$.q", 1), fanout(step("a", "$.review")), step("b", "$.end", "$.review")),
        ],
    )
    def test_what_comes_from_elsewhere_is_left_alone(self, flow):
        assert [] == found(flow, "lane_write_lost")

    def test_what_the_flow_starts_with_is_left_alone(self):
        assert [] == found(self.LOST, "lane_write_lost", default_init_ctx={"review": {"score": 1}})


class TestBounds:
    MANY, OPEN = loop(lit(True), step("a", "$.x"), most=10_001), fanout(step("a", "$.x"))

    def test_many_dispatches_and_any_number_are_told_apart(self):
        assert ["$.flow"] == found(self.MANY, "dispatch_bound_high")
        assert [] == found(self.OPEN, "dispatch_bound_high")
        assert ["$.flow"] == found(self.OPEN, "dispatch_bound_open")

    @pytest.mark.parametrize("budget", [Budget(dispatches=5), Budget(attempts=5)])
    def test_a_budget_bounds_them(self, budget):
        assert [] == found(self.MANY, "dispatch_bound_high", budget=budget)
        assert [] == found(self.OPEN, "dispatch_bound_open", budget=budget)

    def test_a_budget_of_other_things_does_not(self):
        (problem,) = [
            p for p in lint(blueprint(self.OPEN, budget=Budget(depth=2)), EVERYTHING) if p.code == "dispatch_bound_open"
        ]

        assert ({"op": "add", "path": "/budget/dispatches", "value": 10_000},) == problem.fix


class TestNames:
    def one(self, code, **fields):
        flow = fields.pop("flow", NOTHING)
        agents = fields.pop("agents", ())
        (problem,) = [p for p in lint(blueprint(flow, *agents, **fields), EVERYTHING) if p.code == code]
        return problem

    def test_an_agent_that_no_step_names(self):
        hints = CompilerHints(per_agent={"b": AgentHint(concurrency=1)})

        problem = self.one("agent_never_used", flow=step("a", "$.x"), agents=(agent("a"), agent("b")), hints=hints)

        assert ("$.agents[1]", "/agents/1", "/hints/per_agent/b") == (
            problem.path, *(operation["path"] for operation in problem.fix),
        )  # fmt: skip

    def test_a_seat_that_no_agent_names(self):
        seats = (OperatorDef(name="lead"), OperatorDef(name="spare"))
        worker = AgentDef(name="w", kind="operator", spec={"operator_ref": "lead"})

        problem = self.one("operator_never_used", agents=(worker,), operators=seats)

        assert ("$.operators[1]", {"op": "remove", "path": "/operators/1"}) == (problem.path, *problem.fix)

    def test_a_command_that_no_agent_names(self):
        commands = (SubprocessDef(name="used", command=("x",)), SubprocessDef(name="spare", command=("x",)))
        worker = AgentDef(name="w", kind="subprocess", spec={"template": "used"})

        problem = self.one("template_never_used", agents=(worker,), subprocesses=commands)

        assert "$.subprocesses[1]" == problem.path

    def test_an_agent_that_hints_and_launch_bind_to_different_kinds(self):
        hints = CompilerHints(per_agent={"a": AgentHint(bind="fake")})
        bound = blueprint(step("a", "$.x"), agent("a"), hints=hints)

        twice, once = (
            [p.path for p in lint(bound, EVERYTHING, bind=bind) if p.code == "agent_bound_twice"]
            for bind in ({"a": "lua"}, {"a": "fake"})
        )

        assert (["$.hints.per_agent.a.bind"], []) == (twice, once)

    def test_a_description_that_is_missing(self):
        assert "$.metadata" == self.one("description_missing").path
        described = blueprint(NOTHING, metadata=BlueprintMetadata(description="why"))
        assert [] == [p for p in lint(described, EVERYTHING) if p.code == "description_missing"]


class TestVerdicts:
    JUDGE = agent("judge", "pass", "fix", "blocked")

    def strangers(self, *nodes, agents=None):
        return found(seq(*nodes), "verdict_value_not_in_contract", *(agents or (self.JUDGE,)))

    @pytest.mark.parametrize(
        ("cond", "place"),
        [
            (eq("$.v", "Blocked."), "cond.rhs.value"),
            (eq("$.v", "PASS", op="ne"), "cond.rhs.value"),
            ({"op": "eq", "lhs": lit("ok"), "rhs": path("$.v")}, "cond.lhs.value"),
            ({"op": "in", "needle": path("$.v"), "haystack": lit(["pass", "ok"])}, "cond.haystack.value[1]"),
            (eq("$.v", True), "cond.rhs.value"),
            (eq("$.v", ["pass"]), "cond.rhs.value"),
            ({"op": "and", "args": [lit(1), {"op": "not", "arg": eq("$.v", "x")}]}, "cond.args[1].arg.rhs.value"),
        ],
    )  # fmt: skip
    def test_a_literal_that_cannot_come_is_found(self, cond, place):
        assert [f"children[1].{place}"] == self.strangers(step("judge", "$.v"), branch(cond))

    @pytest.mark.parametrize(
        "nodes",
        [
            (step("judge", "$.v"), let("$.w", path("$.v")), branch(eq("$.w", "x"))),
            (step("judge", "$.v"), let("$.r.w", path("$.v")), let("$.q", path("$.r")), branch(eq("$.q.w", "x"))),
            (let("$.v", "fix"), loop(eq("$.v", "x"), step("judge", "$.v"))),
            (step("judge", "$.v"), attempt(step("judge", "$.v"), step("judge", "$.v")), branch(eq("$.v", "x"))),
            (branch(eq("$.q", 1), step("judge", "$.v"), step("judge", "$.v")), branch(eq("$.v", "x"))),
            (fanout(step("judge", "$.v"), join="any", out="$.best"), branch(eq("$.best.v", "x"))),
            (fanout(seq(step("judge", "$.v"), branch(eq("$.v", "x")))),),
            (step("judge", "$.v"), {**step("other", "$.o"), "in": eq("$.v", "x")}),
        ],
    )
    def test_the_verdict_is_followed(self, nodes):
        assert 1 == len(self.strangers(*nodes))

    @pytest.mark.parametrize(
        "nodes",
        [
            (step("judge", "$.v"), branch(eq("$.v", "pass"))),
            (branch(eq("$.v", "x")), step("judge", "$.v")),
            (step("judge", "$.v"), step("other", "$.v"), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), branch(eq("$.q", 1), step("other", "$.v")), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), let("$.v", "x"), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), branch(eq("$.q", 1), let("$.v", "x")), branch(eq("$.v", "x"))),
            (loop(eq("$.v", "x"), step("judge", "$.v")),),
            (step("judge", "$.v"), loop(eq("$.n", 1), let("$.v", "x")), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), attempt(step("other", "$.v")), branch(eq("$.v", "x"))),
            (fanout(step("judge", "$.v")), branch(eq("$.v", "x"))),
            (fanout(step("judge", "$.v"), join="all", out="$.best"), branch(eq("$.best.v", "x"))),
            (step("judge", "$.v"), attempt(NOTHING, err_at="$.v"), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), branch(eq("$.v.w", "x"))),
            (step("judge", "$.v[0]"), branch(eq("$.v", "x"))),
            (step("judge", "$.v"), branch({"op": "lt", "lhs": path("$.v"), "rhs": lit("x")})),
        ],
    )
    def test_what_is_not_known_is_not_held_against_a_condition(self, nodes):
        assert [] == self.strangers(*nodes)

    def test_the_values_stand_below_the_path_of_the_contract(self):
        judge = agent("judge", "pass", path='$.review["the verdict"]')

        assert ["children[1].cond.rhs.value"] == self.strangers(
            step("judge", "$.r"), branch(eq('$.r.review["the verdict"]', "x")), agents=(judge,)
        )
        assert [] == self.strangers(step("judge", "$.r"), branch(eq("$.r.review", "x")), agents=(judge,))

    def test_the_nearest_value_is_the_fix(self):
        bad = blueprint(seq(step("judge", "$.v"), branch(eq("$.v", "BLOCKED."))), self.JUDGE)

        problem = next(iter(lint(bad, Levels(of=DEFAULTS))))

        assert Severity.ERROR is problem.severity
        assert "did you mean 'blocked'? the contract has 'pass', 'fix' and 'blocked'" == problem.hint
        assert ({"op": "replace", "path": "/flow/children/1/cond/rhs/value", "value": "blocked"},) == problem.fix

    @pytest.mark.parametrize(
        ("named", "told"),
        [((), False), (("pass",), True), (("pass", "fix"), False), (("pass", "fix", "blocked"), False), ("x", False)],
    )
    def test_two_values_that_go_the_same_way_are_told(self, named, told):
        flow = seq(step("judge", "$.v"), *(branch(eq("$.v", value)) for value in named), step("o", "$.x", "$.v"))

        assert told == bool(found(flow, "verdict_value_unhandled", self.JUDGE))

    def test_a_loop_and_a_list_name_values_too(self):
        within = {"op": "in", "needle": path("$.v"), "haystack": lit(["pass", "fix"])}

        assert [] == found(loop(within, step("judge", "$.v")), "verdict_value_unhandled", self.JUDGE)

    @pytest.mark.parametrize(
        ("flow", "told"),
        [
            (step("judge", "$.v"), True),
            (seq(step("judge", "$.v"), step("o", "$.x", "$.w")), True),
            (seq(step("judge", "$.v"), step("o", "$.x", "$")), False),
            (seq(step("judge", "$.v"), step("o", "$.x", "$.v")), False),
            (fanout(step("judge", "$.v")), False),
            (step("o", "$.x"), False),
        ],
    )
    def test_a_verdict_that_nothing_reads_is_told(self, flow, told):
        assert told == bool(found(flow, "verdict_never_read", self.JUDGE))


class TestLevels:
    def levels(self, lints=None, settings=None, flags=None):
        told = {f"lints.{code}": "flag" for code in flags or {}}
        given = Settings(lints={**(settings or {}), **(flags or {})}, origins=told)
        return read_levels(blueprint(NOTHING, metadata=BlueprintMetadata(lints=lints or {})), given)

    def test_a_flag_counts_before_the_blueprint_and_that_before_the_settings(self):
        code = "unreachable_step"

        assert "warn" == self.levels().of[code]
        assert "deny" == self.levels(settings={code: "deny"}).of[code]
        assert "allow" == self.levels({code: "allow"}, settings={code: "deny"}).of[code]
        assert "deny" == self.levels({code: "allow"}, flags={code: "deny"}).of[code]

    def test_an_unknown_code_is_a_warning_where_it_stands(self):
        of_blueprint, of_settings = self.levels(
            {"unreachable_stp": "warn"}, settings={"unknown_kind": "allow"}
        ).problems

        assert ("unknown_lint", Severity.WARNING, "$.metadata.lints.unreachable_stp") == (
            of_blueprint.code, of_blueprint.severity, of_blueprint.path,
        )  # fmt: skip
        assert "did you mean 'unreachable_step'?" == of_blueprint.hint
        assert ("lints.unknown_kind", "settings") == (of_settings.path, of_settings.file)

    def test_hard_errors_cannot_be_silenced(self, catalog, environment, blueprint):
        wrong = blueprint(("a", "ghost"), metadata=BlueprintMetadata(lints={"unknown_kind": "allow"}))

        codes = [problem.code for problem in check(wrong, catalog, environment(wrong))]

        assert ["unknown_kind", "unknown_lint"] == codes

    @pytest.mark.parametrize(("level", "severity"), [("warn", "warning"), ("deny", "error"), ("allow", None)])
    def test_a_level_says_how_a_lint_is_told(self, level, severity):
        flow = branch(lit(True), NOTHING, step("a", "$.x"))
        levels = Levels(of={**dict.fromkeys(DEFAULTS, "allow"), "unreachable_step": level})

        assert ([] if severity is None else [severity]) == [str(p.severity) for p in lint(blueprint(flow), levels)]

    def test_a_launch_looks_only_for_what_is_denied(self, catalog, environment, blueprint):
        flow = parse_node(branch(lit(True), NOTHING, step("a", "$.x")))
        warned = blueprint(("a", "echo"), flow=flow)
        denied = evolve(warned, metadata=BlueprintMetadata(lints={"unreachable_step": "deny"}))

        assert () == compile_blueprint(warned, catalog, environment(warned)).problems
        with pytest.raises(InvalidBlueprint, match="never reached"):
            compile_blueprint(denied, catalog, environment(denied))

    def test_a_name_that_is_misspelt_where_it_is_used_does_not_make_another_one_unused(
        self, catalog, environment, blueprint
    ):
        wrong = blueprint(("writer", "echo"), refs=("wirter",))
        told = environment(wrong, settings=Settings(lints={"agent_never_used": "deny"}))

        assert ["unresolved_ref"] == [problem.code for problem in check(wrong, catalog, told)]

    def test_what_is_left_of_a_broken_document_is_not_linted(self, catalog, environment, blueprint):
        left = blueprint(("a", "echo"), flow=parse_node(branch(lit(True), NOTHING, step("a", "$.x"))))

        assert [] == check(left, catalog, environment(left), partial=True)

    @pytest.mark.parametrize("code", LINTS)
    def test_every_lint_says_what_it_looks_for_and_what_to_do(self, code):
        assert (code, True, True) == (LINTS[code].code, bool(LINTS[code].summary), bool(LINTS[code].advice))
        assert LINTS[code].level in ("allow", "note", "warn", "deny")


def test_large_flows_are_linted_in_reasonable_work():
    """Ten thousand nodes, branches within loops within fan-outs: nothing grows with their square."""
    inner = seq(*(step("judge", f"$.v{i}") for i in range(40)), *(branch(eq(f"$.v{i}", "x")) for i in range(40)))
    flow = seq(*(fanout(loop(eq("$.v1", "y"), inner)) for _ in range(60)))

    problems = list(lint(blueprint(flow, agent("judge", "pass", "x")), EVERYTHING))

    assert problems
