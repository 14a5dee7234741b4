"""Paths and expressions that are wrong or hostile, through `swarm check` and through runs (EX 61 to 78)."""

import asyncio

import pytest

from swarm_core import Result, Swarm
from swarm_core.model.task import RunStatus

MIB = 1024 * 1024


def arith(op, a, b):
    return {"op": op, "lhs": a, "rhs": b}


def call(ref, *args):
    return {"op": "call_extern", "ref": ref, "args": list(args)}


def facts(result):
    return result.error["kind"], result.error.get("op")


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "column"),
        [
            ("$foo", 2),
            ("foo.bar", 1),
            ("", 1),
            ("$.a..b", 5),
            ("$[", 2),
            ("$.a[", 4),
            ("$['a", 2),
            ("$['a']", 2),
            ("$[1e3]", 2),
            ("$[01]", 2),
            ("$[-0]", 2),
            ("$.a.", 5),
            ("$.", 3),
            ("$ .a", 2),
        ],
    )
    @pytest.mark.parametrize("place", ["read", "write"])
    def test_ex61_a_malformed_path_is_told_with_its_column(self, cli, write, flow, path, column, place):
        node = flow.let("$.x", flow.path(path)) if place == "read" else flow.let(path, flow.lit(1))

        ended = cli("check", write("a.json", flow.blueprint(node)), "--json")

        (problem,) = ended.problems
        assert (3, "bad_path") == (ended.code, problem["code"])
        assert f"malformed path {path!r} at column {column}: " in problem["message"]

    def test_ex61_an_index_from_the_end_is_a_path(self, run_flow, flow):
        """`[-1]` is ours: the last element; past the start it is not found."""
        last = run_flow(flow.let("$.last", flow.path("$.l[-1]")), {"l": [1, 2]})
        before = run_flow(flow.let("$.last", flow.path("$.l[-3]")), {"l": [1, 2]})

        assert 2 == last.final_ctx["last"]
        assert "PathNotFound" == before.error["kind"]

    @pytest.mark.parametrize("path", ["$" + ".a" * 100_000, "$" + "[0]" * 100_000])
    def test_ex62_a_path_has_a_limit(self, cli, write, flow, path):
        ended = cli("check", write("a.json", flow.blueprint(flow.let("$.x", flow.path(path)))), "--json")

        (problem,) = ended.problems
        assert "bad_path" == problem["code"]
        assert "at most 1,000 segments" in problem["message"]
        assert len(problem["message"]) < 300

    @pytest.mark.parametrize("path", ["$.__proto__", "$.__class__", "$.a.__globals__", "$.a.keys", "$.a.__dict__"])
    def test_ex63_names_of_attributes_are_plain_keys(self, run_flow, flow, path):
        result = run_flow(flow.let("$.x", flow.path(path)), {"a": {}})

        assert "PathNotFound" == result.error["kind"]

    def test_ex64_a_missing_key_can_be_caught_and_does_not_exist(self, run_flow, flow):
        caught = run_flow(flow.attempt(flow.let("$.x", flow.path("$.a.b"))))
        asked = run_flow(flow.let("$.x", {"op": "exists", "arg": flow.path("$.a.b")}))

        assert {"why": "path not found: $.a.b"} == caught.final_ctx
        assert {"x": False} == asked.final_ctx

    def test_ex65_nothing_is_written_through_a_scalar(self, run_flow, flow):
        result = run_flow(flow.attempt(flow.let("$.a.b", flow.lit(1))), {"a": 1})

        assert 1 == result.final_ctx["a"]
        assert "before 'b' stands the number 1, not an object" in result.final_ctx["why"]

    def test_ex66_writing_at_a_huge_index_makes_nothing(self, run_flow, flow):
        result = run_flow(flow.attempt(flow.let(f"$.l[{10**9}]", flow.lit(1))), {"l": [0]})

        assert [0] == result.final_ctx["l"]
        assert "the array has 1 elements" in result.final_ctx["why"]


