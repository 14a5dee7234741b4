"""The Lua processes of one Swarm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from swarm_core.contracts import Processes
from swarm_core.errors import SpawnFailed
from swarm_plugin_lua import wire
from swarm_plugin_lua.bridge import Bridge
from swarm_plugin_lua.job import Job, Reply
from swarm_plugin_lua.process import LuaProcess, ProcessDied

_logger = logging.getLogger(__name__)

# Seconds past the limit: the process says itself that its time is over, with the line, and lives on. One that cannot,
# in the middle of a long C call, is killed.
PATIENCE = 0.1


@define(eq=False)
class LuaPool:
    """Up to `size` Lua processes, started when a script needs one and kept for the next.

    A process that was killed at its limit, cancelled or dead is replaced when the next job needs it; the others do not
    notice. Jobs wait in line while all are busy.
    """

    size: int
    memory_limit: int
    _group: asyncio.TaskGroup
    _places: asyncio.Semaphore = field(init=False)
    _idle: list[LuaProcess] = field(factory=list, init=False)
    _alive: set[LuaProcess] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.size)

    @property
    def level(self) -> str | None:
        """The isolation reached, `process+seccomp` or `process`; None while no process runs."""
        return min((process.level for process in self._alive), default=None)

    async def run(self, job: Job, processes: Processes) -> Reply:
        """Run a job in a process of its own for that time.

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
                return await self._run_again(processes, job, payload)

    async def close(self) -> None:
        """End all processes."""
        self._idle.clear()
        for process in list(self._alive):
            await self._end(process)

    async def _run_again(self, processes: Processes, job: Job, payload: bytes) -> Reply:
        """Run a job that a process which had died while it waited did not take."""
        try:
            return await self._run_in(await self._start(processes), job, payload)
        except _NotTaken:
            raise SpawnFailed("Lua processes end before they take a job") from None

    async def _process(self, processes: Processes) -> LuaProcess:
        return self._idle.pop() if self._idle else await self._start(processes)

    async def _start(self, processes: Processes) -> LuaProcess:
        process = await LuaProcess.start(processes, memory_limit=self.memory_limit)
        self._alive.add(process)
        return process

    async def _run_in(self, process: LuaProcess, job: Job, payload: bytes) -> Reply:
        try:
            async with asyncio.timeout(job.time_limit + PATIENCE):
                reply = await _talk(process, job, payload)
        except TimeoutError:
            await self._end(process)
            return Reply(status="timeout")
        except _NotTaken:
            await self._end(process)
            raise
        except ProcessDied as death:
            await self._end(process)
            return Reply(status="crashed", text=str(death))
        except BaseException:
            await self._end(process)
            raise
        self._idle.append(process)
        return reply

    async def _end(self, process: LuaProcess) -> None:
        """Kill a process; the killing goes on when the waiter is cancelled."""
        await asyncio.shield(self._group.create_task(self._kill(process)))

    async def _kill(self, process: LuaProcess) -> None:
        try:
            await process.kill()
        except Exception:
            # Raised in the group, it would end the whole Swarm; the process dies with the engine in any case.
            _logger.warning("a Lua process could not be ended", exc_info=True)
        self._alive.discard(process)


class _NotTaken(Exception):
    """The process had ended before it took the job: no instruction of the script has run."""


async def _talk(process: LuaProcess, job: Job, payload: bytes) -> Reply:
    try:
        await process.send(payload)
    except ProcessDied:
        raise _NotTaken from None
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


@asynccontextmanager
async def open_pool(*, size: int, memory_limit: int) -> AsyncIterator[LuaPool]:
    """Give a pool that starts nothing until it is used, and ends all its processes at the exit."""
    async with asyncio.TaskGroup() as group:
        pool = LuaPool(size, memory_limit, group)
        try:
            yield pool
        finally:
            await pool.close()
