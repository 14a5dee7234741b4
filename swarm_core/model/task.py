"""A task and its outcome, as the engine shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import frozen

from swarm_core.model.ids import ResumeKey, RunId, TaskId
from swarm_core.model.shown import shown


class TaskStatus(StrEnum):
    """Where a task stands; pass, blocked and cancelled are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    PASS = "pass"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


FINAL_STATUSES = frozenset({TaskStatus.PASS, TaskStatus.BLOCKED, TaskStatus.CANCELLED})


class RunStatus(StrEnum):
    """Where a run stands; done, failed and cancelled are final.

    A waiting run has nothing to do until somebody answers; an interrupted one until somebody resumes it.
    """

    RUNNING = "running"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_RUN_STATUSES = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.CANCELLED})


@frozen
class TaskSpec:
    """Which agent a task is for and what it is given: text, or any JSON value."""

    __repr__ = shown

    agent: str
    initial_directive: Any


@frozen(kw_only=True)
class TaskState:
    """A snapshot of one task."""

    __repr__ = shown

    id: TaskId
    run_id: RunId | None
    spec: TaskSpec
    status: TaskStatus
    attempt: int
    address: str | None
    spawn_depth: int
    parent: TaskId | None
    suspended_on: ResumeKey | None
    last_result: Any
    error: str | None
    created_at: float
    updated_at: float


@frozen
class Pass:
    """The attempt ended well."""

    __repr__ = shown

    value: Any


@frozen
class Blocked:
    """The attempt ended, and its worker says that it failed."""

    __repr__ = shown

    value: Any


@frozen
class Cancelled:
    """The task was cancelled."""

    __repr__ = shown


DispatchOutcome = Pass | Blocked | Cancelled
