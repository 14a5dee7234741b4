"""What is written to runs at once: checked first, so a run that is refused is not changed at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise

from swarm_core.builtin.sqlite.records import INSERT_QUESTION, INSERT_RUN, SEQ_BITS, row_of_question, row_of_run
from swarm_core.builtin.sqlite.texts import packed, sound
from swarm_core.codec.compact import compact
from swarm_core.model.run import JournalRow, Refusal, RunChange, RunWrite

# One statement checks the epoch and the number of the last event and writes: it is all that most commits consist of.
# Where it finds no run, the id would be a text, which fails. `INSERT ... SELECT` would first build a table of what it
# has selected, because it reads the table that it writes to.
_APPEND_FENCED = """
    INSERT INTO journal (id, first_seq, body) VALUES (ifnull((
        SELECT (num << 32) + ?1 FROM runs WHERE id = ?4 AND epoch = ?5 AND ifnull(
            (SELECT max(j.id) FROM journal j WHERE j.id BETWEEN num << 32 AND (num << 32) + 4294967295), num << 32
        ) = (num << 32) + ?2 - 1
    ), 'refused'), ?2, ?3)
"""
_APPEND = "INSERT INTO journal (id, first_seq, body) VALUES (?, ?, ?)"
_FENCE = "SELECT num FROM runs WHERE id = ? AND epoch = ?"

# What is not said stays as it is.
_CHANGE = """
    UPDATE runs SET
        updated_at = ?, status = ifnull(?, status), ended_at = ifnull(?, ended_at), error = ifnull(?, error),
        counts = ifnull(?, counts), result = ifnull(?, result), blueprint_hash = ifnull(?, blueprint_hash),
        owner = CASE WHEN ? THEN NULL ELSE owner END
    WHERE num = ?
"""
_CLOSE = "UPDATE questions SET state = 'closed' WHERE key = ? AND run = ? AND state = 'open'"
_EXPIRE = """
    UPDATE questions SET state = 'expired', answer = CASE WHEN has_default THEN fallback ELSE answer END
    WHERE key = ? AND run = ? AND state = 'open'
"""
_TAKE = "UPDATE questions SET taken = 1 WHERE key = ? AND run = ?"


def apply(cursor: sqlite3.Cursor, writes: Sequence[RunWrite]) -> dict[str, Refusal]:
    """Write what belongs to several runs and return the runs that were refused, and why."""
    refused: dict[str, Refusal] = {}
    for write in writes:
        refusal = _write(cursor, write)
        if refusal is not None:
            refused[write.run_id] = refusal
    return refused


def _write(cursor: sqlite3.Cursor, write: RunWrite) -> Refusal | None:
    rows = write.rows
    if len(rows) > 1 and not _are_in_order(rows):
        return Refusal.FENCED
    number = _fenced(cursor, write) if write.create is None else _created(cursor, write)
    if isinstance(number, Refusal):
        return number
    if write.blueprints:
        bodies = [(digest, packed(body)) for digest, body in write.blueprints.items()]
        cursor.executemany("INSERT OR IGNORE INTO blueprints (hash, body) VALUES (?, ?)", bodies)
    if write.change is not None:
        cursor.execute(_CHANGE, (*_changed(write.change), number))
    if write.opened:
        cursor.executemany(INSERT_QUESTION, [(number, *row_of_question(question)) for question in write.opened])
    for statement, keys in ((_CLOSE, write.closed), (_EXPIRE, write.expired), (_TAKE, write.taken)):
        if keys:
            cursor.executemany(statement, [(sound(key), number) for key in keys])
    return None


def _are_in_order(rows: Sequence[JournalRow]) -> bool:
    return all(after.first_seq == before.last_seq + 1 for before, after in pairwise(rows))


def _fenced(cursor: sqlite3.Cursor, write: RunWrite) -> int | Refusal:
    """Append the rows of a run that is there, and return its number."""
    run_id = sound(write.run_id)
    if not write.rows:
        found = cursor.execute(_FENCE, (run_id, write.epoch)).fetchone()
        return Refusal.FENCED if found is None else int(found[0])
    first = write.rows[0]
    try:
        cursor.execute(_APPEND_FENCED, (first.last_seq, first.first_seq, sound(first.body), run_id, write.epoch))
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_MISMATCH:
            raise
        return Refusal.FENCED
    number = (cursor.lastrowid or 0) >> SEQ_BITS
    if len(write.rows) > 1:
        _append(cursor, number, write.rows[1:])
    return number


def _created(cursor: sqlite3.Cursor, write: RunWrite) -> int | Refusal:
    """Write the record and the rows of a new run, and return its number."""
    run = write.create
    assert run is not None
    if cursor.execute("SELECT 1 FROM runs WHERE id = ?", (sound(run.id),)).fetchone():
        return Refusal.EXISTS
    if run.key is not None and cursor.execute("SELECT 1 FROM runs WHERE key = ?", (sound(run.key),)).fetchone():
        return Refusal.KEY_TAKEN
    if write.rows and write.rows[0].first_seq != 1:
        return Refusal.FENCED
    cursor.execute(INSERT_RUN, row_of_run(run))
    number = cursor.lastrowid or 0
    _append(cursor, number, write.rows)
    return number


def _append(cursor: sqlite3.Cursor, number: int, rows: Sequence[JournalRow]) -> None:
    base = number << SEQ_BITS
    cursor.executemany(_APPEND, [(base + row.last_seq, row.first_seq, sound(row.body)) for row in rows])


def _changed(change: RunChange) -> tuple[object, ...]:
    return (
        change.updated_at,
        None if change.status is None else str(change.status),
        change.ended_at,
        None if change.error is None else compact(dict(change.error)),
        None if change.counts is None else compact(dict(change.counts)),
        None if change.result is None else sound(change.result),
        change.blueprint_hash,
        change.release,
    )
