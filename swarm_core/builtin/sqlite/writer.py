"""The one way to write to the file: one transaction at a time, of all that waits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from swarm_core.builtin.sqlite.place import Place
from swarm_core.builtin.sqlite.trouble import is_busy, primary_code, told
from swarm_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

Job: TypeAlias = Callable[[sqlite3.Cursor], T]
"""What is done in a transaction: it gets the cursor, and what it raises undoes it."""

# A hop to the thread and back costs 90 us, a commit 20 us (relaxed) to 250 us (full) on a quick disk.
_SLOW = 0.002
_WEIGHT = 0.125  # of the newest commit in the average
_PAUSES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.025)


class Rows(Protocol):
    """What is written along with the next transaction, whatever that is for."""

    def take(self) -> list[Any]:
        """Return what waits, which is the caller's from then on."""

    def put_back(self, rows: list[Any]) -> None:
        """Take back what could not be written; it goes before what came since."""

    def write(self, cursor: sqlite3.Cursor, rows: Sequence[Any], *, without: Iterable[str]) -> None:
        """Write what was taken, except what belongs to the runs of `without`."""


class Writer:
    """Carries out jobs in transactions: on the event loop while commits are quick, else in a thread of its own.

    It also goes to the thread when another process holds the write lock. What is asked for while the thread works makes
    up its next transaction together, and so does what is asked for in one turn of the event loop after the first. After
    a commit that failed nothing is written any more: SQLite would let the next one succeed, and what the system had not
    written by then would be missing under it.
    """

    def __init__(self, place: Place, connection: sqlite3.Connection, rows: Rows) -> None:
        self._place, self._connection, self._rows = place, connection, rows
        self._cursor = connection.cursor()
        self._usual = 0.0
        self._without: set[str] = set()
        self._line: list[tuple[Job[Any], asyncio.Future[Any]]] = []
        self._running: asyncio.Future[list[Any]] | None = None
        self._in_turn = False
        self._pool: ThreadPoolExecutor | None = None
        self._closing = threading.Event()
        self._refusal: str | None = None

    @property
    def working(self) -> bool:
        """Tell whether the thread is at work."""
        return self._running is not None

    @property
    def broken(self) -> bool:
        """Tell whether a commit has failed, or the file is closed."""
        return self._refusal is not None

    async def do(self, job: Job[T], *, apart: bool = False, gathered: bool = False) -> T:
        """Carry out a job in a transaction and return what it returned; `apart` keeps a long one off the event loop.

        `gathered` says that the caller gathers what belongs together itself: it need not wait for the turn's end.
        Raises: StoreUnavailable, StoreUnreadable, and what the job raises; then nothing of it was written.
        """
        loop = asyncio.get_running_loop()
        if self._running is None and not apart and (gathered or not self._in_turn) and self._usual < _SLOW:
            if not gathered:
                self._in_turn = True
                loop.call_soon(self._turn_over)
            try:
                return self._at_once(job)
            except sqlite3.OperationalError:
                pass  # locked: the thread can wait
        future = loop.create_future()
        self._line.append((job, future))
        if self._running is None and (apart or not self._in_turn):
            self._run_line()
        done: T = await future
        return done

    def leave_out(self, run_ids: Iterable[str]) -> None:
        """Write no rows of these runs along with the transaction that is being made; for jobs."""
        self._without.update(run_ids)

    def close(self) -> None:
        """Close the file; who waits for the thread is refused."""
        self._refusal = self._refusal or "is closed"
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown()
        self._cursor.close()  # SQLite keeps the file open while a statement of it is held by anybody
        self._connection.close()

    # on the event loop -----------------------------------------------------------------------------------------

    def _at_once(self, job: Job[T]) -> T:
        """Carry out a job now; raises sqlite3.OperationalError when it would have to wait."""
        self._check()
        self._begin()
        return self._finish(job, self._rows.take())

    def _turn_over(self) -> None:
        """Carry out what was asked for in this turn, in one transaction."""
        self._in_turn = False
        if self._line and self._running is None:
            line, self._line = self._line, []
            try:
                ends = self._at_once(lambda cursor: [job(cursor) for job, _ in line])
            except Exception:  # locked, or one of the jobs raised: the thread waits, and does each in its own then
                self._line[:0] = line
                self._run_line()
            else:
                self._settle(line, ends)

    def _run_line(self) -> None:
        line, self._line = self._line, []
        jobs, rows = [job for job, _ in line], self._rows.take()
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="swarm-store")
        loop = asyncio.get_running_loop()
        try:
            self._running = loop.run_in_executor(self._pool, self._together, jobs, rows)
        except RuntimeError:  # the pool is shut down
            self._rows.put_back(rows)
            self._settle(line, [self._closed()] * len(line))
            return
        self._running.add_done_callback(partial(self._ran, line))

    def _ran(self, line: list[tuple[Job[Any], asyncio.Future[Any]]], running: asyncio.Future[list[Any]]) -> None:
        self._running = None
        self._settle(line, running.result())
        if self._line:
            self._run_line()

    @staticmethod
    def _settle(line: list[tuple[Job[Any], asyncio.Future[Any]]], ends: list[Any]) -> None:
        for (_, future), end in zip(line, ends, strict=True):
            if future.done():
                continue
            if isinstance(end, _Raised):
                future.set_exception(end.error)
            else:
                future.set_result(end)

    # in the thread ---------------------------------------------------------------------------------------------

    def _together(self, jobs: list[Job[Any]], rows: list[Any]) -> list[Any]:
        """Carry out jobs in one transaction; when that fails, each in its own. Return how each of them ended."""
        try:
            self._begin_patiently()
        except Exception as error:
            self._rows.put_back(rows)
            return [_Raised(error)] * len(jobs)
        try:
            return self._finish(lambda cursor: [job(cursor) for job in jobs], rows)
        except Exception as error:
            if len(jobs) == 1:
                return [_Raised(error)]
        return [end for job in jobs for end in self._together([job], self._rows.take())]

    def _begin_patiently(self) -> None:
        self._check()
        last = monotonic() + self._place.lock_timeout
        pauses = iter(_PAUSES)
        while True:
            try:
                return self._begin()
            except sqlite3.OperationalError as error:
                if monotonic() >= last:
                    raise told(error, self._place.url) from None
            if self._closing.wait(next(pauses, _PAUSES[-1])):
                raise self._closed().error

    # in either -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._refusal is not None:
            hint = "what was acknowledged is safe; open the store anew when the cause is gone"
            raise StoreUnavailable(self._refusal, where=self._place.url, hint=hint)

    def _begin(self) -> None:
        """Take the write lock; raises sqlite3.OperationalError when another connection has it."""
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            raise told(error, self._place.url) from None

    def _finish(self, job: Job[T], rows: list[Any]) -> T:
        began = perf_counter()
        if self._without:
            self._without.clear()
        try:
            done = job(self._cursor)
            if rows:
                self._rows.write(self._cursor, rows, without=self._without)
        except BaseException as error:
            self._undo(rows)
            if isinstance(error, sqlite3.Error):
                raise told(error, self._place.url) from None
            raise
        try:
            self._cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(rows)
            raise self._fail(error) from None
        self._usual += (perf_counter() - began - self._usual) * _WEIGHT
        return done

    def _undo(self, rows: list[Any]) -> None:
        self._rows.put_back(rows)
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._cursor.execute("ROLLBACK")

    def _fail(self, error: sqlite3.Error) -> Exception:
        trouble = told(error, self._place.url)
        if primary_code(error) == sqlite3.SQLITE_FULL:  # a write was refused, so it was not one to be synced
            return trouble
        self._refusal = f"takes no more, because a commit failed: it {trouble.message}"
        hint = "it was not acknowledged; nothing more is written until the store is opened anew"
        return StoreUnavailable(trouble.message, where=self._place.url, hint=hint)

    def _closed(self) -> _Raised:
        return _Raised(StoreUnavailable("is closed", where=self._place.url, hint="open it anew"))


class _Raised:
    """How a job ended that raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error
