"""The layer `lua`: scripts that look at an attempt before and after, and may refuse it or change its result."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import RejectedByMiddleware, SpawnFailed, TokenRevoked, did_you_mean
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.blueprint import AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Progress
from swarm_plugin_lua.job import Job, Reply, driven
from swarm_plugin_lua.settings import read_settings
from swarm_plugin_lua.spawner import LONGEST_ERROR, RunJob, kept, pure_functions, runner_of, told
from swarm_plugin_lua.spec import Limits, LuaSpec, checked_source, memory_limit_of, time_limit_of

_LINE = re.compile(r"\Alayer:(\d+): ")


@frozen(kw_only=True)
class LuaLayerOptions:
    """The options of the layer `lua`: `before` and `after` are the text of Lua functions, one of them at least.

    `agents` are those that the layer looks at; without any, at all. The limits are those of one call.
    """

    before: str | None = None
    after: str | None = None
    agents: tuple[str, ...] = ()
    time_limit: str | float | None = None
    memory_limit: str | int | None = None


@frozen(kw_only=True, eq=False)
class LuaLayer(SpawnerLayer):
    """Runs the scripts around attempts, each time in a fresh runtime, where agents of kind `lua` run theirs.

    `before` refuses an attempt by raising; so does whatever keeps it from coming to its end. `after` is not run when
    the worker raised, and when it fails itself the result stays as it was and `lua_after_failed` is published.
    """

    limits: Limits
    run_job: RunJob
    before: str | None = None
    after: str | None = None
    agents: frozenset[str] = frozenset()
    functions: Any = field(factory=dict)

    async def run(self, call: Call, inner: Run) -> Result:
        """Ask `before`, let the attempt through, and ask `after`.

        Raises: RejectedByMiddleware, with what `before` raised.
        """
        if self.agents and call.agent not in self.agents:
            return await inner(call)
        if self.before is not None:
            reply = await self._asked(self.before, call)
            if reply.status != "done":
                raise RejectedByMiddleware(f"lua before: {self._why(reply)}")
        result = await inner(call)
        return result if self.after is None else await self._changed(self.after, call, result)

    async def _changed(self, after: str, call: Call, result: Result) -> Result:
        try:
            reply = await self._asked(after, call, {"value": result.value, "ok": result.ok})
            why = None if reply.status == "done" else self._why(reply)
        except SpawnFailed as error:
            why = str(error)
        if why is not None:
            with suppress(TokenRevoked):
                call.context.publish("lua_after_failed", agent=call.agent, error=why)
            return result
        said = reply.value
        if not isinstance(said, dict) or said.get("changed") is not True:
            return result
        return evolve(result, value=said.get("value"), ok=said.get("ok", result.ok) is True)

    async def _asked(self, source: str, call: Call, result: Any = None) -> Reply:
        """Run one half; what it prints becomes a Progress of the stage `print`."""
        operator = {"kind": str(call.operator.kind), "id": call.operator.id}
        ctx = {"task_id": call.task_id, "attempt": call.attempt, "agent": call.agent, "operator": operator}
        given = {"driver": _driver(), "source": source, "ctx": {**ctx, "input": call.input}}
        reply = await self.run_job(
            Job(
                script=driven("layer"),
                input=given if result is None else {**given, "result": result},
                agent=call.agent,
                task_id=call.task_id,
                attempt=call.attempt,
                key=call.idempotency_key,
                time_limit=self.limits.time,
                memory_limit=self.limits.memory,
                functions=self.functions,
            )
        )
        if reply.log:
            with suppress(TokenRevoked):
                call.context.emit(Progress("print", reply.log))
        return reply

    def _why(self, reply: Reply) -> str:
        _, text, _ = told(self.limits, evolve(reply, text=_LINE.sub(r"line \1: ", reply.text)))
        return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 3]}..."


def build_layer(options: LuaLayerOptions, environment: Environment) -> LuaLayer:
    """Build the layer for a launch; raises ValueError, with everything that is wrong with its options."""
    settings = read_settings(environment.settings)
    limits = LuaSpec(time_limit=options.time_limit, memory_limit=options.memory_limit)
    wrong: list[str] = []
    kept(wrong, lambda: _check_agents(options, environment))
    before = kept(wrong, lambda: _source(options.before, "before"))
    after = kept(wrong, lambda: _source(options.after, "after"))
    seconds = kept(wrong, lambda: time_limit_of(limits, AgentHint(), settings))
    size = kept(wrong, lambda: memory_limit_of(limits, AgentHint(), settings))
    if options.before is None and options.after is None:
        wrong.append("neither 'before' nor 'after' is given; give the text of a Lua function as one of them")
    if wrong or seconds is None or size is None:
        raise ValueError("; ".join(wrong))
    return LuaLayer(
        limits=Limits(time=seconds, memory=size),
        run_job=runner_of(settings.isolation, environment),
        before=before,
        after=after,
        agents=frozenset(options.agents),
        functions=pure_functions(environment),
    )


LUA_LAYER = LayerFactory(
    key="lua",
    stage=Stage.ATTEND,
    build=build_layer,
    options=LuaLayerOptions,
    summary="Lua functions before and after attempts, which may refuse them or change their results",
)


@cache
def _driver() -> str:
    return (Path(__file__).parent / "layer.lua").read_text(encoding="utf-8")


def _source(text: str | None, half: str) -> str | None:
    if text is None:
        return None
    try:
        return checked_source(text.encode(errors="surrogatepass"))
    except ValueError as error:
        raise ValueError(f"{half}: {error}") from None


def _check_agents(options: LuaLayerOptions, environment: Environment) -> None:
    known = [agent.name for agent in environment.blueprint.agents]
    for name in options.agents:
        if name not in known:
            raise ValueError(f"agents: the Blueprint has no agent {name[:80]!r}; {did_you_mean(name[:80], known)}")
