"""The part of the file that one store has, beside whatever else is kept in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from swarm_core.builtin.sqlite.file import open_patiently
from swarm_core.builtin.sqlite.place import Place, parse_url
from swarm_core.builtin.sqlite.reader import Question, Reader
from swarm_core.builtin.sqlite.writer import Job, Writer

T = TypeVar("T")


class Part:
    """Reads and writes a few tables, through connections of its own."""

    def __init__(self, place: Place, connection: sqlite3.Connection) -> None:
        self._writer, self._reader = Writer(place, connection, _NoRows()), Reader(place)
        self.url = place.url

    @classmethod
    async def open(cls, url: str) -> Part:
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

    async def write(self, job: Job[T]) -> T:
        """Carry out a job in a transaction; raises as `Writer.do`."""
        return await self._writer.do(job)

    async def read(self, question: Question[T]) -> T:
        """Return what is read that is small; raises as `Reader.ask`."""
        return await self._reader.ask(question)

    async def read_many(self, question: Question[T]) -> T:
        """Return what may be large, without holding up the event loop; raises as `Reader.ask`."""
        return await self._reader.ask_apart(question)


class _NoRows:
    """Nothing is written along with these transactions."""

    def take(self) -> list[Any]:
        return []

    def put_back(self, rows: list[Any]) -> None:
        """Take nothing back: there was nothing."""

    def write(self, cursor: sqlite3.Cursor, rows: Sequence[Any], *, without: Iterable[str]) -> None:
        """Write nothing."""