class TestValues:
    @pytest.mark.parametrize(
        ("op", "a", "b"), [("div", 1, 0), ("mod", 1, 0), ("mul", 1e308, 10), ("add", 1.7e308, 1.7e308)]
    )
    def test_ex67_what_has_no_finite_result_is_an_arith_error(self, run_flow, flow, op, a, b):
        result = run_flow(flow.let("$.x", arith(op, flow.lit(a), flow.lit(b))))

        assert ("ArithError", op) == facts(result)

    def test_ex68_numbers_are_compared_as_binary64(self, run_flow, flow):
        """So the two neighbours are one number; as values they stay what they are."""
        pair = {"a": 2**53 + 1, "b": 2**53}

        result = run_flow(flow.let("$.same", arith("eq", flow.path("$.a"), flow.path("$.b"))), pair)

        assert {**pair, "same": True} == result.final_ctx

    @pytest.mark.parametrize(
        ("op", "a", "b", "blamed"),
        [
            ("lt", "1", 2, "cmp"),
            ("lt", None, 1, "cmp"),
            ("lt", [1], [2], "cmp"),
            ("lte", True, 1, "cmp"),
            ("add", True, 1, "add"),
            ("add", "1", 1, "add"),
        ],
    )
    def test_ex69_values_of_other_types_are_a_type_error(self, run_flow, flow, op, a, b, blamed):
        assert ("TypeError", blamed) == facts(run_flow(flow.let("$.x", arith(op, flow.lit(a), flow.lit(b)))))

    @pytest.mark.parametrize("value", [5, None, True])
    def test_ex70_scalars_have_no_length(self, run_flow, flow, value):
        assert ("TypeError", "expr.len") == facts(run_flow(flow.let("$.x", {"op": "len", "arg": flow.lit(value)})))

    def test_ex70_texts_are_as_long_as_their_code_points(self, run_flow, flow):
        result = run_flow(flow.let("$.x", {"op": "len", "arg": flow.lit("e\u0301👩‍🚀")}))

        assert 5 == result.final_ctx["x"]

    @pytest.mark.parametrize("cond", [0, 1, "true", None, []])
    def test_ex73_a_condition_is_true_or_false(self, run_flow, flow, cond):
        node = {"kind": "branch", "cond": flow.lit(cond), "then": flow.nothing, "else": flow.nothing}

        assert "NonBoolCond" == run_flow(node).error["kind"]

    @pytest.mark.parametrize("haystack", [{"a": 1}, "abc", None])
    def test_ex74_only_arrays_have_members(self, run_flow, flow, haystack):
        node = flow.let("$.x", {"op": "in", "needle": flow.lit("a"), "haystack": flow.lit(haystack)})

        assert ("TypeError", "expr.in") == facts(run_flow(node))


class TestSize:
    def test_ex71_a_hundred_thousand_operands_are_refused_when_read(self, cli, write, flow):
        node = flow.let("$.x", {"op": "and", "args": [flow.lit(1)] * 100_000})

        ended = cli("check", write("a.json", flow.blueprint(node)), "--json")

        assert (3, "too_large") == (ended.code, ended.problems[0]["code"])

    @pytest.mark.parametrize(("levels", "told"), [(201, "at most 200 levels"), (10_000, "at most 500 levels")])
    def test_ex71_deep_expressions_are_refused_when_read(self, cli, write, levels, told):
        text = '{"op": "not", "arg": ' * levels + '{"op": "lit", "value": 1}' + "}" * levels

        ended = cli(
            "check",
            write("a.json", f'{{"id": "x", "flow": {{"kind": "let", "at": "$.x", "value": {text}}}}}'),
            "--json",
        )

        assert (3, "too_deep") == (ended.code, ended.problems[0]["code"])
        assert told in ended.problems[0]["message"]

    def test_ex75_a_text_that_doubles_cannot_be_handed_to_a_step(self, run_flow, flow):
        double = flow.let("$.s", call("join", flow.path("$.s"), flow.path("$.s")))
        steps = flow.seq(flow.loop(15, double), {**flow.step("echo"), "in": flow.path("$.s")})

        result = run_flow(steps, {"s": "x" * 1024}, pure={"join": lambda a, b: a + b}, echo=lambda given: given)

        assert ("LimitError", "max_value_bytes") == facts(result)

    @pytest.mark.parametrize("rounds", [30, 60])
    def test_ex75_a_ctx_that_doubles_is_not_printed(self, cli, write, flow, rounds):
        """Each round puts the whole ctx into itself twice; only on paper is it large, and it stays off it."""
        node = flow.loop(rounds, flow.fanout(flow.lit([1, 2]), flow.nothing))

        ended = cli("run", write("a.json", flow.blueprint(node)), "--json", "--quiet")

        assert (1, "LimitError", "max_ctx_bytes") == (
            ended.code,
            ended.json["error"]["kind"],
            ended.json["error"]["op"],
        )

    def test_ex75_a_ctx_that_nests_without_end_is_refused(self, run_flow, flow):
        result = run_flow(flow.loop(500, flow.fanout(flow.lit([1]), flow.nothing)))

        assert ("LimitError", "max_depth") == facts(result)


