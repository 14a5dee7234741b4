"""The engine's end of one Lua process."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import sys
from pathlib import Path
from typing import Any

from attrs import define, field

from swarm_core.contracts import Process, Processes
from swarm_core.errors import SpawnFailed
from swarm_plugin_lua import wire

START_LIMIT = 20.0  # seconds

# The package's own __init__ would import the engine's modules, which the process must never have seen; so a bare
# package of the same name stands in for it, and the module search path holds lupa only while it is imported.
BOOT = """
import sys, types
package = types.ModuleType("swarm_plugin_lua")
package.__path__ = [sys.argv[1]]
sys.modules["swarm_plugin_lua"] = package
sys.path.append(sys.argv[2])
from swarm_plugin_lua.child import main
sys.path.remove(sys.argv[2])
main(*map(int, sys.argv[3:]))
"""

# What Python, lupa and the largest job take beside the script's own memory.
ROOM = 384 * 1024 * 1024


class ProcessDied(Exception):
    """The Lua process ended, or wrote what is no frame; the text says how."""


@define(eq=False)
class LuaProcess:
    """A process that runs one script after the other, each in a fresh runtime."""

    _process: Process
    level: str = "process"
    _received: bytearray = field(factory=bytearray)

    @classmethod
    async def start(cls, processes: Processes, *, memory_limit: int) -> LuaProcess:
        """Start a process that allows its scripts up to `memory_limit` bytes.

        Raises: SpawnFailed.
        """
        limits = {"as": ROOM + 2 * memory_limit, "fsize": 0, "nofile": 16, "nproc": 0, "core": 0}
        started = cls(await processes.start(command(BOOT), env={}, cwd="/", limits=limits))
        try:
            async with asyncio.timeout(START_LIMIT):
                started.level = str((await started.receive())["level"])
        except BaseException as error:
            await started.kill()
            if isinstance(error, ProcessDied | TimeoutError | KeyError | TypeError):
                why = str(error) or f"it gave no sign in {START_LIMIT:g} s"
                raise SpawnFailed(f"the Lua process did not start: {why}") from None
            raise
        return started

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def send(self, payload: bytes) -> None:
        """Send one frame.

        Raises: ProcessDied, when the process does not read any more.
        """
        try:
            await self._process.write(wire.frame(payload))
        except ConnectionError:
            raise ProcessDied("it does not read any more") from None

    async def receive(self) -> Any:
        """Return the value of the next frame.

        Raises: ProcessDied.
        """
        length = wire.length_of(await self._take(wire.HEADER))
        if not 0 < length <= wire.MAX_REPLY:
            raise ProcessDied(f"it announced a frame of {length} bytes")
        try:
            return wire.loads(await self._take(length))
        except ValueError as error:
            raise ProcessDied(f"it wrote what is no JSON ({type(error).__name__})") from None

    async def kill(self) -> None:
        """End the process; returns when it is gone."""
        await self._process.kill()

    async def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            piece = await self._process.read_stdout(65536)
            if not piece:
                raise ProcessDied(await self._end())
            self._received += piece
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    async def _end(self) -> str:
        """Return in words how the process ended; one that only closed its pipe is not waited for."""
        try:
            async with asyncio.timeout(1.0):
                code = await self._process.wait()
        except TimeoutError:
            return "it closed its pipe"
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            return f"it was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was ended by signal {-code}"


def command(boot: str, *arguments: int) -> list[str]:
    """Return the command line of a Lua process; `arguments` go to `child.main`.

    Raises: SpawnFailed.
    """
    lupa = importlib.util.find_spec("lupa")
    if lupa is None or lupa.origin is None:
        raise SpawnFailed("lupa is not installed, so there is no Lua", hint="pip install swarm-plugin-lua")
    folders = [str(Path(__file__).parent), str(Path(lupa.origin).parent.parent)]
    return [sys.executable, "-I", "-S", "-B", "-c", boot, *folders, *map(str, arguments)]
