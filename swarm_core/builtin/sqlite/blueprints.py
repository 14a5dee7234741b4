"""Blueprints and all their versions, in the same file as runs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import evolve

from swarm_core.builtin.sqlite import blueprint_rows as rows
from swarm_core.builtin.sqlite.checkup import damages_of
from swarm_core.builtin.sqlite.file import open_patiently
from swarm_core.builtin.sqlite.place import Place, parse_url
from swarm_core.builtin.sqlite.reader import Question, Reader
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.builtin.sqlite.writer import Writer
from swarm_core.contracts import BlueprintStore
from swarm_core.errors import BlueprintArchived, StoreUnreadable, VersionConflict
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.versions import entry_of

T = TypeVar("T")

_MANY = 1000  # entries from which on they are read in a thread


class SqliteBlueprintStore(BlueprintStore):
    """A store on one file. Each write is one transaction, so there is no moment between comparing and setting."""

    def __init__(self, place: Place, connection: sqlite3.Connection, now: Callable[[], float] = time.time) -> None:
        self._writer, self._reader = Writer(place, connection, _NoRows()), Reader(place)
        self._now, self.url = now, place.url

    @classmethod
    async def open(cls, url: str) -> SqliteBlueprintStore:
        """Open the file of a URL, which is made when it is not there.

        Raises: SettingsError, when the URL is wrong; StoreUnavailable, StoreUnreadable.
        """
        place = parse_url(url)
        return cls(place, await open_patiently(place))

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        if not self._reader.closed:
            self._reader.close()
            self._writer.close()

    # writing ---------------------------------------------------------------------------------------------------

    async def write_new(
        self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata
    ) -> BlueprintVersion:
        """Add a version on top of the head; raises VersionConflict, BlueprintArchived, InvalidId."""
        first = entry_of(blueprint_id, text, head=None, metadata=metadata, committed_at=self._now())

        def job(cursor: sqlite3.Cursor) -> BlueprintVersion:
            number, archived = rows.find(cursor, blueprint_id) or (None, False)
            if archived:
                raise BlueprintArchived(blueprint_id)
            head = None if number is None else rows.head(cursor, blueprint_id, number)
            if head is not None and head.version == first.version:
                return head
            actual = None if head is None else head.version
            if actual != parent:
                raise VersionConflict(blueprint_id, expected=parent, actual=actual)
            entry = evolve(first, committed_at=self._now())
            if head is not None:
                entry = evolve(entry, number=head.number + 1, parents=(head.version,))
            rows.add(cursor, number, text, entry)
            return entry

        with self._locating():
            return await self._writer.do(job)

    async def archive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint out of use; raises BlueprintNotFound."""
        await self._set_archived(blueprint_id, self._now(), sound(by))

    async def unarchive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint into use again; raises BlueprintNotFound."""
        await self._set_archived(blueprint_id, None, None)

    async def _set_archived(self, blueprint_id: str, at: float | None, by: str | None) -> None:
        check_blueprint_id(blueprint_id)

        def job(cursor: sqlite3.Cursor) -> None:
            number = rows.require(cursor, blueprint_id)
            statement = "UPDATE blueprint_ids SET archived_at = ?, archived_by = ? WHERE num = ?"
            if rows.find(cursor, blueprint_id) != (number, at is not None):
                cursor.execute(statement, (at, by, number))

        await self._writer.do(job)

    # reading ---------------------------------------------------------------------------------------------------

    async def read_head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Return the text of the head, and its entry; raises BlueprintNotFound, BlueprintArchived."""

        def question(cursor: sqlite3.Cursor) -> tuple[str, BlueprintVersion]:
            entry = rows.head(cursor, blueprint_id, rows.require(cursor, blueprint_id, in_use=True))
            return rows.text_of(cursor, entry), entry

        return await self._ask(blueprint_id, question)

    async def read_version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Return the text of a version, and the newest entry that has it; raises BlueprintNotFound."""

        def question(cursor: sqlite3.Cursor) -> tuple[str, BlueprintVersion]:
            entry = rows.one(cursor, blueprint_id, rows.require(cursor, blueprint_id), sound(version))
            return rows.text_of(cursor, entry), entry

        return await self._ask(blueprint_id, question)

    async def history(self, blueprint_id: str, limit: int | None = None) -> Sequence[BlueprintVersion]:
        """Return the entries of a Blueprint, the newest first; raises BlueprintNotFound."""
        most = -1 if limit is None else max(limit, 0)

        def question(cursor: sqlite3.Cursor) -> list[BlueprintVersion]:
            return rows.newest(cursor, blueprint_id, rows.require(cursor, blueprint_id), most)

        return await self._ask(blueprint_id, question, apart=not 0 <= most <= _MANY)

    async def list_ids(self, *, archived: bool = False) -> Sequence[str]:
        """Return the ids that are in use, sorted, or those that are archived."""
        statement = f"SELECT id FROM blueprint_ids WHERE archived_at IS {'NOT ' if archived else ''}NULL"
        found = await self._reader.ask(lambda cursor: cursor.execute(statement).fetchall())
        return sorted(row[0] for row in found)

    async def is_archived(self, blueprint_id: str) -> bool:
        """Tell whether a Blueprint is archived; raises BlueprintNotFound."""

        def question(cursor: sqlite3.Cursor) -> bool:
            number = rows.require(cursor, blueprint_id)
            return rows.find(cursor, blueprint_id) == (number, True)

        return await self._ask(blueprint_id, question)

    async def problems(self) -> Sequence[str]:
        """Check the file and the Blueprints in it; takes time, and does not hold up anybody."""
        return await self._reader.ask_apart(lambda cursor: damages_of(cursor) or list(rows.problems_of(cursor)))

    # inside ----------------------------------------------------------------------------------------------------

    async def _ask(self, blueprint_id: str, question: Question[T], *, apart: bool = False) -> T:
        """Return what is read of a Blueprint."""
        check_blueprint_id(blueprint_id)
        with self._locating():
            return await (self._reader.ask_apart if apart else self._reader.ask)(question)

    @contextmanager
    def _locating(self) -> Iterator[None]:
        """Say of what does not decode in which file it stands."""
        try:
            yield
        except StoreUnreadable as error:
            raise StoreUnreadable(error.message, where=self.url, hint=error.hint) from None


class _NoRows:
    """Nothing is written along with the transactions of Blueprints."""

    def take(self) -> list[Any]:
        return []

    def put_back(self, rows: list[Any]) -> None:
        """Take nothing back: there was nothing."""

    def write(self, cursor: sqlite3.Cursor, rows: Sequence[Any], *, without: Iterable[str]) -> None:
        """Write nothing."""
