"""What one evaluation may do: rows 71, 75 and 76 of the bad inputs, P32 and P36; and flows as deep as they may be."""

import json

import pytest

from swarm_core.errors import FlowError
from swarm_core.flow import Limits, compile_flow, evaluate, measure
from swarm_core.model.nodes import Let, Lit, Not, Path, Seq


def read(path):
    return {"op": "path", "at": path}


def lit(value):
    return {"op": "lit", "value": value}


def let(path, value):
    return {"kind": "let", "at": path, "value": value}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def loop(body, most, counter="$.i", cond=True):
    return {"kind": "loop", "counter": read(counter), "cond": lit(cond), "body": body, "max": most}


def step(in_="$", out="$.out"):
    return {"kind": "step", "ref": "work", "in": read(in_), "out": read(out)}


def caught(body):
    return {"kind": "try", "body": body, "catch": let("$.caught", lit(True)), "err_at": read("$.why")}


DOUBLE = seq(let("$.t.l", read("$.a")), let("$.t.r", read("$.a")), let("$.a", read("$.t")))


class Counting:
    def __init__(self):
        self.calls = 0

    async def dispatch(self, ref, value, address):
        self.calls += 1
        return self.calls


async def limit_error(document, ctx=None, dispatch=None, **limits):
    with pytest.raises(FlowError) as raised:
        await evaluate(document, ctx or {}, dispatch or Counting().dispatch, limits=Limits(**limits))
    assert "LimitError" == raised.value.kind
    return raised.value


class TestCounts:
    async def test_p36_the_iterations_of_all_loops_together_are_limited(self):
        body = loop(let("$.n", {"op": "add", "lhs": read("$.n"), "rhs": lit(1)}), 10, "$.j")

        error = await limit_error(loop(body, 10), {"n": 0}, max_iterations=56)
        final = await evaluate(caught(loop(body, 10)), {"n": 0}, Counting().dispatch, limits=Limits(max_iterations=56))

        assert ("max_iterations", "/body@5") == (error.op, error.address)
        assert (0, True) == (final["n"], final["caught"])

    async def test_p36_as_many_iterations_as_allowed_are_made(self):
        final = await evaluate(loop(seq(), 9_000), {}, Counting().dispatch, limits=Limits(max_iterations=9_000))

        assert {"i": 9_000} == final

    async def test_p36_dispatches_are_limited(self):
        worker = Counting()

        error = await limit_error(loop(step(), 10), {}, worker.dispatch, max_steps=3)

        assert ("max_steps", "/body@3", 3) == (error.op, error.address, worker.calls)

    async def test_bp32_a_fanout_over_too_many_items_is_refused_before_it_starts(self):
        worker = Counting()
        wide = {
            "kind": "fanout",
            "items": read("$.items"),
            "bind": read("$.item"),
            "body": step("$.item"),
            "join": "all",
            "out": read("$.all"),
        }

        error = await limit_error(wide, {"items": [0] * 1_000_000}, worker.dispatch)
        final = await evaluate(caught(wide), {"items": [0] * 100_001}, worker.dispatch)

        assert ("max_lanes", 0) == (error.op, worker.calls)
        assert final["caught"] is True

    async def test_bp31_a_loop_of_no_iterations_writes_its_counter(self):
        assert {"i": 0} == await evaluate(loop(step(), 0), {}, Counting().dispatch)

    async def test_ex76_the_loop_counts_for_itself_whatever_its_body_writes(self):
        body = seq(let("$.i", lit(100)), let("$.n", {"op": "add", "lhs": read("$.n"), "rhs": lit(1)}))

        assert {"i": 3, "n": 3.0} == await evaluate(loop(body, 3), {"n": 0}, Counting().dispatch)


