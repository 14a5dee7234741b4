"""What is wrong with a store as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from swarm_core.builtin.sqlite.blobs import Blobs
from swarm_core.builtin.sqlite.blueprint_rows import problems_of as blueprint_problems
from swarm_core.builtin.sqlite.enhance_checkup import problems_of as enhance_problems
from swarm_core.builtin.sqlite.trouble import primary_code

_MOST = 100

_GAPS = """
    SELECT ifnull(r.id, 'number ' || run), before, first_seq FROM (
        SELECT id >> 32 AS run, first_seq,
            lag(id & 4294967295, 1, 0) OVER (PARTITION BY id >> 32 ORDER BY id) AS before
        FROM journal
    ) LEFT JOIN runs r ON r.num = run
    WHERE first_seq != before + 1 LIMIT ?
"""
_NO_VALUE = "digest IS NOT NULL AND digest NOT IN (SELECT digest FROM blobs)"
_LOST = (
    ("events of a run that is not there", "journal", "id >> 32", "id >> 32 NOT IN (SELECT num FROM runs)"),
    ("a run without its Blueprint", "runs", "id", "blueprint_hash NOT IN (SELECT hash FROM blueprints)"),
    ("a question of a run that is not there", "questions", "key", "run NOT IN (SELECT num FROM runs)"),
    ("outputs of an unknown run", "outputs", "run", "run NOT IN (SELECT num FROM output_runs)"),
    ("outputs of an unknown run", "new_outputs", "run", "run NOT IN (SELECT num FROM output_runs)"),
    ("an output without its value", "outputs", "ref", _NO_VALUE),
    ("an output without its value", "new_outputs", "ref", _NO_VALUE),
)


def problems_of(cursor: sqlite3.Cursor, blobs: Blobs) -> list[str]:
    """Return what is wrong, a sentence each; when SQLite finds the file damaged, only what it says."""
    damages = damages_of(cursor)
    if damages:
        return damages
    runs = (*_gaps(cursor), *_lost(cursor), *blobs.problems(cursor))
    return [*runs, *blueprint_problems(cursor), *enhance_problems(cursor)]


def damages_of(cursor: sqlite3.Cursor) -> list[str]:
    """Return what SQLite says of a damaged file, a sentence each."""
    try:
        damages = [row[0] for row in cursor.execute(f"PRAGMA integrity_check({_MOST})").fetchall()]
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_CORRUPT:
            raise
        damages = [str(error)]
    return [f"the file is damaged: {damage}" for damage in damages if damage != "ok"]


def _gaps(cursor: sqlite3.Cursor) -> Iterator[str]:
    for run, before, first in cursor.execute(_GAPS, (_MOST,)).fetchall():
        yield f"the journal of run {run} has event {first} after event {before}"


def _lost(cursor: sqlite3.Cursor) -> Iterator[str]:
    for what, table, name, condition in _LOST:
        statement = f"SELECT DISTINCT {name} FROM {table} WHERE {condition} LIMIT ?"
        for (found,) in cursor.execute(statement, (_MOST,)).fetchall():
            yield f"table {table} has {what}: {found}"
