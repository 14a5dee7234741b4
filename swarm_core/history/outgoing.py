"""Writing a run down, so that it can be kept elsewhere."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from attrs import evolve

from swarm_core.codec import unstructure
from swarm_core.codec.compact import compact
from swarm_core.engine.offload import references
from swarm_core.engine.rows import entries_in
from swarm_core.errors import EngineError
from swarm_core.history.chain import rows_of
from swarm_core.history.limits import LONGEST_LINE
from swarm_core.history.lines import (
    FORMAT,
    EndLine,
    EventsLine,
    Line,
    OutputLine,
    QuestionLine,
    ResultLine,
    RunLine,
    ValueLine,
)
from swarm_core.model.run import StoredRun

if TYPE_CHECKING:
    from swarm_core.history.history import History


async def lines_of(history: History, run_id: str) -> AsyncIterator[str]:
    """Yield the lines of a run's export, without their ends; a run under way is told up to now.

    Raises: RunNotFound, StoreUnreadable; EngineError, for a line that is longer than any that is read.
    """
    run = await history.stands(run_id)
    count = 1
    async for line in _lines(history, run):
        count += 1
        text = _text(line)
        if (size := len(text.encode())) > LONGEST_LINE:
            raise EngineError(f"run {run_id} cannot be exported: {line.kind} line {count - 1} has {size:,} bytes")
        yield text
    yield _text(EndLine(lines=count))


def _text(line: Line) -> str:
    return compact(unstructure(line))


async def _lines(history: History, run: StoredRun) -> AsyncIterator[Line]:
    blueprint = await history.store.blueprint(run.blueprint_hash)
    yield RunLine(
        format=FORMAT, exported_at=history.clock.time(), run=evolve(run, owner=None, cancel=None), blueprint=blueprint
    )
    told: set[str] = set()
    async for line in _values(history, json.loads(run.launch["ctx"]), told):
        yield line
    asked: set[str] = set()
    attempts: dict[tuple[str, int], None] = {}
    async for row in rows_of(history, run):
        events = entries_in(row)
        async for value in _values(history, events, told):
            yield value
        yield EventsLine(first=row.first_seq, last=row.last_seq, body=row.body)
        for kind, _, task_id, attempt, data in events:
            if kind == "senior_queried":
                asked.add(data["key"])
            if task_id is not None and attempt is not None:
                attempts[task_id, attempt] = None
    async for line in _result(history, run, told):
        yield line
    for question in await history.store.questions(run.id):
        if question.key in asked:
            yield QuestionLine(question=question)
    for task_id, attempt in attempts:
        for record in await history.outputs.list_for_attempt(task_id, attempt):
            if record.run_id == run.id:
                yield OutputLine(
                    task_id=record.task_id,
                    attempt=record.attempt,
                    producer_agent=record.producer_agent,
                    event=record.event,
                    parent_refs=record.parent_refs,
                )


async def _result(history: History, run: StoredRun, told: set[str]) -> AsyncIterator[Line]:
    text = await history.store.result(run.id) if run.ended_at is not None else None
    if text is not None:
        async for line in _values(history, json.loads(text), told):
            yield line
        yield ResultLine(body=text)


async def _values(history: History, value: Any, told: set[str]) -> AsyncIterator[Line]:
    """Yield the large values that a value refers to, they and what is in them, and that were not told yet."""
    left = references(value) - told
    while left:
        digest = left.pop()
        told.add(digest)
        data = await history.outputs.load(digest)
        yield ValueLine(digest=digest, base64=b64encode(data).decode())
        left |= references(json.loads(data)) - told
