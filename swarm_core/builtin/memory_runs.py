"""Runs kept in this process, for as long as it lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from attrs import define, evolve, field

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.builtin.nearest import NEWEST, run_not_found
from swarm_core.contracts import OutputStore, RunStore
from swarm_core.errors import AlreadyAnswered, ResumeKeyNotFound, RunLost, RunNotFound, StoreError
from swarm_core.model.run import (
    Asked,
    Durability,
    JournalRow,
    Owner,
    Question,
    QuestionState,
    Refusal,
    RunChange,
    RunFilter,
    RunWrite,
    StoredRun,
)
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.model.value import json_copy

_RECHECK = 1.0  # seconds after which questions may have fallen due


@define
class _Kept:
    """All there is of one run; `last_seq` of the record is only up to date in what `seen` returns."""

    run: StoredRun
    rows: list[JournalRow] = field(factory=list)
    result: str | None = None

    @property
    def last_seq(self) -> int:
        return self.rows[-1].last_seq if self.rows else 0

    def seen(self) -> StoredRun:
        return evolve(self.run, last_seq=self.last_seq)


class MemoryRunStore(RunStore):
    """Keeps runs in dictionaries. It knows no event loop, so it outlives the engines that write to it."""

    durability = Durability.NONE
    url = "memory://"

    def __init__(self, outputs: OutputStore | None = None) -> None:
        self.outputs: OutputStore = outputs or MemoryOutputStore()
        self._owners: dict[str, Owner] = {}
        self._runs: dict[str, _Kept] = {}  # the oldest first
        self._keys: dict[str, str] = {}
        self._blueprints: dict[str, str] = {}
        self._questions: dict[str, Question] = {}  # in the order in which they were asked
        self._untaken: set[str] = set()
        self._changes = 0
        self._told: dict[str, tuple[int, float]] = {}

    # owners ----------------------------------------------------------------------------------------------------

    async def enlist(self, owner: Owner) -> None:
        """Keep an engine as an owner, or renew its sign of life."""
        self._changes += 1
        self._owners[owner.id] = owner

    async def leave(self, owner_id: str) -> None:
        """Forget an owner and let go of its runs."""
        self._changes += 1
        self._owners.pop(owner_id, None)
        for kept in self._runs.values():
            if kept.run.owner == owner_id:
                kept.run = evolve(kept.run, owner=None)

    async def owners(self) -> Sequence[Owner]:
        """Return all owners."""
        return list(self._owners.values())

    # writing ---------------------------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[RunWrite]) -> Mapping[str, Refusal]:
        """Write what belongs to several runs and return the runs that were refused, and why."""
        self._changes += 1
        refused: dict[str, Refusal] = {}
        for write in writes:
            refusal = self._refusal(write)
            if refusal is None:
                self._write(write)
            else:
                refused[write.run_id] = refusal
        return refused

    async def claim(self, run_id: str, owner_id: str, epoch: int) -> StoredRun:
        """Give a run that is at `epoch` to an owner; raises RunNotFound, RunLost."""
        kept = self._kept(run_id)
        if kept.run.epoch != epoch:
            raise RunLost(run_id)
        self._changes += 1
        kept.run = evolve(kept.run, owner=owner_id, epoch=epoch + 1)
        return kept.seen()

    async def ask_cancel(self, run_id: str, by: str, at: float) -> StoredRun:
        """Note that a cancel is wanted; raises RunNotFound."""
        kept = self._kept(run_id)
        if kept.run.cancel is None and kept.run.status not in FINAL_RUN_STATUSES:
            self._changes += 1
            kept.run = evolve(kept.run, cancel={"by": by, "at": at})
        return kept.seen()

    async def answer(self, key: str, answer: Any, *, by: str, at: float) -> Question:
        """Give an open question its answer; raises ResumeKeyNotFound, AlreadyAnswered."""
        question = await self.question(key)
        if question.state is not QuestionState.OPEN:
            raise AlreadyAnswered(key, by=question.answered_by, at=question.answered_at)
        self._changes += 1
        self._untaken.add(key)
        answered = evolve(
            question, state=QuestionState.ANSWERED, answer=json_copy(answer), answered_by=by, answered_at=at
        )
        self._questions[key] = answered
        return answered

    async def delete(self, run_id: str) -> None:
        """Remove a run, its outputs, and Blueprints that no run has any more; raises RunNotFound."""
        run = self._kept(run_id).run
        self._changes += 1
        del self._runs[run_id]
        if run.key is not None:
            del self._keys[run.key]
        self._questions = {key: asked for key, asked in self._questions.items() if asked.run_id != run_id}
        self._untaken &= self._questions.keys()
        used = {kept.run.blueprint_hash for kept in self._runs.values()}
        self._blueprints = {digest: text for digest, text in self._blueprints.items() if digest in used}
        await self.outputs.forget_run(run_id)

    # reading ---------------------------------------------------------------------------------------------------

    async def get(self, run_id: str) -> StoredRun:
        """Return a run's record; raises RunNotFound."""
        return self._kept(run_id).seen()

    async def find(self, key: str) -> StoredRun | None:
        """Return the run that was launched under an idempotency key."""
        run_id = self._keys.get(key)
        return None if run_id is None else self._runs[run_id].seen()

    async def runs(self, wanted: RunFilter) -> Sequence[StoredRun]:
        """Return the runs that the filter lets through, the newest first; raises RunNotFound for its `before`."""
        newest: Iterable[_Kept] = reversed(self._runs.values())
        if wanted.before is not None:
            before = self._kept(wanted.before)
            newest = iter(newest)
            while next(newest) is not before:
                pass
        found = (kept.seen() for kept in newest if _lets_through(wanted, kept.run))
        return list(islice(found, max(wanted.limit, 0)))

    async def count(self) -> Mapping[RunStatus, int]:
        """Return how many runs stand where."""
        counts: dict[RunStatus, int] = {}
        for kept in self._runs.values():
            counts[kept.run.status] = counts.get(kept.run.status, 0) + 1
        return counts

    async def blueprint(self, digest: str) -> str:
        """Return a Blueprint as canonical JSON text; raises StoreError."""
        if digest not in self._blueprints:
            raise StoreError(f"no Blueprint has the hash {digest}", where=self.url)
        return self._blueprints[digest]

    async def result(self, run_id: str) -> str | None:
        """Return the final ctx of a run as JSON text; raises RunNotFound."""
        return self._kept(run_id).result

    async def rows(self, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalRow]:
        """Return the rows of a run's journal whose last event comes after a number; raises RunNotFound."""
        found = (row for row in self._kept(run_id).rows if row.last_seq > after)
        return list(islice(found, None if limit is None else max(limit, 0)))

    async def questions(self, run_id: str | None = None, *, open_only: bool = False) -> Sequence[Question]:
        """Return questions, of one run or of all, in the order in which they were asked."""
        return [
            question
            for question in self._questions.values()
            if run_id in (None, question.run_id) and (not open_only or question.state is QuestionState.OPEN)
        ]

    async def question(self, key: str) -> Question:
        """Return one question; raises ResumeKeyNotFound."""
        try:
            return self._questions[key]
        except KeyError:
            raise ResumeKeyNotFound(key) from None

    async def asked(self, owner_id: str, now: float) -> Asked | None:
        """Return what was asked of an owner's runs, None when nothing changed since the last call."""
        told = self._told.get(owner_id)
        changed = told is None or told[0] != self._changes
        if not changed and told is not None and abs(now - told[1]) < _RECHECK:
            return None
        self._told[owner_id] = (self._changes, now)
        asked = self._asked({kept.run.id for kept in self._runs.values() if kept.run.owner == owner_id}, now)
        return asked if changed or asked.due else None

    async def version(self) -> object:
        """Return a number that changes with every write."""
        return self._changes

    async def problems(self) -> Sequence[str]:
        """Return nothing: there is nothing that could be damaged."""
        return []

    # inside ----------------------------------------------------------------------------------------------------

    def _kept(self, run_id: str) -> _Kept:
        try:
            return self._runs[run_id]
        except KeyError:
            raise self._not_found(run_id) from None

    def _not_found(self, run_id: str) -> RunNotFound:
        return run_not_found(run_id, list(islice(reversed(self._runs), NEWEST)))

    def _refusal(self, write: RunWrite) -> Refusal | None:
        kept, run = self._runs.get(write.run_id), write.create
        if run is not None and kept is not None:
            return Refusal.EXISTS
        if run is not None and run.key in self._keys:
            return Refusal.KEY_TAKEN
        if run is None and (kept is None or kept.run.epoch != write.epoch):
            return Refusal.FENCED
        last = 0 if kept is None else kept.last_seq
        gaps = any(after.first_seq != before.last_seq + 1 for before, after in pairwise(write.rows))
        return Refusal.FENCED if gaps or (write.rows and write.rows[0].first_seq != last + 1) else None

    def _write(self, write: RunWrite) -> None:
        if write.create is not None:
            self._runs[write.run_id] = _Kept(evolve(write.create, launch=json_copy(dict(write.create.launch))))
            if write.create.key is not None:
                self._keys[write.create.key] = write.run_id
        kept = self._runs[write.run_id]
        kept.rows.extend(write.rows)
        self._blueprints = {**write.blueprints, **self._blueprints} if write.blueprints else self._blueprints
        if write.change is not None:
            _change(kept, write.change)
        for question in write.opened:
            self._questions.setdefault(question.key, _own(question))
        for key in write.closed:
            self._end(key, write.run_id, QuestionState.CLOSED)
        for key in write.expired:
            self._end(key, write.run_id, QuestionState.EXPIRED)
        self._untaken.difference_update(write.taken)

    def _end(self, key: str, run_id: str, state: QuestionState) -> None:
        question = self._questions.get(key)
        if question is None or question.run_id != run_id or question.state is not QuestionState.OPEN:
            return
        by_default = state is QuestionState.EXPIRED and question.has_default
        answer = question.default if by_default else question.answer
        self._questions[key] = evolve(question, state=state, answer=answer)

    def _asked(self, held: set[str], now: float) -> Asked:
        runs = [kept.run for kept in self._runs.values() if kept.run.id in held]
        questions = [question for question in self._questions.values() if question.run_id in held]
        return Asked(
            cancelled=tuple(run.id for run in runs if run.cancel and run.status not in FINAL_RUN_STATUSES),
            answered=tuple(question for question in questions if question.key in self._untaken),
            due=tuple(question for question in questions if _is_due(question, now)),
        )


