"""The kind `lua`: agents that are scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar

from swarm_core.contracts import Spawner
from swarm_core.errors import SpawnFailed, WorkerFailed
from swarm_core.factories import Environment, Function, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Progress
from swarm_core.model.value import NotJson, json_copy
from swarm_plugin_lua.job import Job, Reply, Script
from swarm_plugin_lua.pool import LuaPool
from swarm_plugin_lua.settings import read_settings
from swarm_plugin_lua.spec import Limits, LuaSpec, memory_limit_of, script_of, time_limit_of

LONGEST_ERROR = 500  # characters

T = TypeVar("T")

RunJob = Callable[[Job], Awaitable[Reply]]


class LuaSpawner(Spawner):
    """Runs one script per attempt, each time in a fresh runtime."""

    __slots__ = ("_functions", "_limits", "_run_job", "_script")

    def __init__(self, script: Script, limits: Limits, functions: Mapping[str, Function], run_job: RunJob) -> None:
        self._script, self._limits, self._functions, self._run_job = script, limits, functions, run_job

    async def run(self, call: Call) -> Result:
        """Run the script and return what it returned; what it printed becomes one Progress of the stage `print`.

        Raises: WorkerFailed of the kinds `lua_error`, `lua_timeout`, `lua_memory` and `lua_crashed`; SpawnFailed.
        """
        reply = await self._run_job(
            Job(
                script=self._script,
                input=call.input,
                agent=call.agent,
                task_id=call.task_id,
                attempt=call.attempt,
                key=call.idempotency_key,
                time_limit=self._limits.time,
                memory_limit=self._limits.memory,
                functions=self._functions,
                meta=_told(call.meta),
            )
        )
        if reply.log:
            call.context.emit(Progress("print", reply.log))
        if reply.status != "done":
            raise failure(self._script, self._limits, reply)
        return Result(reply.value, reply.ok)


def build_lua(agent: AgentDef, spec: LuaSpec, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError, with everything that is wrong with its spec."""
    settings = read_settings(environment.settings)
    wrong: list[str] = []
    script = kept(wrong, lambda: script_of(agent, spec, settings))
    seconds = kept(wrong, lambda: time_limit_of(spec, hint, settings))
    size = kept(wrong, lambda: memory_limit_of(spec, hint, settings))
    if script is None or seconds is None or size is None:
        raise ValueError("; ".join(wrong))
    limits = Limits(time=seconds, memory=size)
    return LuaSpawner(script, limits, pure_functions(environment), runner_of(settings.isolation, environment))


def _told(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the layers' words a script can be told; what they tell each other may be no JSON."""
    words: dict[str, Any] = {}
    for name, value in meta.items():
        with suppress(NotJson):
            words[name] = json_copy(value)
    return words


LUA_KIND = SpawnerFactory(
    kind="lua",
    build=build_lua,
    spec=LuaSpec,
    summary="a Lua script, in a locked process of its own",
)


def failure(script: Script, limits: Limits, reply: Reply) -> WorkerFailed:
    """Return the error that a reply stands for; the text is the same on every machine."""
    kind, text, hint = told(limits, reply)
    message = f"lua eval [{script.name}]: {text}"
    if len(message) > LONGEST_ERROR:
        message = message[: LONGEST_ERROR - 3] + "..."
    return WorkerFailed(message, kind=kind, hint=hint)


def told(limits: Limits, reply: Reply) -> tuple[str, str, str | None]:
    """Return the kind of error that a reply stands for, its text, and a hint."""
    if reply.status == "timeout":
        hint = "time_limit in the spec, at most that of [plugin.lua], says how long it may take"
        where = f", at {reply.text}" if reply.text else ""
        return "lua_timeout", f"no end after {limits.time:g} s{where}", hint
    if reply.status == "memory":
        hint = "memory_limit in the spec, at most that of [plugin.lua], says how much it may take"
        return "lua_memory", f"more than {limits.memory / 1024**2:g} MiB of memory", hint
    if reply.status == "crashed":
        return "lua_crashed", f"the Lua process died: {reply.text}", None
    return "lua_error", f"result: {reply.text}" if reply.status == "result" else reply.text, None


def kept(wrong: list[str], read: Callable[[], T]) -> T | None:
    """Return what is read, or None, with what is wrong with it added to the list."""
    try:
        return read()
    except ValueError as error:
        wrong.append(str(error))
        return None


def pure_functions(environment: Environment) -> dict[str, Function]:
    """Return the functions that scripts may call as `host.<name>`."""
    return {name: function for name, function in environment.functions.items() if function.pure}


def runner_of(isolation: str, environment: Environment) -> RunJob:
    """Return what runs jobs at a level of isolation."""
    if isolation == "inproc":
        from swarm_plugin_lua.inproc import run_in_process

        return run_in_process
    pool = environment.services.get(LuaPool)
    return partial(pool.run, processes=environment.processes) if pool else _without_pool


async def _without_pool(job: Job) -> NoReturn:
    raise SpawnFailed(
        f"no Lua processes for script {job.script.name!r}: nobody opened a pool for them",
        hint="use `async with Swarm.open(...)`, or put a pool of `open_pool()` into services[LuaPool]",
    )
