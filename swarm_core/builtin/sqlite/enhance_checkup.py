"""What is wrong with the issues, enhance settings and log entries of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from swarm_core.builtin.sqlite.enhance import entry_of, setting_of
from swarm_core.builtin.sqlite.issues import issue_of, status_of
from swarm_core.errors import StoreUnreadable

_MOST = 100

_READ: tuple[tuple[str, Callable[..., object]], ...] = (
    ("SELECT id, body FROM issues", issue_of),
    ("SELECT id, state, told FROM issues", status_of),
    ("SELECT id, body FROM enhance_settings", setting_of),
    ("SELECT issue_id, body FROM enhance_log", entry_of),
)


def problems_of(cursor: sqlite3.Cursor) -> Iterator[str]:
    """Yield what does not decode, a sentence each, but no more than some of each kind."""
    for statement, read in _READ:
        rows = cursor.execute(statement)
        yield from islice(_wrong(rows, read), _MOST)
        rows.fetchall()


def _wrong(rows: Iterable[tuple[str, ...]], read: Callable[..., object]) -> Iterator[str]:
    for row in rows:
        try:
            read(*row)
        except StoreUnreadable as error:
            yield error.message
