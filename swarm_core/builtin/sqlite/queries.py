"""What is read of runs, their journals and their questions."""

from __future__ import annotations

import sqlite3
from typing import Any

from swarm_core.builtin.nearest import NEWEST, run_not_found
from swarm_core.builtin.sqlite.records import SELECT_QUESTION, SELECT_RUN, SEQ_BITS, question_of, run_of
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.errors import ResumeKeyNotFound, RunNotFound
from swarm_core.model.run import Asked, JournalRow, Question, RunFilter, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES

_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL_RUN_STATUSES))

_CANCELLED = f"SELECT id FROM runs WHERE owner = ? AND cancel IS NOT NULL AND status NOT IN ({_FINAL}) ORDER BY num"
# An owner may have very many runs, few of them with such a question: `+` keeps SQLite from beginning with the runs.
_OF_OWNER = f"{SELECT_QUESTION} WHERE q.num IN ({{wanted}}) AND +r.owner = ? ORDER BY q.num"
_ANSWERED = _OF_OWNER.format(wanted="SELECT num FROM questions WHERE state = 'answered' AND taken = 0")
_DUE = _OF_OWNER.format(wanted="SELECT num FROM questions WHERE state = 'open' AND expires_at <= ?")

_SEQS = (1 << SEQ_BITS) - 1


def get_run(cursor: sqlite3.Cursor, run_id: str) -> StoredRun:
    """Return a run's record; raises RunNotFound."""
    row = cursor.execute(f"{SELECT_RUN} WHERE id = ?", (sound(run_id),)).fetchone()
    if row is None:
        raise not_found(cursor, run_id)
    return run_of(row)


def number_of(cursor: sqlite3.Cursor, run_id: str) -> int:
    """Return the number under which a run stands in the other tables; raises RunNotFound."""
    row = cursor.execute("SELECT num FROM runs WHERE id = ?", (sound(run_id),)).fetchone()
    if row is None:
        raise not_found(cursor, run_id)
    return int(row[0])


def not_found(cursor: sqlite3.Cursor, run_id: str) -> RunNotFound:
    """Return the error for a run that is not there."""
    newest = cursor.execute("SELECT id FROM runs ORDER BY num DESC LIMIT ?", (NEWEST,)).fetchall()
    return run_not_found(run_id, [row[0] for row in newest])


def find_run(cursor: sqlite3.Cursor, key: str) -> StoredRun | None:
    """Return the run that was launched under a key."""
    row = cursor.execute(f"{SELECT_RUN} WHERE key = ?", (sound(key),)).fetchone()
    return None if row is None else run_of(row)


def list_runs(cursor: sqlite3.Cursor, wanted: RunFilter) -> list[StoredRun]:
    """Return the runs that a filter lets through, the newest first; raises RunNotFound for its `before`."""
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.statuses:
        conditions.append(f"status IN ({', '.join('?' * len(wanted.statuses))})")
        values.extend(map(str, wanted.statuses))
    for condition, value in (
        ("blueprint_id = ?", wanted.blueprint_id),
        ("owner = ?", wanted.owner),
        ("ended_at < ?", wanted.ended_before),
        ("num < ?", None if wanted.before is None else number_of(cursor, wanted.before)),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(sound(value) if isinstance(value, str) else value)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    page = f"SELECT num FROM runs {where} ORDER BY num DESC LIMIT ?"
    rows = cursor.execute(f"{SELECT_RUN} WHERE num IN ({page}) ORDER BY num DESC", (*values, max(wanted.limit, 0)))
    return [run_of(row) for row in rows.fetchall()]


def read_rows(cursor: sqlite3.Cursor, run_id: str, number: int, after: int, limit: int | None) -> list[JournalRow]:
    """Return the rows of a run's journal whose last event comes after a number, in order."""
    base = number << SEQ_BITS
    rows = cursor.execute(
        "SELECT id, first_seq, body FROM journal WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        (base + max(after, 0), base + _SEQS, -1 if limit is None else max(limit, 0)),
    ).fetchall()
    return [JournalRow(run_id=run_id, first_seq=first, last_seq=at & _SEQS, body=body) for at, first, body in rows]


def span(cursor: sqlite3.Cursor, run_id: str) -> tuple[int, int]:
    """Return the number of a run and that of its last event; raises RunNotFound."""
    number = number_of(cursor, run_id)
    base = number << SEQ_BITS
    last = cursor.execute("SELECT max(id) FROM journal WHERE id BETWEEN ? AND ?", (base, base + _SEQS)).fetchone()[0]
    return number, 0 if last is None else last & _SEQS


def get_question(cursor: sqlite3.Cursor, key: str) -> Question:
    """Return one question; raises ResumeKeyNotFound."""
    row = cursor.execute(f"{SELECT_QUESTION} WHERE q.key = ?", (sound(key),)).fetchone()
    if row is None:
        raise ResumeKeyNotFound(key)
    return question_of(row)


def list_questions(cursor: sqlite3.Cursor, run_id: str | None, open_only: bool) -> list[Question]:
    """Return the questions of a run or of all, in the order in which they were asked."""
    conditions = ["q.state = 'open'"] if open_only else []
    values = () if run_id is None else (sound(run_id),)
    if run_id is not None:
        conditions.append("r.id = ?")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return [question_of(row) for row in cursor.execute(f"{SELECT_QUESTION} {where} ORDER BY q.num", values).fetchall()]


def what_was_asked(cursor: sqlite3.Cursor, owner_id: str, now: float) -> Asked:
    """Return what was asked of an owner's runs."""
    owner = sound(owner_id)
    return Asked(
        cancelled=tuple(row[0] for row in cursor.execute(_CANCELLED, (owner,)).fetchall()),
        answered=tuple(question_of(row) for row in cursor.execute(_ANSWERED, (owner,)).fetchall()),
        due=tuple(question_of(row) for row in cursor.execute(_DUE, (now, owner)).fetchall()),
    )
