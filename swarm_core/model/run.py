"""A run as a store keeps it: its record, its owner, its questions, and what is written to it at once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from swarm_core.model.shown import shown
from swarm_core.model.task import RunStatus


class Durability(StrEnum):
    """What a commit that was acknowledged survives: nothing, the process's death, or the machine's."""

    NONE = "none"
    RELAXED = "relaxed"
    FULL = "full"


class QuestionState(StrEnum):
    """Where a question stands; all but open are final."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CLOSED = "closed"


class Refusal(StrEnum):
    """Why a store did not write what belongs to one run, while it wrote the rest."""

    FENCED = "fenced"
    KEY_TAKEN = "key_taken"
    EXISTS = "exists"


@frozen(kw_only=True)
class Owner:
    """One engine that holds runs.

    `boot` tells one start of the machine from the next, `started` one process of a number from another that has the
    same (both None where the system does not say). `seen_at` is the last sign of life as Unix seconds, `seen_mono` on
    the machine's monotonic clock, which only processes of the same boot can compare.
    """

    __repr__ = shown

    id: str
    host: str
    pid: int
    boot: str | None
    started: str | None
    seen_at: float
    seen_mono: float


@frozen(kw_only=True)
class Question:
    """A question that a task waits on, and its answer once there is one.

    `schema` is the JSON Schema of the answer, None for any. `who` holds the names that may answer, empty for anyone.
    When `expires_at` (Unix seconds) is past, the question has the answer `default` if `has_default`, else none. `key`
    is stable: the same question of the same task has the same key after a restart.
    """

    __repr__ = shown

    key: str
    run_id: str
    task_id: str
    address: str
    agent: str
    question: Any
    schema: Any = None
    who: tuple[str, ...] = ()
    asked_at: float
    expires_at: float | None = None
    has_default: bool = False
    default: Any = None
    state: QuestionState = QuestionState.OPEN
    answer: Any = None
    answered_by: str | None = None
    answered_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the question as data; its fields, the state as text."""
        return {
            "key": self.key,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "address": self.address,
            "agent": self.agent,
            "question": self.question,
            "schema": self.schema,
            "who": list(self.who),
            "asked_at": self.asked_at,
            "expires_at": self.expires_at,
            "has_default": self.has_default,
            "default": self.default,
            "state": str(self.state),
            "answer": self.answer,
            "answered_by": self.answered_by,
            "answered_at": self.answered_at,
        }


@frozen(kw_only=True)
class StoredRun:
    """The record of one run.

    `blueprint_hash` is the SHA-256 of the Blueprint's canonical JSON, 64 hex digits; the store keeps the Blueprint
    under it. `launch` is what the run was started with, JSON: `init_ctx`, `bind`, `layer_set`, `operator_id`,
    `request`, `budget`, `directory`, `plugins`. `epoch` counts the owners that the run has had; every write carries it.
    `owner` is the id of the engine that holds the run, None when none does. `cancel` says who asked for a cancel and
    when (`{"by", "at"}`), None when nobody did. `parent` is the run that this one was rerun from. `counts` are those of
    a `RunResult`. Times are Unix seconds.
    """

    __repr__ = shown

    id: str
    blueprint_id: str
    blueprint_hash: str
    launch: Mapping[str, Any]
    status: RunStatus
    created_at: float
    updated_at: float
    ended_at: float | None = None
    epoch: int = 1
    owner: str | None = None
    key: str | None = None
    parent: str | None = None
    error: Mapping[str, Any] | None = None
    counts: Mapping[str, int] = field(factory=dict)
    last_seq: int = 0
    cancel: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the record as data; its fields, the status as text."""
        return {
            "id": self.id,
            "blueprint_id": self.blueprint_id,
            "blueprint_hash": self.blueprint_hash,
            "launch": dict(self.launch),
            "status": str(self.status),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "ended_at": self.ended_at,
            "epoch": self.epoch,
            "owner": self.owner,
            "key": self.key,
            "parent": self.parent,
            "error": self.error,
            "counts": dict(self.counts),
            "last_seq": self.last_seq,
            "cancel": self.cancel,
        }


@frozen(kw_only=True)
class RunResult:
    """How a run ended, or where it stopped.

    `final_ctx` is None unless it is done; `error` is None when it is. `reused` counts the steps whose results were
    known from before, `again` those that had been under way then. `questions` are the keys of what it waits for.
    """

    run_id: str
    status: RunStatus
    final_ctx: Any = None
    error: Mapping[str, Any] | None = None
    counts: Mapping[str, int] = field(factory=dict)
    reused: int = 0
    again: int = 0
    questions: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the result as data: run_id, status, final_ctx, error, counts; the rest where there is any."""
        rest = {"reused": self.reused, "again": self.again, "questions": list(self.questions)}
        return {
            "run_id": self.run_id,
            "status": str(self.status),
            "final_ctx": self.final_ctx,
            "error": self.error,
            "counts": dict(self.counts),
            **{name: value for name, value in rest.items() if value},
        }


@frozen(kw_only=True)
class JournalRow:
    """Events `first_seq` to `last_seq` of a run, as one commit wrote them; `body` is JSON text (see the journal)."""

    __repr__ = shown

    run_id: str
    first_seq: int
    last_seq: int
    body: str


@frozen(kw_only=True)
class RunChange:
    """The part of a run's record that a write changes; `updated_at` always, the rest where it is not None.

    `result` is the final ctx as JSON text (see the journal). `release` lets go of the run: it then has no owner.
    """

    __repr__ = shown

    updated_at: float
    status: RunStatus | None = None
    ended_at: float | None = None
    error: Mapping[str, Any] | None = None
    counts: Mapping[str, int] | None = None
    result: str | None = None
    blueprint_hash: str | None = None
    release: bool = False


@frozen(kw_only=True)
class RunWrite:
    """What is written to one run in one transaction, all of it or nothing.

    It is refused (`Refusal.FENCED`) unless the run's epoch is `epoch` and the run's last event is `first_seq - 1`; with
    `create` the run must not be there yet. `blueprints` maps hashes to canonical JSON text to be kept, those that are
    known are skipped. `opened` are new questions, `closed` keys of questions that nobody waits for any more, `expired`
    keys of those whose time is over; both touch open questions only. `taken` are keys of answered questions whose
    answers are in the journal now.
    """

    __repr__ = shown

    run_id: str
    epoch: int
    create: StoredRun | None = None
    blueprints: Mapping[str, str] = field(factory=dict)
    rows: tuple[JournalRow, ...] = ()
    change: RunChange | None = None
    opened: tuple[Question, ...] = ()
    closed: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@frozen(kw_only=True)
class Asked:
    """What other processes asked of an owner's runs, or time brought: cancels, answers, and questions that are due.

    `cancelled` are ids of runs; `answered` are questions whose answers are not in the journal yet, `due` open ones
    whose time is over.
    """

    __repr__ = shown

    cancelled: tuple[str, ...] = ()
    answered: tuple[Question, ...] = ()
    due: tuple[Question, ...] = ()


@frozen(kw_only=True)
class RunFilter:
    """Which runs to list, the newest first; `before` is the id of the last one of the page before."""

    __repr__ = shown

    statuses: tuple[RunStatus, ...] = ()
    blueprint_id: str | None = None
    owner: str | None = None
    ended_before: float | None = None
    before: str | None = None
    limit: int = 100
