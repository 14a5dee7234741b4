"""Rows of the file as values of the model, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from swarm_core.builtin.sqlite.texts import sound
from swarm_core.codec.compact import compact
from swarm_core.errors import StoreUnreadable
from swarm_core.model.run import Question, QuestionState, StoredRun
from swarm_core.model.task import RunStatus

SEQ_BITS = 32
"""A row's id in the journal is the run's number, shifted by these, plus the number of the row's last event."""

_OTHERS = "the other runs are not touched by it; `swarm doctor` tells more, a backup of the store has it as it was"

SELECT_RUN = """
    SELECT id, blueprint_id, blueprint_hash, launch, status, created_at, updated_at, ended_at, epoch, owner, key,
        parent, error, counts, cancel, ifnull((
            SELECT max(j.id) & 4294967295 FROM journal j WHERE j.id BETWEEN num << 32 AND (num << 32) + 4294967295
        ), 0)
    FROM runs
"""

SELECT_QUESTION = """
    SELECT q.key, r.id, q.task_id, q.address, q.agent, q.question, q.schema, q.who, q.asked_at, q.expires_at,
        q.has_default, q.fallback, q.state, q.answer, q.answered_by, q.answered_at
    FROM questions q JOIN runs r ON r.num = q.run
"""


def run_of(row: Sequence[Any]) -> StoredRun:
    """Return the run that a row of SELECT_RUN holds.

    Raises: StoreUnreadable, naming the run.
    """
    run_id, blueprint_id, digest, launch, status, created, updated, ended, epoch, owner, key, parent = row[:12]
    error, counts, cancel, last_seq = row[12:]
    try:
        return StoredRun(
            id=run_id,
            blueprint_id=blueprint_id,
            blueprint_hash=digest,
            launch=json.loads(launch),
            status=RunStatus(status),
            created_at=created,
            updated_at=updated,
            ended_at=ended,
            epoch=epoch,
            owner=owner,
            key=key,
            parent=parent,
            error=None if error is None else json.loads(error),
            counts=json.loads(counts),
            last_seq=last_seq,
            cancel=None if cancel is None else json.loads(cancel),
        )
    except (ValueError, TypeError, RecursionError) as trouble:
        raise StoreUnreadable(f"the record of run {run_id} does not decode: {trouble}", hint=_OTHERS) from None


def question_of(row: Sequence[Any]) -> Question:
    """Return the question that a row of SELECT_QUESTION holds.

    Raises: StoreUnreadable, naming the question.
    """
    key, run_id, task_id, address, agent, asked, schema, who, asked_at, expires_at = row[:10]
    has_default, fallback, state, answer, answered_by, answered_at = row[10:]
    try:
        return Question(
            key=key,
            run_id=run_id,
            task_id=task_id,
            address=address,
            agent=agent,
            question=json.loads(asked),
            schema=json.loads(schema),
            who=tuple(json.loads(who)),
            asked_at=asked_at,
            expires_at=expires_at,
            has_default=bool(has_default),
            default=json.loads(fallback),
            state=QuestionState(state),
            answer=json.loads(answer),
            answered_by=answered_by,
            answered_at=answered_at,
        )
    except (ValueError, TypeError, RecursionError) as trouble:
        raise StoreUnreadable(f"question {key} of run {run_id} does not decode: {trouble}", hint=_OTHERS) from None


def row_of_run(run: StoredRun) -> tuple[Any, ...]:
    """Return a run's columns in the order of INSERT_RUN."""
    return (
        sound(run.id),
        run.epoch,
        str(run.status),
        _text(run.owner),
        _text(run.key),
        _text(run.parent),
        sound(run.blueprint_id),
        run.blueprint_hash,
        run.created_at,
        run.updated_at,
        run.ended_at,
        None if run.cancel is None else compact(dict(run.cancel)),
        None if run.error is None else compact(dict(run.error)),
        compact(dict(run.counts)),
        compact(dict(run.launch)),
    )


INSERT_RUN = """
    INSERT INTO runs (id, epoch, status, owner, key, parent, blueprint_id, blueprint_hash, created_at, updated_at,
        ended_at, cancel, error, counts, launch)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def row_of_question(question: Question) -> tuple[Any, ...]:
    """Return a question's columns in the order of INSERT_QUESTION, but the run's number."""
    return (
        sound(question.key),
        sound(question.task_id),
        sound(question.address),
        sound(question.agent),
        compact(question.question),
        compact(question.schema),
        compact(list(question.who)),
        question.asked_at,
        question.expires_at,
        question.has_default,
        compact(question.default),
        str(question.state),
        compact(question.answer),
        _text(question.answered_by),
        question.answered_at,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else sound(text)


INSERT_QUESTION = """
    INSERT INTO questions (run, key, task_id, address, agent, question, schema, who, asked_at, expires_at, has_default,
        fallback, state, answer, answered_by, answered_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO NOTHING
"""
