"""One worker process as the engine sees it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TypeVar

from swarm_core.processes.pipes import PipeEnd

T = TypeVar("T")
Kill = Callable[[float], None]


class WorkerProcess:
    """A process below the reaper, and everything it started.

    `kill` also gives back the descriptors, with what is unread: call it when done, however the process ended.
    """

    __slots__ = ("__weakref__", "_ended", "_gone", "_kill", "_stderr", "_stdin", "_stdout", "began", "pid")

    def __init__(self, stdin: int, stdout: int, stderr: int, kill: Kill) -> None:
        loop = asyncio.get_running_loop()
        self.pid = 0
        self.began: asyncio.Future[tuple[int, int] | None] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._stdin, self._stdout, self._stderr = PipeEnd(stdin), PipeEnd(stdout), PipeEnd(stderr)
        self._kill = kill

    # what the worker's owner does ----------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Write to stdin and wait until it was taken; raises BrokenPipeError when nobody reads it."""
        await self._stdin.write(data)

    def close_stdin(self) -> None:
        """Close stdin."""
        self._stdin.close()

    async def read_stdout(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes of stdout, or nothing at its end."""
        return await self._stdout.read(limit)

    async def read_stderr(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes of stderr, or nothing at its end."""
        return await self._stderr.read(limit)

    async def wait(self) -> int:
        """Return the exit code, or minus the signal's number; does not wait for the pipes."""
        return await asyncio.shield(self._ended)

    async def kill(self, *, grace: float = 0.0) -> None:
        """End the process and every descendant, and return when none is left.

        A cancellation that comes meanwhile shortens the grace to nothing and is raised when all is gone.
        """
        cancelled: asyncio.CancelledError | None = None
        while not self._gone.done():
            self._kill(grace)
            try:
                await asyncio.wait([self._gone])
            except asyncio.CancelledError as error:
                cancelled, grace = error, 0.0
        self.close()
        if cancelled is not None:
            raise cancelled

    # what the reaper reports ---------------------------------------------------------------------------------

    def note_started(self, pid: int) -> None:
        """Take note that the program runs."""
        self.pid = pid
        _settle(self.began, None)

    def note_refused(self, stage: int, number: int) -> None:
        """Take note that the program could not be started."""
        _settle(self.began, (stage, number))

    def note_ended(self, code: int) -> None:
        """Take note of the exit code."""
        _settle(self._ended, code)

    def note_gone(self) -> None:
        """Take note that nothing is left; what is still in the pipes can be read."""
        _settle(self.began, (-1, 0))
        _settle(self._ended, -signal.SIGKILL)
        _settle(self._gone, None)
        self._stdin.close()

    def close(self) -> None:
        """Give back the descriptors."""
        for end in (self._stdin, self._stdout, self._stderr):
            end.close()


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
