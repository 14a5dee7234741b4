"""What workers said, in the same file as their runs."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

from swarm_core.builtin.sqlite.blobs import BESIDE, Blobs, note_run, verified
from swarm_core.builtin.sqlite.place import Place
from swarm_core.builtin.sqlite.reader import Reader
from swarm_core.builtin.sqlite.saying import event_of, parts_of
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.builtin.sqlite.trouble import told_by_system
from swarm_core.builtin.sqlite.writer import Writer
from swarm_core.codec.compact import compact
from swarm_core.contracts import OutputStore
from swarm_core.errors import OutputNotFound, StoreUnreadable
from swarm_core.model.output import OutputEvent, OutputRecord

T = TypeVar("T")

Row: TypeAlias = "tuple[Any, ...]"

_APART = 32 * 1024  # bytes from which on a value is kept by its digest, so that it is there once
_BULKY = 64 * 1024  # characters of values that would leave more free pages behind than it saves to move them later
_MOVED = 256  # new outputs that are moved at once; those that are searched without an index
_COUNT_BITS = 32

_COLUMNS = "run, ref, task_id, attempt, producer, parents, head, value, digest"
_TABLES = ("outputs", "new_outputs")  # in the order in which what they hold came
_INSERT = {
    table: f"""
        INSERT INTO {table} ({_COLUMNS})
        SELECT num, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM output_runs WHERE run_id = ?1
    """
    for table in _TABLES
}
_INSERT_MORE = {table: f"INSERT INTO {table} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" for table in _TABLES}
_MOVE = (f"INSERT INTO outputs ({_COLUMNS}) SELECT {_COLUMNS} FROM new_outputs ORDER BY num", "DELETE FROM new_outputs")

_SELECT = """
    SELECT {place}, o.num, ref, run_id, task_id, attempt, producer, parents, head, value, digest
    FROM {table} o JOIN output_runs r ON r.num = o.run
