"""Places for workers: at most so many at the same time, and none held by one that only waits.

A worker that waits for a child of its own, or for an answer, gives its slot to others meanwhile: if it kept it, one
slot and one child would be enough to wait for ever. Both limits, an agent's and a run's, are kept in this way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A number of slots, given out in the order in which they were asked for."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take a slot, waiting for it if none is free; whoever is cancelled meanwhile has none."""
        if self._free > 0:  # then nobody waits
            self._free -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()  # it was given in the same moment
            raise

    def seize(self) -> None:
        """Take a slot without waiting, even if that is one too many; the others wait until it is made up for."""
        self._free -= 1

    def release(self) -> None:
        """Give a slot back."""
        self._free += 1
        while self._free > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)


class Seat:
    """What one task holds while it is worked on: a slot of each of several sorts, all of them or none.

    All seats of a run name their sorts in the same order (the agent's before the run's), so nobody waits in a circle.
    """

    __slots__ = ("_absent", "_held", "_left", "_return", "_slots")

    def __init__(self, *slots: Slots) -> None:
        self._slots = slots
        self._held = self._left = False
        self._absent = 0
        self._return: asyncio.Future[None] | None = None

    async def take(self) -> None:
        """Take the slots, waiting for them; whoever is cancelled meanwhile has none."""
        taken: list[Slots] = []
        try:
            for slots in self._slots:
                await slots.acquire()
                taken.append(slots)
        except asyncio.CancelledError:
            for slots in taken:
                slots.release()
            raise
        self._held = True

    def leave(self) -> None:
        """Give back what is held, for good."""
        self._left = True
        self._let_go()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Give the slots back while the body waits, and go on when they are had again.

        A worker may wait for several things at once: it goes on without slots until the last of them has come. One that
        is cancelled has its slots back at once, even if others have them: it works on, if only to its end.
        """
        self._absent += 1
        self._let_go()
        try:
            yield
        except Exception:
            await self._come_back()
            raise
        except BaseException:
            self._absent -= 1
            self._seize()
            raise
        await self._come_back()

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            for slots in self._slots:
                slots.release()

    def _seize(self) -> None:
        if self._wanted and self._return is None:
            self._held = True
            for slots in self._slots:
                slots.seize()

    @property
    def _wanted(self) -> bool:
        return not (self._left or self._absent)

    async def _come_back(self) -> None:
        """Take the slots again, unless somebody else of the same worker is about it, or waits on for something."""
        self._absent -= 1
        if self._return is not None:
            await asyncio.shield(self._return)
        elif self._wanted:
            self._return = asyncio.get_running_loop().create_future()
            try:
                await self._take_again()
            finally:
                self._return.set_result(None)
                self._return = None

    async def _take_again(self) -> None:
        waited_for = 0
        try:
            for slots in self._slots:
                await slots.acquire()
                waited_for += 1
        except asyncio.CancelledError:
            for slots in self._slots[waited_for:]:
                slots.seize()
            raise
        finally:
            self._held = True
            if self._left or self._absent:
                self._let_go()
