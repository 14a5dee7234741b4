from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from swarm_core.builtin import identity
from swarm_core.builtin.function import FUNCTION_KIND, FunctionSpec, build_function
from swarm_core.errors import WorkerFailed
from swarm_core.factories import Function
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline
from swarm_core.testing import check_spawner

WHO = contextvars.ContextVar("who", default="nobody")


class TestSpec:
    def test_row_60_missing_fn_id_says_what_is_required(self, make_environment):
        agent = AgentDef(name="a", kind="rust_fn")

        with pytest.raises(ValueError) as caught:
            build_function(agent, FunctionSpec(), AgentHint(), make_environment())

        assert str(caught.value) == "rust_fn spec: 'fn_id' (string) required"

    @pytest.mark.parametrize("fn_id", [None, "", 5, ["f"], {"a": 1}])
    def test_row_60_fn_id_of_another_type_is_as_good_as_missing(self, make_environment, fn_id):
        agent = AgentDef(name="a", kind="function")

        with pytest.raises(ValueError, match=r"function spec: 'fn_id' \(string\) required"):
            build_function(agent, FunctionSpec(fn_id=fn_id), AgentHint(), make_environment())

    def test_row_60_unknown_fn_id_names_the_nearest(self, make_environment):
        environment = make_environment(Function("review", len), Function("merge", len))

        with pytest.raises(ValueError) as caught:
            build_function(AgentDef(name="a", kind="function"), FunctionSpec(fn_id="reveiw"), AgentHint(), environment)

        assert str(caught.value) == "fn_id 'reveiw' not registered in factory; did you mean 'review'?"

    def test_the_kind_has_the_originals_name_too(self):
        assert (FUNCTION_KIND.kind, FUNCTION_KIND.aliases) == ("function", ("rust_fn",))


class TestInput:
    @pytest.mark.parametrize("inline", [True, False], ids=["inline", "thread"])
    async def test_a_function_that_edits_its_input_changes_nothing_else(self, build, make_call, inline):
        def spoil(document):
            document["list"].append(4)
            document["new"] = 1
            return document

        given = {"list": [1, 2, 3]}
        result = await build(spoil, inline=inline).run(make_call(given))

        assert (given, result.value) == ({"list": [1, 2, 3]}, {"list": [1, 2, 3, 4], "new": 1})

    async def test_the_calls_input_is_the_functions_own_copy(self, build, make_call):
        def spoil(document, call):
            call.input["new"] = 1
            return document is call.input

        given = {"a": 1}
        result = await build(spoil, inline=True).run(make_call(given))

        assert (given, result.value) == ({"a": 1}, True)

    async def test_what_the_input_shares_the_copy_shares(self, build, make_call):
        shared = [1]

        result = await build(lambda both: both["a"] is both["b"], inline=True).run(
            make_call({"a": shared, "b": shared})
        )

        assert Result(True) == result

    async def test_depth_has_no_limit(self, build, make_call):
        deep: Any = "bottom"
        for _ in range(50_000):
            deep = [deep]

        def depth(value):
            count = 0
            while isinstance(value, list):
                value, count = value[0], count + 1
            return count

        assert Result(50_000) == await build(depth, inline=True).run(make_call(deep))


class TestResult:
    async def test_a_result_is_taken_as_it_is(self, build, make_call):
        verdict = Result("no", ok=False, facts={"tokens": 3})

        async def judge():
            return verdict

        assert verdict is await build(judge).run(make_call())

    async def test_nothing_returned_is_null(self, build, make_call):
        async def quiet():
            return None

        assert Result(None) == await build(quiet).run(make_call())

    async def test_nothing_returned_after_a_final_leaves_the_final(self, build, make_call):
        async def emits(call):
            call.context.emit(Final(Inline("said"), True))

        assert None is await build(emits).run(make_call())

    async def test_something_returned_after_a_final_counts(self, build, make_call):
        async def emits(call):
            call.context.emit(Final(Inline("said"), True))
            return "returned"

        assert Result("returned") == await build(emits).run(make_call())

    async def test_a_final_of_an_earlier_try_is_not_taken_for_this_ones(self, build, make_call):
        call = make_call()
        call.context.record_final(Result("earlier"))

        async def quiet(call):
            return None

        assert Result(None) == await build(quiet).run(call)

    async def test_an_awaitable_from_a_plain_function_is_awaited(self, build, make_call):
        async def later():
            return 5

        def plain():
            return later()

        assert Result(5) == await build(plain).run(make_call())

    async def test_a_returned_generator_is_refused(self, build, make_call):
        with pytest.raises(WorkerFailed, match="returned a generator; return a list") as caught:
            await build(lambda: (n for n in range(3))).run(make_call())

        assert caught.value.kind == "invalid_result"

    def test_a_generator_function_is_refused_when_it_is_built(self, build):
        def count():
            yield 1

        async def stream():
            yield 1

        for target in (count, stream):
            with pytest.raises(ValueError, match="is a generator; return one value"):
                build(target)


class TestFailure:
    @pytest.mark.parametrize("inline", [True, False], ids=["inline", "thread"])
    async def test_an_exception_is_let_through_with_the_agents_name(self, build, make_call, inline):
        def broken():
            raise LookupError("gone")

        with pytest.raises(LookupError, match="gone") as caught:
            await build(broken, inline=inline).run(make_call())

        assert caught.value.__notes__ == ["agent 'a'"]

    async def test_the_same_exception_raised_again_has_one_note(self, build, make_call):
        error = LookupError("gone")

        async def broken():
            raise error

        for _ in range(2):
            with pytest.raises(LookupError):
                await build(broken).run(make_call())

        assert error.__notes__ == ["agent 'a'"]

    @pytest.mark.parametrize("inline", [True, False], ids=["inline", "thread"])
    async def test_p34_exit_in_a_function_does_not_end_the_process(self, build, make_call, inline):
        def leave():
            raise SystemExit(3)

        with pytest.raises(WorkerFailed, match=r"exit|SystemExit"):
            await build(leave, inline=inline).run(make_call())

    async def test_stop_iteration_in_a_thread_does_not_hang(self, build, make_call):
        with pytest.raises(WorkerFailed, match="StopIteration"):
            await asyncio.wait_for(build(lambda: next(iter(()))).run(make_call()), 10)


class TestContract:
    """What the core promises for workers of every kind."""

    async def test_an_async_function_keeps_the_contract(self, build):
        async def describe(call):
            await asyncio.sleep(0.01)
            return {"agent": call.agent}

        assert Result({"agent": "tester"}) == await check_spawner(build(describe))

    async def test_a_plain_function_keeps_the_contract(self, build):
        assert Result(3) == await check_spawner(build(lambda document: document.pop("n")))

    async def test_an_inline_function_keeps_the_contract(self, build):
        assert Result(3) == await check_spawner(build(lambda document: document.pop("n"), inline=True))


class TestIdentity:
    @pytest.mark.parametrize("value", ["text", {"a": [1]}, None])
    async def test_identity_echoes_who_and_what(self, build, make_call, value):
        result = await build(identity, inline=True).run(make_call(value))

        assert Result({"by": "baseline-identity", "agent": "a", "echoed": value}) == result
