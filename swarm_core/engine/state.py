"""The one room of mutable state: runs, tasks and attempts. Everyone else gets snapshots."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from swarm_core.engine.events import EventLog
from swarm_core.errors import RunNotFound, TaskNotFound, did_you_mean
from swarm_core.model.ids import ResumeKey, RunId, TaskId
from swarm_core.model.policy import AgentPolicy
from swarm_core.model.task import FINAL_STATUSES, DispatchOutcome, RunStatus, TaskSpec, TaskState, TaskStatus

if TYPE_CHECKING:
    from swarm_core.engine.context import LiveContext
    from swarm_core.engine.program import Program
    from swarm_core.engine.sessions import OperatorSession


@define(eq=False, repr=False)
class Attempt:
    """One attempt while it lives.

    `concluded` turns true when the worker is gone, or was given up; `outcome` is then what came of it, or the seconds
    until the next attempt. `waiter` belongs to whoever waits for that. `stopped_by` says why the worker was told to
    end: cancel, verdict or timeout.
    """

    task: TaskRecord
    number: int
    policy: AgentPolicy
    outcome: DispatchOutcome | BaseException | float | None = None
    waiter: asyncio.Future[None] | None = None
    context: LiveContext | None = None
    worker: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    deadline: float | None = None
    stopped_by: str | None = None
    verdict: DispatchOutcome | None = None
    given_up: bool = False
    concluded: bool = False


@define(eq=False, repr=False)
class TaskRecord:
    """One dispatched step, or a child of one."""

    id: TaskId
    run: RunRecord | None
    agent: str
    input: Any
    address: str
    depth: int
    created_at: float
    updated_at: float
    parent: TaskRecord | None = None
    session: OperatorSession | None = None
    status: TaskStatus = TaskStatus.PENDING
    attempt: int = 0
    children: dict[TaskId, TaskRecord] = field(factory=dict)
    children_begun: int = 0
    questions: int = 0
    suspended_on: ResumeKey | None = None
    last_result: Any = None
    error: str | None = None
    live: Attempt | None = None
    waiters: list[asyncio.Future[None]] | None = None

    def snapshot(self) -> TaskState:
        """Return the task as others may see it."""
        return TaskState(
            id=self.id,
            run_id=self.run.id if self.run else None,
            spec=TaskSpec(self.agent, self.input),
            status=self.status,
            attempt=self.attempt,
            address=self.address or None,
            spawn_depth=self.depth,
            parent=self.parent.id if self.parent else None,
            suspended_on=self.suspended_on,
            last_result=self.last_result,
            error=self.error,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )

    def wake(self) -> None:
        """Wake everyone who polls the task."""
        if self.waiters:
            waiters, self.waiters = self.waiters, None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


@define(eq=False, repr=False)
class RunRecord:
    """One evaluation of a program."""

    id: RunId
    program: Program
    events: EventLog
    session: OperatorSession
    done: asyncio.Future[None]
    status: RunStatus = RunStatus.RUNNING
    final_ctx: Any = None
    error: Mapping[str, Any] | None = None
    driver: asyncio.Task[None] | None = None
    paused: asyncio.Future[None] | None = None
    live: dict[TaskId, TaskRecord] = field(factory=dict)
    finished: deque[TaskId] = field(factory=deque)
    counts: dict[str, int] = field(factory=dict)
    resources: dict[str, Any] = field(factory=dict)
    slots: dict[str, asyncio.Semaphore] = field(factory=dict)


class EngineState:
    """The tables of the engine."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskRecord] = {}
        self.runs: dict[str, RunRecord] = {}
        self.closed = False

    def task(self, task_id: str) -> TaskRecord:
        """Return the record of a task; raises TaskNotFound."""
        try:
            return self.tasks[task_id]
        except KeyError:
            raise TaskNotFound(task_id) from None

    def run(self, run_id: str) -> RunRecord:
        """Return the record of a run; raises RunNotFound."""
        try:
            return self.runs[run_id]
        except KeyError:
            raise RunNotFound(run_id, hint=did_you_mean(run_id, self.runs, otherwise="runs here")) from None

    def retire(self, task: TaskRecord, *, keep: int) -> None:
        """Note that a task of a run has ended, and drop the oldest beyond `keep`."""
        if (run := task.run) is None:
            return
        run.live.pop(task.id, None)
        run.finished.append(task.id)
        if len(run.finished) > keep:
            self.tasks.pop(run.finished.popleft(), None)

    def forget_oldest_runs(self, *, keep: int) -> list[str]:
        """Drop ended runs beyond the newest `keep`, with their tasks; return their ids."""
        ended = [run for run in self.runs.values() if run.status is not RunStatus.RUNNING]
        dropped = ended[: max(0, len(ended) - keep)]
        for run in dropped:
            del self.runs[run.id]
            for task_id in run.finished:
                self.tasks.pop(task_id, None)
        return [run.id for run in dropped]


def is_final(task: TaskRecord) -> bool:
    """Tell whether the task's status can no longer change."""
    return task.status in FINAL_STATUSES
