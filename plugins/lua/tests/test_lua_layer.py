"""The layer `lua`: scripts before and after attempts, which may refuse them or change their results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import swarm_plugin_lua
from attrs import evolve
from swarm_plugin_lua.layer import LuaLayer, LuaLayerOptions, build_layer
from swarm_plugin_lua.pool import LuaPool

from swarm_core.errors import RejectedByMiddleware, SpawnFailed, WorkerFailed
from swarm_core.factories import Environment, Stage
from swarm_core.model.blueprint import AgentDef, Blueprint
from swarm_core.model.call import Call, OperatorInfo, Result
from swarm_core.model.nodes import Seq
from swarm_core.model.operator import OperatorKind
from swarm_core.model.output import Progress
from swarm_core.testing import FakeSpawner, check_layer, check_plugin, make_call

Build = Callable[..., LuaLayer]


@pytest.fixture
def layer(environment: Callable[..., Environment]) -> Build:
    """Build a layer from its options, as a launch would, in a Blueprint with the agents `tester` and `other`."""
    agents = tuple(AgentDef(name=name, kind="fake") for name in ("tester", "other"))
    blueprint = Blueprint(id="bp", flow=Seq(children=()), agents=agents)

    def make(section: dict[str, Any] | None = None, environ: Environment | None = None, **options: Any) -> LuaLayer:
        return build_layer(LuaLayerOptions(**options), environ or environment(section, blueprint=blueprint))

    return make


async def end_of(layer: LuaLayer, result: Any = "done", call: Call | None = None, **spawner: Any) -> Result:
    return await layer.run(call or make_call(), FakeSpawner(result, **spawner).run)


class TestBefore:
    async def test_row_77_what_before_raises_refuses_the_attempt(self, layer: Build, call: Call) -> None:
        spawner = FakeSpawner("done")

        with pytest.raises(RejectedByMiddleware) as caught:
            await layer(before="function(ctx)\n  error('not today')\nend").run(call, spawner.run)

        assert "lua before: line 2: not today" == caught.value.reason
        assert [] == spawner.calls

    async def test_what_before_returns_changes_nothing(self, layer: Build) -> None:
        assert Result("done") == await end_of(layer(before="function(ctx) return {value = 1} end"))

    async def test_it_sees_the_attempt_and_its_input(self, layer: Build) -> None:
        call = make_call(agent="tester", input={"n": [1, None, 2.0], "e": []}, task_id="T-7", attempt=3)
        call = evolve(call, operator=OperatorInfo(kind=OperatorKind.MAIN_AI, id="ann"))
        source = """function(ctx)
          error(json.encode(ctx), 0)
        end"""

        with pytest.raises(RejectedByMiddleware) as caught:
            await layer(before=source).run(call, FakeSpawner().run)

        assert caught.value.reason == (
            'lua before: {"agent":"tester","attempt":3,"input":{"e":[],"n":[1,null,2.0]},'
            '"operator":{"id":"ann","kind":"main_ai"},"task_id":"T-7"}'
        )

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("function(ctx) while true do end end", "no end after 0.2 s, at layer:1"),
            ("function(ctx) return ('a'):rep(30000):find(('.-'):rep(20) .. 'b') end", "no end after 0.2 s"),
            ("function(ctx) error({}) end", "a table was raised as the error"),
            ("function(ctx) return ctx.input.x.y end", "line 1: attempt to index a nil value (field 'x')"),
            ("function(ctx) return io.open('/etc/passwd') end", "line 1: io.open is not available in Lua workers"),
            ("function(ctx) x x end", "line 1: syntax error near 'x'"),
            ("if then", "line 1: unexpected symbol near 'then'"),
        ],
    )
    async def test_p25_whatever_keeps_before_from_its_end_refuses_the_attempt(
        self, source: str, reason: str, layer: Build
    ) -> None:
        with pytest.raises(RejectedByMiddleware) as caught:
            await end_of(layer(before=source, time_limit="200ms"), call=make_call(input={}))

        assert f"lua before: {reason}" == caught.value.reason

    @pytest.mark.parametrize(
        "source",
        [
            "function(ctx) if ctx.input == 'no' then error('refused', 0) end end",
            "-- a comment\nfunction(ctx) if ctx.input == 'no' then error('refused', 0) end end",
            "return function(ctx) if ctx.input == 'no' then error('refused', 0) end end",
            "if ctx.input == 'no' then error('refused', 0) end",
            "local ctx = ...\nif ctx.input == 'no' then error('refused', 0) end",
        ],
    )
    async def test_a_half_is_a_function_or_what_would_stand_in_one(self, source: str, layer: Build) -> None:
        built = layer(before=source)

        assert Result("done") == await end_of(built, call=make_call(input="yes"))
        with pytest.raises(RejectedByMiddleware, match="lua before: refused"):
            await end_of(built, call=make_call(input="no"))

    async def test_lu122_what_it_prints_becomes_a_progress(self, layer: Build, call: Call) -> None:
        await layer(before="print('looking', 1)").run(call, FakeSpawner().run)

        assert Progress("print", "looking\t1\n") in call.context.outputs


class TestAfter:
    @pytest.mark.parametrize(
        ("source", "result"),
        [
            ("function(ctx, result) return {value = 1, ok = true} end", Result(1)),
            ("function(ctx, result) return {value = {result.value, result.ok}} end", Result(["no", False], ok=False)),
            ("function(ctx, result) return {ok = true} end", Result(None)),
            ("function(ctx, result) return {} end", Result(None, ok=False)),
            ("function(ctx, result) end", Result("no", ok=False)),
            ("function(ctx, result) return nil end", Result("no", ok=False)),
            ("function(ctx, result) return result end", Result("no", ok=False)),
            ("return {value = result.value .. '!', ok = true}", Result("no!")),
        ],
    )
    async def test_row_77_what_after_returns_is_the_result(self, source: str, result: Result, layer: Build) -> None:
        assert result == await end_of(layer(after=source), "no", ok=[False])

    async def test_facts_of_the_result_are_kept(self, layer: Build, call: Call) -> None:
        async def inner(call: Call) -> Result:
            return Result(1, facts={"tokens": 5})

        assert Result(2, facts={"tokens": 5}) == await layer(after="return {value = 2}").run(call, inner)

    @pytest.mark.parametrize(
        ("source", "error"),
        [
            ("error('why')", "line 1: why"),
            ("return 5", "it returned a number; a table with value and ok is wanted"),
            ("return json.array{1}", "it returned a table; a table with value and ok is wanted"),
            ("return {ok = 'yes'}", "the ok that it returned is neither true nor false"),
            ("return {value = print}", "result: unsupported_type at $.value: a function has no form in JSON"),
            ("while true do end", "no end after 0.2 s, at layer:1"),
        ],
    )
    async def test_its_failures_leave_the_result_and_are_published(
        self, source: str, error: str, layer: Build, call: Call
    ) -> None:
        end = await end_of(layer(after=source, time_limit="200ms"), "fine", call=call)

        assert Result("fine") == end
        assert [("lua_after_failed", {"agent": "tester", "error": error})] == call.context.published

    async def test_a_result_that_lua_cannot_hold_is_left_as_it_is(self, layer: Build, call: Call) -> None:
        assert Result(2**63) == await end_of(layer(after="return {value = 1}"), 2**63, call=call)
        assert ["lua_after_failed"] == call.context.kinds

    async def test_it_is_not_asked_when_the_worker_raises(self, layer: Build, call: Call) -> None:
        with pytest.raises(WorkerFailed):
            await end_of(layer(after="return {value = 1}"), call=call, fail="it broke")

        assert [] == call.context.published

    async def test_without_processes_the_result_stays_and_before_fails_the_start(
        self, environment: Callable[..., Environment], layer: Build, call: Call
    ) -> None:
        lone = environment(services={})

        assert Result("done") == await end_of(layer(after="return {value = 1}", environ=lone), call=call)
        assert ["lua_after_failed"] == call.context.kinds
        with pytest.raises(SpawnFailed):
            await end_of(layer(before="return", environ=lone))


class TestIsolation:
    async def test_p25_nothing_is_left_for_the_next_call(self, layer: Build) -> None:
        built = layer(after="seen = (seen or 0) + 1; string.mark = seen; return {value = {seen, string.mark}}")

        assert [Result([1, 1]), Result([1, 1])] == [await end_of(built), await end_of(built)]

    async def test_p25_cancelling_ends_the_script(self, layer: Build, pool: LuaPool, call: Call) -> None:
        attempt = asyncio.ensure_future(end_of(layer(before="while true do end"), call=call))
        while not pool.pids:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

        attempt.cancel()

        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert frozenset() == pool.pids

    async def test_pure_functions_can_be_called(self, layer: Build) -> None:
        assert Result(5) == await end_of(layer(after="return {value = host.add(2, 3)}"))

    async def test_trusted_scripts_may_run_in_the_engine(self, layer: Build, pool: LuaPool) -> None:
        assert Result(1) == await end_of(layer({"isolation": "inproc"}, after="return {value = 1}"))
        assert frozenset() == pool.pids


class TestOptions:
    async def test_only_the_named_agents_are_looked_at(self, layer: Build) -> None:
        built = layer(before="error('no')", agents=("other",))

        assert Result("done") == await end_of(built)
        with pytest.raises(RejectedByMiddleware):
            await end_of(built, call=make_call(agent="other"))

    def test_all_that_is_wrong_is_told_at_once(self, layer: Build) -> None:
        with pytest.raises(ValueError) as caught:
            layer(before="\x1bLua", after="x" * 300_000, agents=("othr",), time_limit="9h")

        assert "agents: the Blueprint has no agent 'othr'; did you mean 'other'?" in str(caught.value)
        assert "before: the script is compiled (bytecode)" in str(caught.value)
        assert "after: the script is larger than 256 KiB" in str(caught.value)
        assert "time_limit: '9h' is more than this swarm allows" in str(caught.value)

    def test_one_half_at_least_is_given(self, layer: Build) -> None:
        with pytest.raises(ValueError, match="neither 'before' nor 'after' is given"):
            layer()


class TestContract:
    async def test_it_keeps_the_contract_of_layers(self, layer: Build) -> None:
        await check_layer(layer(before="return", after="return"))

    async def test_a_changed_result_is_all_that_it_changes(self, layer: Build) -> None:
        await check_layer(layer(after="return {value = 1}"), changes_result=True)

    def test_the_plugin_provides_it_where_hooks_of_attempts_stand(self) -> None:
        factory = check_plugin(swarm_plugin_lua).layers["lua"]

        assert (Stage.ATTEND, LuaLayerOptions) == (factory.stage, factory.options)