def _lets_through(wanted: RunFilter, run: StoredRun) -> bool:
    return (
        (not wanted.statuses or run.status in wanted.statuses)
        and wanted.blueprint_id in (None, run.blueprint_id)
        and wanted.owner in (None, run.owner)
        and (wanted.ended_before is None or (run.ended_at is not None and run.ended_at < wanted.ended_before))
    )


def _change(kept: _Kept, change: RunChange) -> None:
    """Change what is said; the rest stays as it is."""
    said: dict[str, Any] = {
        "status": change.status,
        "ended_at": change.ended_at,
        "error": change.error,
        "counts": change.counts,
        "blueprint_hash": change.blueprint_hash,
    }
    facts = {name: value for name, value in said.items() if value is not None}
    if change.release:
        facts["owner"] = None
    kept.run = evolve(kept.run, updated_at=change.updated_at, **facts)
    if change.result is not None:
        kept.result = change.result


def _own(question: Question) -> Question:
    """Return a question whose values nobody else can change."""
    asked, schema = json_copy(question.question), json_copy(question.schema)
    return evolve(question, question=asked, schema=schema, default=json_copy(question.default))


def _is_due(question: Question, now: float) -> bool:
    return question.state is QuestionState.OPEN and question.expires_at is not None and question.expires_at <= now