class TestControl:
    @pytest.mark.parametrize("written", [-100, 100, None, "text"])
    def test_ex76_the_loops_own_count_wins_over_what_the_body_writes(self, run_flow, flow, written):
        body = flow.seq(flow.let("$.n", flow.lit(written)), flow.step("count", "$.seen"))
        seen = []

        result = run_flow(flow.loop(3, body), count=lambda given: seen.append(1))

        assert (3, 3) == (result.final_ctx["n"], len(seen))

    async def test_ex77_cancel_is_not_caught_by_try(self, flow):
        """Not by nested ones in a loop either, and not when the catch would answer for the step."""
        began = asyncio.Event()

        async def hang(given):
            began.set()
            await asyncio.Event().wait()

        node = flow.loop(5, flow.attempt(flow.attempt(flow.step("hang")), flow.let("$.out", flow.lit("caught"))))
        async with Swarm.open(plugins=(), functions={"hang": hang}) as swarm:
            launched = await swarm.launch(flow.blueprint(node, "hang"))
            await began.wait()
            result = await launched.cancel()

        assert (RunStatus.CANCELLED, None, 1) == (result.status, result.final_ctx, result.counts["tasks"])

    def test_ex78_an_error_in_catch_propagates(self, run_flow, flow):
        node = flow.attempt(
            flow.let("$.x", flow.path("$.none")), flow.let("$.x", arith("div", flow.lit(1), flow.lit(0)))
        )

        result = run_flow(node)

        assert ("ArithError", "div") == facts(result)

    @pytest.mark.parametrize("how", ["raises", "blocks"])
    def test_ex78_the_text_of_an_error_is_cut_at_4_kib(self, run_flow, flow, how):
        def bad(given):
            if how == "raises":
                raise ValueError("y" * 10 * MIB)
            return Result("y" * 10 * MIB, ok=False)

        caught = run_flow(flow.attempt(flow.step("bad")), bad=bad)
        failed = run_flow(flow.step("bad"), bad=bad)

        assert 4000 < len(caught.final_ctx["why"].encode()) <= 4096 + 100
        assert len(failed.error["message"]) <= 4096 + 100


class TestExterns:
    @pytest.mark.parametrize(
        ("ref", "told"),
        [
            ("hlaf", "extern 'hlaf' is not registered; did you mean 'half'?"),
            ("impure", "extern 'impure' is not registered"),
            ("fails", "extern 'fails' failed: no luck"),
            ("odd", "'odd' answered with what is no JSON value"),
            ("nan", "'nan' answered with what is no JSON value"),
        ],
    )
    def test_ex72_an_extern_that_is_missing_or_fails_is_a_named_error_that_try_catches(self, run_flow, flow, ref, told):
        def fails():
            raise ValueError("no luck")

        pure = {"half": lambda n: n / 2, "fails": fails, "odd": object, "nan": lambda: float("nan")}
        node = flow.let("$.x", call(ref))

        failed = run_flow(node, pure=pure, impure=lambda: 1)
        caught = run_flow(flow.attempt(node), pure=pure, impure=lambda: 1)

        assert ("ExternError", ref) == (failed.error["kind"], failed.error["ref"])
        assert told in caught.final_ctx["why"]

    @pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), BaseException("odd")], ids=repr)
    def test_ex72_p34_an_extern_that_leaves_ends_its_run_and_nothing_else(self, run_flow, flow, error):
        def leave():
            raise error

        result = run_flow(flow.let("$.x", call("leave")), pure={"leave": leave})

        assert RunStatus.FAILED == result.status
        assert type(error).__name__ in result.error["message"] or str(error) in result.error["message"]

    def test_ex72_check_tells_an_unknown_and_an_impure_extern(self, cli, write, flow):
        write("swarmfile.py", "from swarm_core import function\n\n@function\ndef impure():\n    return 1\n")
        node = flow.seq(flow.let("$.a", call("none")), flow.let("$.b", call("impure")))

        ended = cli("check", write("a.json", flow.blueprint(node)), "--json")

        assert 0 == ended.code
        assert [
            ("unknown_extern", "warning", "$.flow.children[0].value.ref"),
            ("unknown_extern", "warning", "$.flow.children[1].value.ref"),
        ] == [(p["code"], p["severity"], p["path"]) for p in ended.problems]
