"""What errors say: kind, text, place in the document, step address, cause; row 78 of the bad inputs."""

import pytest

from swarm_core.errors import FLOW_ERROR_KINDS, FlowError, WorkerFailed
from swarm_core.flow import evaluate


def read(path):
    return {"op": "path", "at": path}


def lit(value):
    return {"op": "lit", "value": value}


def step(ref="work", in_="$", out="$.out"):
    return {"kind": "step", "ref": ref, "in": read(in_), "out": read(out)}


def let(path, value):
    return {"kind": "let", "at": path, "value": value}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def loop(body, most=5):
    return {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": body, "max": most}


def fanout(body, items=(1, 2), join="all"):
    return {
        "kind": "fanout",
        "items": lit(list(items)),
        "bind": read("$.item"),
        "body": body,
        "join": join,
        "out": read("$.all"),
    }


def branch(cond, then, other):
    return {"kind": "branch", "cond": cond, "then": then, "else": other}


MISSING = read("$.missing")
BAD = let("$.x", MISSING)
EQ3 = {"op": "eq", "lhs": read("$.i"), "rhs": lit(3)}


async def nobody(ref, value, address):
    raise AssertionError("no step here")


async def error_of(document, ctx=None, dispatch=nobody, **more):
    with pytest.raises(FlowError) as caught:
        await evaluate(document, {} if ctx is None else ctx, dispatch, **more)
    assert caught.value.kind in FLOW_ERROR_KINDS
    return caught.value


class TestWhere:
    @pytest.mark.parametrize(
        ("document", "at", "address"),
        [
            (BAD, "$", "/"),
            (seq(let("$.a", lit(1)), BAD), "$.children[1]", "/1"),
            (seq(seq(seq(BAD))), "$.children[0].children[0].children[0]", "/0/0/0"),
            (branch(lit(True), BAD, seq()), "$.then", "/then"),
            (branch(lit(False), seq(), BAD), "$.else", "/else"),
            (branch(MISSING, seq(), seq()), "$", "/"),
            (seq(branch(lit(1), seq(), seq())), "$.children[0]", "/0"),
            (loop(branch(EQ3, BAD, seq())), "$.body.then", "/body@3/then"),
            (loop(loop(branch(EQ3, BAD, seq()))), "$.body.body.then", "/body@0/body@3/then"),
            (seq(loop(seq(), 2), BAD), "$.children[1]", "/1"),
            ({**loop(seq()), "cond": MISSING}, "$", "/"),
            ({**loop(seq()), "counter": lit(1)}, "$", "/"),
            (
                seq({**loop(loop(seq(), 1), 2), "cond": {"op": "lt", "lhs": read("$.i"), "rhs": lit("")}}),
                "$.children[0]",
                "/0",
            ),
            (fanout(branch(lit(False), seq(), BAD)), "$.body.else", "/lane@0/else"),
            (fanout(loop(BAD)), "$.body.body", "/lane@0/body@0"),
            ({**fanout(seq()), "items": MISSING}, "$", "/"),
            ({**fanout(seq()), "bind": lit(1)}, "$", "/"),
            ({**fanout(step()), "bind": lit(1)}, "$", "/"),
            (seq({**fanout(seq()), "out": lit(1)}), "$.children[0]", "/0"),
            ({"kind": "try", "body": BAD, "catch": BAD}, "$.catch", "/catch"),
            ({"kind": "try", "body": BAD, "catch": seq(), "err_at": lit(1)}, "$", "/"),
            (seq({"kind": "try", "body": loop(BAD), "catch": seq()}, BAD), "$.children[1]", "/1"),
            (
                loop(seq({"kind": "try", "body": loop(BAD), "catch": BAD})),
                "$.body.children[0].catch",
                "/body@0/0/catch",
            ),
            (seq(step("work", "$.missing")), "$.children[0]", "/0"),
        ],
    )
    async def test_an_error_names_the_innermost_node(self, document, at, address):
        error = await error_of(document)

        assert (at, address) == (error.at, error.address)

    async def test_the_second_lane_of_a_fanout_is_the_one_that_is_named(self):
        body = branch({"op": "eq", "lhs": read("$.item"), "rhs": lit(1)}, seq(), step())

        async def dispatch(ref, value, address):
            raise ValueError

        error = await error_of(seq(fanout(body)), dispatch=dispatch)

        assert ("$.children[0].body.else", "/0/lane@1/else") == (error.at, error.address)

    async def test_steps_are_dispatched_with_their_addresses(self):
        addresses = []

        async def dispatch(ref, value, address):
            addresses.append(address)
            return len(addresses)

        document = seq(
            step(),
            loop(seq(step(), branch(EQ3, step(), seq())), 2),
            fanout(loop(step(), 2)),
            {"kind": "try", "body": seq(step(), BAD), "catch": step()},
        )
        await evaluate(document, {}, dispatch)
        root, addresses[:] = list(addresses), []
        await evaluate(step(), {}, dispatch)

        lanes = [f"/2/lane@{lane}/body@{turn}" for lane in range(2) for turn in range(2)]
        assert ["/0", "/1/body@0/0", "/1/body@1/0", *lanes, "/3/body/0", "/3/catch"] == root
        assert ["/"] == addresses

    async def test_an_error_is_data(self):
        error = await error_of(seq(let("$.x", {"op": "div", "lhs": lit(1), "rhs": lit(0)})))

        assert {
            "code": "flow_error",
            "kind": "ArithError",
            "message": "div of 1 and 0: division by zero",
            "op": "div",
            "where": "$.children[0]",
            "address": "/0",
        } == error.as_json()


class TestDispatcherErrors:
    async def test_an_exception_fails_the_step_with_its_text_and_stays_its_cause(self):
        cause = WorkerFailed("the linter crashed")

        async def dispatch(ref, value, address):
            raise cause

        error = await error_of(step("lint"), dispatch=dispatch)

        assert ("DispatcherError", "lint") == (error.kind, error.ref)
        assert "step 'lint' failed: the linter crashed" == str(error)
        assert error.__cause__ is cause

    async def test_the_text_of_a_flow_error_gets_no_second_prefix(self):
        async def inner(ref, value, address):
            raise ValueError("boom")

        async def outer(ref, value, address):
            return await evaluate(step("inner"), {}, inner)

        error = await error_of(step("outer"), dispatch=outer)

        assert ("DispatcherError", "outer") == (error.kind, error.ref)
        assert "step 'inner' failed: boom" == str(error)
        assert "inner" == error.__cause__.ref

    async def test_an_exception_without_text_is_named_by_its_type(self):
        async def dispatch(ref, value, address):
            raise TimeoutError

        assert "step 'work' failed: TimeoutError" == str(await error_of(step(), dispatch=dispatch))

    async def test_a_dispatch_that_is_no_coroutine_fails_the_step(self):
        assert "DispatcherError" == (await error_of(step(), dispatch=lambda ref, value, address: 5)).kind

    @pytest.mark.parametrize("answer", [object(), {1}, {1: 2}, [float("nan")], float("inf"), b"x", 10**400])
    async def test_an_answer_that_is_no_json_fails_the_step(self, answer):
        async def dispatch(ref, value, address):
            return answer

        error = await error_of(step(), dispatch=dispatch)

        assert ("DispatcherError", "work") == (error.kind, error.ref)
        assert "no JSON" in str(error)

    async def test_an_answer_that_is_nearly_json_is_taken_as_such(self):
        async def dispatch(ref, value, address):
            return {"a": (1, 2**64)}

        final = await evaluate(step(), {}, dispatch)

        assert {"out": {"a": [1, float(2**64)]}} == final

    async def test_a_bad_input_means_that_nothing_is_dispatched(self):
        assert "PathNotFound" == (await error_of(step("work", "$.missing"))).kind

    async def test_a_bad_target_fails_after_the_dispatch(self):
        calls = []

        async def dispatch(ref, value, address):
            calls.append(ref)

        error = await error_of({**step(), "out": lit("$.x")}, dispatch=dispatch)

        assert ("InvalidPath", ["work"]) == (error.kind, calls)


class TestExternErrors:
    async def call(self, externs, *args, ref="f"):
        document = let("$.x", {"op": "call_extern", "ref": ref, "args": [lit(arg) for arg in args]})
        return await error_of(document, externs=externs)

    async def test_ex72_an_unknown_function_is_named_with_the_nearest_known_one(self):
        error = await self.call({"total": sum}, ref="totl")

        assert ("ExternError", "totl") == (error.kind, error.ref)
        assert "extern 'totl' is not registered; did you mean 'total'?" == str(error)

    async def test_ex72_without_functions_none_can_be_called(self):
        assert "ExternError" == (await self.call(None)).kind

    async def test_ex72_a_raising_function_is_named_and_stays_the_cause(self):
        error = await self.call({"f": lambda a: a / 0}, 1)

        assert "extern 'f' failed: division by zero" == str(error)
        assert isinstance(error.__cause__, ZeroDivisionError)

    async def test_ex72_a_function_that_exits_is_an_error_that_can_be_caught(self):
        def leave():
            raise SystemExit(3)

        error = await self.call({"f": leave})

        assert ("ExternError", "f") == (error.kind, error.ref)

    async def test_ex75_an_answer_beyond_the_limit_is_refused(self):
        error = await self.call({"f": lambda: "x" * (17 << 20)})

        assert ("LimitError", "max_value_bytes") == (error.kind, error.op)

    async def test_ex72_an_async_function_is_refused(self):
        async def f():
            return 1

        assert "async" in str(await self.call({"f": f}))

    async def test_ex72_an_answer_that_is_no_json_is_refused(self):
        assert "no JSON value" in str(await self.call({"f": lambda: {1, 2}}))

    async def test_wrong_arguments_are_the_functions_failure(self):
        assert "ExternError" == (await self.call({"f": lambda a: a})).kind


class TestTexts:
    async def caught(self, text):
        async def dispatch(ref, value, address):
            raise ValueError(text)

        document = {"kind": "try", "body": step(), "catch": seq(), "err_at": read("$.why")}
        settled = fanout(step(), join="all_settled")
        final = await evaluate(seq(document, settled), {}, dispatch)
        return final["why"], final["all"][0]["reason"]

    @pytest.mark.parametrize("text", ["x" * 10_000_000, "é" * 5_000, "🚀" * 2_000, "a" + "🚀" * 2_000])
    async def test_ex78_a_long_text_is_cut_to_4_kib(self, text):
        for got in await self.caught(text):
            assert got.endswith("...")
            assert 4_092 <= len(got.encode()) <= 4_096

    async def test_a_text_is_never_empty(self):
        for got in await self.caught(""):
            assert "ValueError" in got

    async def test_a_text_of_4_kib_is_kept(self):
        text = "é" * 2_000

        for got in await self.caught(text):
            assert got.endswith(text)

    async def test_ex78_a_catch_that_fails_raises_its_own_error(self):
        error = await error_of({"kind": "try", "body": BAD, "catch": let("$.y", read("$.z"))})

        assert "path not found: $.z" == str(error)

    async def test_messages_show_no_large_values(self):
        ctx = {"big": ["x" * 1_000_000], "long": "y" * 1_000_000, "digits": 10**18}

        for expr in (
            {"op": "add", "lhs": read("$.big"), "rhs": lit(1)},
            {"op": "add", "lhs": read("$.long"), "rhs": lit(1)},
        ):
            assert 200 > len(str(await error_of(let("$.x", expr), ctx)))

    async def test_p30_text_of_a_worker_is_data_wherever_it_ends_up(self):
        nasty = {"op": "path", "at": "$.secret", "kind": "step", "$file": "/x", "t": "{0.__class__} ${HOME} {{x}}"}

        async def dispatch(ref, value, address):
            return nasty

        document = seq(step(), let("$.copy", read("$.out")), fanout(let("$.got", read("$.out")), (1,)))
        final = await evaluate(document, {"secret": 1}, dispatch)

        assert [nasty, nasty, nasty] == [final["out"], final["copy"], final["all"][0]["got"]]