"""
_BY_REF = f"{_SELECT} WHERE ref = ? ORDER BY o.num DESC LIMIT 1"
_BY_PRODUCER = f"{_SELECT} WHERE producer = ? ORDER BY o.num DESC LIMIT 1"
_BY_ATTEMPT = f"{_SELECT} WHERE ref BETWEEN ? AND ? AND task_id = ? AND attempt = ?"


class OutputRows:
    """Outputs that wait for the next transaction."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._waiting: deque[tuple[Row, bytes | None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, row: Row, large: bytes | None) -> None:
        """Let a row, and its value when that is kept by its digest, wait."""
        self._waiting.append((row, large))

    def take(self) -> list[Any]:
        """Return what waits, which is the caller's from then on."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(len(waiting))] if waiting else []

    def put_back(self, rows: list[Any]) -> None:
        """Take back what could not be written; it goes before what came since."""
        self._waiting.extendleft(reversed(rows))

    def drop(self, run_id: str) -> None:
        """Let nothing of a run wait any more."""
        run_id = sound(run_id)
        self.put_back([waiting for waiting in self.take() if waiting[0][0] != run_id])

    def write(self, cursor: sqlite3.Cursor, rows: Sequence[Any], *, without: Iterable[str]) -> None:
        """Write what was taken, except what belongs to the runs of `without`."""
        if without:
            left_out = {sound(run_id) for run_id in without}
            rows = [waiting for waiting in rows if waiting[0][0] not in left_out]
        bulky = len(rows) >= _MOVED or sum(len(row[-2] or "") for row, _ in rows) > _BULKY
        if bulky:
            _move(cursor)
        table = "outputs" if bulky else "new_outputs"
        last = _insert(cursor, table, [row for row, _ in rows])
        if last >= _MOVED and not bulky:
            _move(cursor)
        for row, large in rows:
            if large is not None:
                self._blobs.keep(cursor, row[0], {row[-1].hex(): large})


def _insert(cursor: sqlite3.Cursor, table: str, rows: Sequence[Row]) -> int:
    """Write rows and return the number of the last one, 0 without any."""
    for place, row in enumerate(rows):
        cursor.execute(_INSERT[table], row)
        if cursor.rowcount != 1:
            note_run(cursor, row[0])
            cursor.execute(_INSERT[table], row)
        if place == 0 and len(rows) > 1 and all(other[0] == row[0] for other in rows):
            return _insert_more(cursor, table, rows[1:])
    return (cursor.lastrowid or 0) if rows else 0


def _insert_more(cursor: sqlite3.Cursor, table: str, rows: Sequence[Row]) -> int:
    """Write more rows of the run that has the newest one, and return the number of the last."""
    first = cursor.lastrowid or 0
    run = cursor.execute(f"SELECT run FROM {table} WHERE num = ?", (first,)).fetchone()[0]
    cursor.executemany(_INSERT_MORE[table], [(run, *row[1:]) for row in rows])
    return first + len(rows)


def _move(cursor: sqlite3.Cursor) -> None:
    for statement in _MOVE:
        cursor.execute(statement)


class SqliteOutputStore(OutputStore):
    """Keeps outputs; what is appended is written with the next transaction of the file, or before it is read."""

    def __init__(self, place: Place, writer: Writer, reader: Reader, blobs: Blobs, rows: OutputRows) -> None:
        self._place, self._writer, self._reader, self._blobs, self._rows = place, writer, reader, blobs, rows
        self._count = random.getrandbits(_COUNT_BITS)

    async def append(
        self,
        *,
        run_id: str,
        task_id: str,
        attempt: int,
        producer_agent: str,
        event: OutputEvent,
        parent_refs: Sequence[str] = (),
    ) -> str:
        """Take one output and return its reference."""
        self._count = (self._count + 1) % (1 << _COUNT_BITS)
        ref = _first_ref(task_id) + self._count
        head, value = parts_of(event)
        parents = compact(list(parent_refs)) if parent_refs else None
        large = value.encode() if value is not None and len(value) >= _APART else None
        digest = None
        if large is not None:
            value, digest = None, sha256(large).digest()
            if len(large) > BESIDE:
                await self._in_thread(partial(self._blobs.write_files, {digest.hex(): large}))
        row = (sound(run_id), ref, sound(task_id), attempt, sound(producer_agent), parents, head, value, digest)
        self._rows.add(row, large)
        return f"out-{ref:016x}"

    async def get(self, ref: str) -> OutputRecord:
        """Return one output; raises OutputNotFound."""
        number = _number(ref)
        found = [] if number is None else await self._read(_BY_REF, (number,))
        if not found:
            raise OutputNotFound(ref)
        return await self._record(found[-1])

    async def get_latest_by_name(self, producer_agent: str) -> OutputRecord:
        """Return the newest output of a producer; raises OutputNotFound."""
        found = await self._read(_BY_PRODUCER, (sound(producer_agent),))
        if not found:
            raise OutputNotFound(producer_agent)
        return await self._record(found[-1])

    async def list_for_attempt(self, task_id: str, attempt: int) -> Sequence[OutputRecord]:
        """Return an attempt's outputs in the order they came."""
        first = _first_ref(task_id)
        found = await self._read(_BY_ATTEMPT, (first, first + (1 << _COUNT_BITS) - 1, sound(task_id), attempt))
        return [await self._record(row) for row in found]

    async def keep(self, run_id: str, blobs: Mapping[str, bytes]) -> None:
        """Keep large values for a run, in a transaction of their own."""
        if any(len(data) > BESIDE for data in blobs.values()):
            await self._in_thread(partial(self._blobs.write_files, blobs))
        await self._writer.do(lambda cursor: self._blobs.keep(cursor, run_id, blobs))

    async def load(self, digest: str) -> bytes:
        """Return a value that was kept; raises OutputNotFound, StoreUnreadable."""
        try:
            data = await self._reader.ask(lambda cursor: self._blobs.find(cursor, digest))
        except OutputNotFound:
            await self.flush()
            data = await self._reader.ask(lambda cursor: self._blobs.find(cursor, digest))
        if data is None:
            data = await self._in_thread(partial(self._blobs.read_file, digest))
        return verified(digest, data)

    async def forget_run(self, run_id: str) -> None:
        """Drop all outputs of a run, and the large values that no other run refers to."""
        self._rows.drop(run_id)
        if await self._writer.do(lambda cursor: self.forget(cursor, run_id), apart=True):
            await self.sweep()

    def forget(self, cursor: sqlite3.Cursor, run_id: str) -> bool:
        """Drop what is there of a run, within a transaction; tell whether files are to be swept."""
        row = cursor.execute("SELECT num FROM output_runs WHERE run_id = ?", (sound(run_id),)).fetchone()
        if row is None:
            return False
        number = row[0]
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE run = ?", (number,))
        to_sweep = self._blobs.forget(cursor, number)
        cursor.execute("DELETE FROM output_runs WHERE num = ?", (number,))
        return to_sweep

    async def sweep(self) -> None:
        """Remove the files of values that nobody refers to any more."""
        await self._writer.do(self._blobs.sweep, apart=True)

    async def flush(self) -> None:
        """Write what waits."""
        if self._rows or self._writer.working:
            await self._writer.do(_nothing)

    async def _read(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        """Return what the statement finds, the new ones last."""
        await self.flush()

        def question(cursor: sqlite3.Cursor) -> list[Row]:
            each = [statement.format(place=place, table=table) for place, table in enumerate(_TABLES)]
            both = " UNION ALL ".join(f"SELECT * FROM ({one})" for one in each)
            return cursor.execute(f"{both} ORDER BY 1, 2", values * len(each)).fetchall()

        return await self._reader.ask(question)

    async def _record(self, row: Row) -> OutputRecord:
        ref, run_id, task_id, attempt, producer, parents, head, value, digest = row[2:]
        if digest is not None:
            value = (await self.load(digest.hex())).decode()
        try:
            return OutputRecord(
                id=f"out-{ref:016x}",
                run_id=run_id,
                task_id=task_id,
                attempt=attempt,
                producer_agent=producer,
                event=event_of(head, value),
                parent_refs=() if parents is None else tuple(json.loads(parents)),
            )
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            said = f"output out-{ref:016x} of run {run_id} does not decode: {error}"
            raise StoreUnreadable(said, where=self._place.url, hint="the others are not touched by it") from None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise told_by_system(error, self._place.url) from None


def _first_ref(task_id: str) -> int:
    """Return the least reference of a task's outputs."""
    return crc32(sound(task_id).encode()) >> 1 << _COUNT_BITS


def _number(ref: str) -> int | None:
    digits = ref.removeprefix("out-")
    if digits == ref or len(digits) != 16 or not set(digits) <= set("0123456789abcdef") or digits[0] > "7":
        return None
    return int(digits, 16)


def _nothing(cursor: sqlite3.Cursor) -> None:
    """Do nothing: what waits is written along with it."""
