"""The Lua processes of one Swarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from swarm_core.contracts import Processes
from swarm_core.errors import SpawnFailed
from swarm_plugin_lua import wire
from swarm_plugin_lua.bridge import Bridge
from swarm_plugin_lua.job import Job, Reply
from swarm_plugin_lua.process import LuaProcess, ProcessDied

# Seconds past the limit: the process says itself that its time is over, with the line, and lives on. One that cannot,
# in the middle of a long C call, is killed.
PATIENCE = 0.1


@asynccontextmanager
async def open_pool(*, size: int, memory_limit: int) -> AsyncIterator[LuaPool]:
    """Give a pool that starts nothing until it is used, and ends all its processes at the exit."""
    pool = LuaPool(size=size, memory_limit=memory_limit)
    try:
        yield pool
    finally:
        await pool.close()


@define(eq=False, kw_only=True)
class LuaPool:
    """Up to `size` Lua processes, started when a script needs one and kept for the next.

    `memory_limit` is the most that any job may ask for. A process that was killed at its limit, cancelled or dead is
    replaced when the next job needs it; the others do not notice. Jobs wait in line while all are busy.
    """

    size: int
    memory_limit: int
    _places: asyncio.Semaphore = field(init=False)
    _idle: list[LuaProcess] = field(factory=list, init=False)
    _alive: set[LuaProcess] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.size)

    @property
    def level(self) -> str | None:
        """The isolation reached, `process+seccomp` or `process`; None while no process runs."""
        return min((process.level for process in self._alive), default=None)

    @property
    def pids(self) -> frozenset[int]:
        """The ids of the processes that run now."""
        return frozenset(process.pid for process in self._alive)

    async def run(self, job: Job, processes: Processes) -> Reply:
        """Run a job in a process that has no other meanwhile; cancelling kills that process.

        Raises: SpawnFailed, when no process can be started.
        """
        try:
            payload = job.as_payload()
        except ValueError as error:
            return Reply(status="error", text=f"input: {error}")
        async with self._places:
            try:
                return await self._run_in(await self._process(processes), job, payload)
            except _NotTaken:
                # It died while it waited for work, as any process may; the script has not begun.
                return await self._run_in(await self._start(processes), job, payload)

    async def close(self) -> None:
        """End all processes."""
        self._idle.clear()
        for process in list(self._alive):
            await self._end(process)

    async def _process(self, processes: Processes) -> LuaProcess:
        return self._idle.pop() if self._idle else await self._start(processes)

    async def _start(self, processes: Processes) -> LuaProcess:
        process = await LuaProcess.start(processes, memory_limit=self.memory_limit)
        self._alive.add(process)
        return process

    async def _run_in(self, process: LuaProcess, job: Job, payload: bytes) -> Reply:
        reply: Reply | None = None
        try:
            async with asyncio.timeout(job.time_limit + PATIENCE):
                reply = await _talk(process, job, payload)
        except TimeoutError:
            return Reply(status="timeout")
        except ProcessDied as death:
            return Reply(status="crashed", text=str(death))
        finally:
            if reply is None:
                await self._end(process)
        self._idle.append(process)
        return reply

    async def _end(self, process: LuaProcess) -> None:
        try:
            await process.kill()
        finally:
            self._alive.discard(process)


class _NotTaken(SpawnFailed):
    """The process had ended before it took the job: no instruction of the script has run."""


async def _talk(process: LuaProcess, job: Job, payload: bytes) -> Reply:
    try:
        await process.send(payload)
    except ProcessDied:
        raise _NotTaken("the Lua process ended before it took the job", hint="try again") from None
    bridge = Bridge(job.functions)
    while True:
        message = await process.receive()
        try:
            if "host" not in message:
                return Reply.from_json(message)
            name, arguments = message["host"], message["arguments"]
        except (ValueError, TypeError, KeyError):
            raise ProcessDied("it wrote what is no reply") from None
        ok, value = await bridge.answer(name, arguments)
        await process.send(wire.dumps({"ok": ok, "value": value}))
