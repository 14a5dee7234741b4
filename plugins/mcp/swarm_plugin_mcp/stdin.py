"""Stdin as the protocol reads it: line by line, bounded, and given up as soon as nobody wants more."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

_logger = logging.getLogger(__name__)

LONGEST = 16 * 1024 * 1024
"""Bytes of one message; a longer one ends the conversation."""

_PIECE = 64 * 1024
_AHEAD = 64


class Lines:
    """The lines that come from a descriptor, as text.

    They are read by a thread that may be left behind: nothing else can stop a read that waits for a terminal or a file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            self._room.release()
            yield line

    def end(self) -> None:
        """Let this be the end of the lines."""
        self._lines.put_nowait(None)

    def _read(self) -> None:
        kept: list[bytes] = []
        size = 0
        while piece := self._piece():
            first, *rest = piece.split(b"\n")
            kept.append(first)
            size += len(first)
            if size > LONGEST:
                _logger.error("a message has more than %d bytes: the conversation ends", LONGEST)
                break
            for line in rest:
                self._put(b"".join(kept).decode("utf-8", "replace"))
                kept, size = [line], len(line)
        self._put(None)

    def _piece(self) -> bytes:
        try:
            return os.read(self._descriptor, _PIECE)
        except OSError:
            return b""

    def _put(self, line: str | None) -> None:
        self._room.acquire()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


@contextmanager
def own_stdin() -> Iterator[int]:
    """Yield a descriptor that reads stdin, while everything else that reads there finds it empty."""
    private = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield private
    finally:
        os.dup2(private, 0)
