"""Runs, their journals and their questions, in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve

from swarm_core.builtin.sqlite import queries
from swarm_core.builtin.sqlite.blobs import Blobs
from swarm_core.builtin.sqlite.checkup import problems_of
from swarm_core.builtin.sqlite.file import open_patiently
from swarm_core.builtin.sqlite.outputs import OutputRows, SqliteOutputStore
from swarm_core.builtin.sqlite.place import Place, parse_url
from swarm_core.builtin.sqlite.reader import Reader
from swarm_core.builtin.sqlite.records import SEQ_BITS
from swarm_core.builtin.sqlite.texts import sound, unpacked
from swarm_core.builtin.sqlite.writer import Writer
from swarm_core.builtin.sqlite.writes import apply
from swarm_core.codec.compact import compact
from swarm_core.contracts import RunStore
from swarm_core.errors import AlreadyAnswered, RunLost, StoreError, StoreUnreadable
from swarm_core.model.run import (
    Asked,
    JournalRow,
    Owner,
    Question,
    Refusal,
    RunFilter,
    RunWrite,
    StoredRun,
)
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

_MANY = 1000  # events or runs, from which on they are read in a thread
_RECHECK = 1.0  # seconds after which questions may have fallen due


class SqliteRunStore(RunStore):
    """A store on one file; `outputs` keeps what workers said in the same one, and in the same transactions."""

    outputs: SqliteOutputStore

    def __init__(self, place: Place, connection: sqlite3.Connection) -> None:
        blobs = Blobs(Path(f"{place.path}.blobs"))
        rows = OutputRows(blobs)
        self._writer, self._reader = Writer(place, connection, rows), Reader(place)
        self._rows, self._blobs = rows, blobs
        self._told: dict[str, tuple[object, float]] = {}
        self.durability, self.url = place.durability, place.url
        self.outputs = SqliteOutputStore(place, self._writer, self._reader, blobs, rows)

    @classmethod
    async def open(cls, url: str) -> SqliteRunStore:
        """Open the file of a URL, which is made when it is not there.

        Raises: SettingsError, when the URL is wrong; StoreUnavailable, StoreUnreadable.
        """
        place = parse_url(url)
        return cls(place, await open_patiently(place))

    async def close(self) -> None:
        """Write what waits, take the log into the file, and close it; closing it again does nothing."""
        if self._reader.closed:
            return
        try:
            if self._rows and not self._writer.broken:
                await self.outputs.flush()
        finally:
            self._reader.close()
            self._writer.close()

    # owners ----------------------------------------------------------------------------------------------------

    async def enlist(self, owner: Owner) -> None:
        """Keep an engine as an owner, or renew its sign of life."""
        row = (owner.id, owner.host, owner.pid, owner.boot, owner.started, owner.seen_at, owner.seen_mono)
        await self._writer.do(
            lambda cursor: cursor.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        )

    async def leave(self, owner_id: str) -> None:
        """Forget an owner and let go of its runs."""

        def job(cursor: sqlite3.Cursor) -> None:
            cursor.execute("UPDATE runs SET owner = NULL WHERE owner = ?", (sound(owner_id),))
            cursor.execute("DELETE FROM owners WHERE id = ?", (sound(owner_id),))

        await self._writer.do(job)

    async def owners(self) -> Sequence[Owner]:
        """Return all owners."""
        rows = await self._reader.ask(lambda cursor: cursor.execute("SELECT * FROM owners ORDER BY id").fetchall())
        return [
            Owner(id=name, host=host, pid=pid, boot=boot, started=started, seen_at=seen_at, seen_mono=seen_mono)
            for name, host, pid, boot, started, seen_at, seen_mono in rows
        ]

    # writing ---------------------------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[RunWrite]) -> Mapping[str, Refusal]:
        """Write what belongs to several runs, and the outputs that wait, in one transaction."""

        def job(cursor: sqlite3.Cursor) -> dict[str, Refusal]:
            refused = apply(cursor, writes)
            if refused:
                self._writer.leave_out(refused)
            return refused

        return await self._writer.do(job, gathered=True)

    async def claim(self, run_id: str, owner_id: str, epoch: int) -> StoredRun:
        """Give a run that is at `epoch` to an owner; raises RunNotFound, RunLost."""

        def job(cursor: sqlite3.Cursor) -> StoredRun:
            cursor.execute(
                "UPDATE runs SET owner = ?, epoch = epoch + 1 WHERE id = ? AND epoch = ?",
                (sound(owner_id), sound(run_id), epoch),
            )
            claimed = cursor.rowcount == 1
            run = queries.get_run(cursor, run_id)
            if not claimed:
                raise RunLost(run_id)
            return run

        return await self._writer.do(job)

    async def ask_cancel(self, run_id: str, by: str, at: float) -> StoredRun:
        """Note that a cancel is wanted; raises RunNotFound."""

        def job(cursor: sqlite3.Cursor) -> StoredRun:
            run = queries.get_run(cursor, run_id)
            if run.cancel is not None or run.status in FINAL_RUN_STATUSES:
                return run
            cursor.execute("UPDATE runs SET cancel = ? WHERE id = ?", (compact({"by": by, "at": at}), sound(run_id)))
            return queries.get_run(cursor, run_id)

        return await self._writer.do(job)

    async def answer(self, key: str, answer: Any, *, by: str, at: float) -> Question:
        """Give an open question its answer; raises ResumeKeyNotFound, AlreadyAnswered."""

        def job(cursor: sqlite3.Cursor) -> Question:
            cursor.execute(
                "UPDATE questions SET state = 'answered', answer = ?, answered_by = ?, answered_at = ?"
                " WHERE key = ? AND state = 'open'",
                (compact(answer), sound(by), at, sound(key)),
            )
            answered = cursor.rowcount == 1
            question = queries.get_question(cursor, key)
            if not answered:
                raise AlreadyAnswered(key, by=question.answered_by, at=question.answered_at)
            return question

        return await self._writer.do(job)

    async def delete(self, run_id: str) -> None:
        """Remove a run, its outputs, and Blueprints that no run has any more; raises RunNotFound."""

        def job(cursor: sqlite3.Cursor) -> bool:
            number = queries.number_of(cursor, run_id)
            base = number << SEQ_BITS
            cursor.execute("DELETE FROM journal WHERE id BETWEEN ? AND ?", (base, base + (1 << SEQ_BITS) - 1))
            cursor.execute("DELETE FROM questions WHERE run = ?", (number,))
            cursor.execute("DELETE FROM runs WHERE num = ?", (number,))
            cursor.execute("DELETE FROM blueprints WHERE NOT EXISTS (SELECT 1 FROM runs WHERE blueprint_hash = hash)")
            self._writer.leave_out([run_id])
            return self.outputs.forget(cursor, run_id)

        if await self._writer.do(job, apart=True):
            await self.outputs.sweep()

    # reading ---------------------------------------------------------------------------------------------------

    async def get(self, run_id: str) -> StoredRun:
        """Return a run's record; raises RunNotFound."""
        return await self._reader.ask(lambda cursor: queries.get_run(cursor, run_id))

    async def find(self, key: str) -> StoredRun | None:
        """Return the run that was launched under an idempotency key."""
        return await self._reader.ask(lambda cursor: queries.find_run(cursor, key))

    async def runs(self, wanted: RunFilter) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first; raises RunNotFound for its `before`."""
        few = evolve(wanted, limit=min(wanted.limit, _MANY))
        found = await self._reader.ask(lambda cursor: queries.list_runs(cursor, few))
        if len(found) < _MANY or wanted.limit == _MANY:
            return found
        return await self._reader.ask_apart(lambda cursor: queries.list_runs(cursor, wanted))

    async def count(self) -> Mapping[RunStatus, int]:
        """Return how many runs stand where."""
        statement = "SELECT status, count(*) FROM runs GROUP BY status"
        rows = await self._reader.ask(lambda cursor: cursor.execute(statement).fetchall())
        return {RunStatus(status): count for status, count in rows}

    async def blueprint(self, digest: str) -> str:
        """Return a Blueprint as canonical JSON text; raises StoreError, StoreUnreadable."""
        statement = "SELECT body FROM blueprints WHERE hash = ?"
        row = await self._reader.ask(lambda cursor: cursor.execute(statement, (sound(digest),)).fetchone())
        if row is None:
            raise StoreError(f"no Blueprint has the hash {digest}", where=self.url)
        try:
            return unpacked(row[0])
        except ValueError as error:
            hint = "the runs of other Blueprints are not touched by it; restore a backup of the store"
            raise StoreUnreadable(f"the Blueprint {digest}: {error}", where=self.url, hint=hint) from None

    async def result(self, run_id: str) -> str | None:
        """Return the final ctx of a run as JSON text; raises RunNotFound."""

        def question(cursor: sqlite3.Cursor) -> str | None:
            number = queries.number_of(cursor, run_id)
            row = cursor.execute("SELECT result FROM runs WHERE num = ?", (number,)).fetchone()
            return None if row is None else row[0]

        return await self._reader.ask(question)

    async def rows(self, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalRow]:
        """Return the rows of a run's journal whose last event comes after a number; raises RunNotFound."""
        number, last = await self._reader.ask(lambda cursor: queries.span(cursor, run_id))
        many = last - after > _MANY and (limit is None or limit > _MANY)
        ask = self._reader.ask_apart if many else self._reader.ask
        return await ask(partial(queries.read_rows, run_id=run_id, number=number, after=after, limit=limit))

    async def questions(self, run_id: str | None = None, *, open_only: bool = False) -> Sequence[Question]:
        """Return questions, of one run or of all, in the order in which they were asked."""
        ask = self._reader.ask_apart if run_id is None else self._reader.ask
        return await ask(lambda cursor: queries.list_questions(cursor, run_id, open_only))

    async def question(self, key: str) -> Question:
        """Return one question; raises ResumeKeyNotFound."""
        return await self._reader.ask(lambda cursor: queries.get_question(cursor, key))

    async def asked(self, owner_id: str, now: float) -> Asked | None:
        """Return what was asked of an owner's runs, None when nothing changed since the last call."""

        def question(cursor: sqlite3.Cursor) -> Asked | None:
            version = _version(cursor)
            told = self._told.get(owner_id)
            changed = told is None or told[0] != version
            if not changed and told is not None and abs(now - told[1]) < _RECHECK:
                return None
            asked = queries.what_was_asked(cursor, owner_id, now)
            self._told[owner_id] = (version, now)
            return asked if changed or asked.due else None

        return await self._reader.ask(question)

    async def version(self) -> object:
        """Return what changes with every commit, whoever makes it."""
        return await self._reader.ask(_version)

    async def problems(self) -> Sequence[str]:
        """Check the whole file and what stands beside it; takes time, and does not hold up anybody."""
        return await self._reader.ask_apart(lambda cursor: problems_of(cursor, self._blobs))


def _version(cursor: sqlite3.Cursor) -> object:
    """Return what differs when somebody has written; each connection has a count of its own."""
    return id(cursor), cursor.execute("PRAGMA data_version").fetchone()[0]