class TestSizes:
    async def test_ex75_a_ctx_that_grows_exponentially_cannot_be_dispatched(self):
        worker = Counting()
        document = seq(let("$.a", lit("laugh")), loop(DOUBLE, 60), step())

        error = await limit_error(document, {}, worker.dispatch)

        assert ("max_value_bytes", "/2", 0) == (error.op, error.address, worker.calls)

    async def test_ex75_a_ctx_that_grows_exponentially_cannot_be_returned(self):
        error = await limit_error(seq(let("$.a", lit("laugh")), loop(DOUBLE, 60)))

        assert ("max_ctx_bytes", "$") == (error.op, error.at)

    async def test_ex75_growth_by_answers_is_found_at_the_next_step(self):
        async def twice(ref, value, address):
            return [value, value]

        error = await limit_error(loop(step("$.a", "$.a"), 100), {"a": "x" * 1_000}, twice)

        assert ("max_value_bytes", "/body@15") == (error.op, error.address)

    async def test_a_step_input_that_is_too_large_can_be_caught(self):
        worker = Counting()

        final = await evaluate(
            caught(step("$.big")), {"big": "x" * 100}, worker.dispatch, limits=Limits(max_value_bytes=50)
        )

        assert (True, 0) == (final["caught"], worker.calls)

    async def test_a_ctx_nested_too_deeply_cannot_be_returned(self):
        nest = seq(let("$.t.x", read("$.a")), let("$.a", read("$.t")))

        error = await limit_error(seq(let("$.a", lit(1)), loop(nest, 300)))

        assert "max_depth" == error.op

    async def test_a_ctx_that_was_deep_in_between_is_fine(self):
        nest = seq(let("$.t.x", read("$.a")), let("$.a", read("$.t")))
        document = seq(
            let("$.a", lit(1)), loop(nest, 50_000), let("$", {"op": "eq", "lhs": read("$.a"), "rhs": read("$.t")})
        )

        assert await evaluate(document, {}, Counting().dispatch) is True

    @pytest.mark.parametrize(
        "value", [None, True, 1, -1.5, "text", [], {}, [[1, 2], {"a": [None]}], {"key": "value", "é": [1.0]}]
    )
    def test_a_measured_size_is_about_that_of_the_text(self, value):
        assert len(json.dumps(value, ensure_ascii=False)) <= measure(value, 1_000) + 1
        assert measure(value, 1_000) <= 3 * len(json.dumps(value)) + 16

    def test_measuring_takes_what_is_shared_as_often_as_it_is_printed(self):
        part = ["x" * 1_000]

        assert 10_000 < measure([part] * 10, 20_000) < 10_200

    def test_measuring_an_exponential_value_is_quick_and_refused(self):
        value = ["x"]
        for _ in range(150):
            value = [value, value]

        with pytest.raises(FlowError) as raised:
            measure(value, 2**100)

        assert "LimitError" == raised.value.kind

    def test_a_cyclic_value_is_refused(self):
        value = []
        value.append(value)

        with pytest.raises(FlowError) as raised:
            measure(value, 2**60)

        assert "max_depth" == raised.value.op

    async def test_a_cyclic_ctx_is_refused(self):
        ctx = {}
        ctx["self"] = ctx

        with pytest.raises(FlowError) as raised:
            await evaluate(seq(), ctx, Counting().dispatch)

        assert "ctx" == raised.value.op

    async def test_what_was_measured_once_is_remembered_until_there_is_too_much_of_it(self, monkeypatch):
        monkeypatch.setattr("swarm_core.flow.sizes._KEPT_AT_MOST", 5_000)
        document = loop(seq(let("$.a.n", read("$.i")), step("$.a", "$.b")), 50)

        final = await evaluate(document, {"a": {"text": "x" * 2_000}}, Counting().dispatch)

        assert (50, 49) == (final["b"], final["a"]["n"])


def wrapped(kind, inner):
    nothing = seq()
    return {
        "seq": seq(inner),
        "try": {"kind": "try", "body": inner, "catch": nothing},
        "catch": {"kind": "try", "body": let("$.z", read("$.missing")), "catch": inner},
        "branch": {"kind": "branch", "cond": lit(True), "then": inner, "else": nothing},
        "loop": loop(inner, 1),
        "fanout": {
            "kind": "fanout",
            "items": lit([1]),
            "bind": read("$.n"),
            "body": inner,
            "join": "race",
            "out": read("$.out"),
        },
    }[kind]


class TestDepth:
    @pytest.mark.parametrize("kind", ["seq", "try", "catch", "branch", "loop", "fanout"])
    @pytest.mark.parametrize("inner", [let("$.out", lit(1)), step("$.n")], ids=["pure", "step"])
    async def test_the_deepest_flow_that_parses_runs(self, kind, inner):
        worker = Counting()
        document = inner
        for _ in range(198):
            document = wrapped(kind, document)

        await evaluate(document, {"n": 1}, worker.dispatch)

        assert (inner["kind"] == "step") == worker.calls

    @pytest.mark.parametrize("op", ["not", "and", "exists", "call_extern"])
    async def test_the_deepest_expression_that_parses_is_evaluated(self, op):
        expr = read("$.n")
        for _ in range(198):
            expr = {"op": op, "arg": expr} if op in ("not", "exists") else {"op": op, "args": [expr]}
            if op == "call_extern":
                expr["ref"] = "id"

        final = await evaluate(let("$.x", expr), {"n": True}, Counting().dispatch, {"id": lambda value: value})

        assert final["x"] is True

    async def test_ex71_a_deeper_one_is_refused_when_it_is_parsed(self):
        expr = read("$.n")
        for _ in range(10_000):
            expr = {"op": "not", "arg": expr}

        with pytest.raises(FlowError) as raised:
            await evaluate(let("$.x", expr), {}, Counting().dispatch)

        assert ["too_deep"] == [problem.code for problem in raised.value.problems]

    def test_nodes_made_by_hand_are_refused_as_well(self):
        expr, node = Path(at="$.n"), Seq(children=())
        for _ in range(300):
            expr, node = Not(arg=expr), Seq(children=(node,))

        for flow in (Let(at=Path(at="$.x"), value=expr), node):
            with pytest.raises(FlowError) as raised:
                compile_flow(flow)
            assert ("LimitError", "max_nesting") == (raised.value.kind, raised.value.op)

    async def test_a_flow_made_by_hand_may_have_any_number_of_nodes(self):
        lets = tuple(Let(at=Path(at=f"$.k{n}"), value=Lit(value=n)) for n in range(20_000))

        final = await evaluate(Seq(children=lets), {}, Counting().dispatch)

        assert {f"k{n}": n for n in range(20_000)} == final
