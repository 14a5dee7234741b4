"""The engine's end of a pipe to a worker: asynchronous, and without a buffer of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_FAIR = 16  # transfers in a row before the event loop has its turn


class PipeEnd:
    """One end of a pipe, for one task at a time.

    Nothing is kept here: what is not taken waits in the kernel and holds up the other side. Owns its descriptor.
    """

    __slots__ = ("_descriptor", "_streak", "_waiting")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._waiting: asyncio.Future[None] | None = None
        self._streak = 0

    async def read(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes, or nothing when the other side is closed. A cancelled read takes nothing."""
        if limit < 1:
            raise ValueError(f"cannot read {limit} bytes: at least 1")
        loop = asyncio.get_running_loop()
        await self._be_fair()
        while not self.closed:
            try:
                data = os.read(self._descriptor, limit)
            except BlockingIOError:
                await self._until_ready(loop.add_reader, loop.remove_reader)
                continue
            if not data:
                self.close()
            return data
        return b""

    async def write(self, data: bytes) -> None:
        """Write everything; raises BrokenPipeError when the other side is closed, or this one."""
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            await self._be_fair()
            if self.closed:
                raise BrokenPipeError("the pipe to the process is closed")
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                await self._until_ready(loop.add_writer, loop.remove_writer)

    @property
    def closed(self) -> bool:
        """Tell whether the descriptor was given back."""
        return self._descriptor < 0

    def close(self) -> None:
        """Close the descriptor; whoever waits for it is woken."""
        if self.closed:
            return
        if self._waiting is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.remove_writer(self._descriptor)
            _wake(self._waiting)
        os.close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    async def _be_fair(self) -> None:
        self._streak += 1
        if self._streak > _FAIR:
            self._streak = 0
            await asyncio.sleep(0)

    async def _until_ready(self, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
        if self._waiting is not None:
            raise RuntimeError("another task already waits for this pipe")
        self._streak = 0
        ready = self._waiting = asyncio.get_running_loop().create_future()
        add(self._descriptor, _wake, ready)
        try:
            await ready
        finally:
            self._waiting = None
            if not self.closed:
                remove(self._descriptor)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
