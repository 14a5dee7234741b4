"""Something that is opened when it is first needed, and closed by the task that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, Self, TypeVar

T = TypeVar("T")

Opening = Callable[[], AbstractAsyncContextManager[T]]


class OnDemand(Generic[T]):
    """Opens at the first `get`; what opening raised is raised by each `get`, which tries again."""

    def __init__(self, opening: Opening[T]) -> None:
        self._opening = opening
        self._keeper: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[T] | None = None
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    async def get(self) -> T:
        """Return what is open, opened now if it was not."""
        if self._opened is None or (self._opened.done() and self._opened.exception() is not None):
            self._opened = asyncio.get_running_loop().create_future()
            self._closing = asyncio.Event()
            self._keeper = asyncio.create_task(self._keep(self._opened, self._closing))
        return await asyncio.shield(self._opened)

    async def reopen(self, opening: Opening[T]) -> None:
        """Open something else in its stead: that first, so that nothing changes when it fails."""
        other = OnDemand(opening)
        await other.get()
        await self._close()
        self._opening, self._keeper = opening, other._keeper
        self._opened, self._closing = other._opened, other._closing

    async def _keep(self, opened: asyncio.Future[T], closing: asyncio.Event) -> None:
        """Hold it open: a task group that it has inside must be left by the task that entered it."""
        try:
            async with self._opening() as thing:
                opened.set_result(thing)
                await closing.wait()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def _close(self) -> None:
        self._closing.set()
        keeper, self._keeper, self._opened = self._keeper, None, None
        if keeper is not None:
            await keeper
