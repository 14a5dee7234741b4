"""Reading from the file, beside whatever is being written."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from swarm_core.builtin.sqlite.file import connect
from swarm_core.builtin.sqlite.place import Place
from swarm_core.builtin.sqlite.trouble import is_busy, told
from swarm_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

Question: TypeAlias = Callable[[sqlite3.Cursor], T]
"""What is to be read: it gets a cursor, and reads to the end what it begins to read."""

_PAUSE = 0.01


class Reader:
    """Reads on the event loop what is small, and in a thread what is large or locked; opened when it is first used."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._near: sqlite3.Cursor | None = None
        self._far: sqlite3.Cursor | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._closing = threading.Event()

    @property
    def closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closing.is_set()

    async def ask(self, question: Question[T]) -> T:
        """Return what the question reads.

        Raises: StoreUnavailable, StoreUnreadable, and what the question raises.
        """
        try:
            return self._ask_near(question)
        except sqlite3.OperationalError:  # locked, which happens while another process opens or closes the file
            return await self.ask_apart(question)

    async def ask_apart(self, question: Question[T]) -> T:
        """Return what the question reads, off the event loop; raises as `ask`."""
        self._check()
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="swarm-store-reader")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._ask_far, question)

    def close(self) -> None:
        """Close the connections; what is being read is refused."""
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown()
        for cursor in (self._near, self._far):
            if cursor is not None:
                cursor.close()
                cursor.connection.close()

    def _ask_near(self, question: Question[T]) -> T:
        self._check()
        try:
            if self._near is None:
                self._near = connect(self._place).cursor()
            return question(self._near)
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            raise told(error, self._place.url) from None

    def _ask_far(self, question: Question[T]) -> T:
        last = monotonic() + self._place.lock_timeout
        while True:
            try:
                if self._far is None:
                    self._far = connect(self._place).cursor()
                return question(self._far)
            except sqlite3.Error as error:
                if not is_busy(error) or monotonic() >= last:
                    raise told(error, self._place.url) from None
            if self._closing.wait(_PAUSE):
                self._check()

    def _check(self) -> None:
        if self.closed:
            raise StoreUnavailable("is closed", where=self._place.url, hint="open the store anew")
