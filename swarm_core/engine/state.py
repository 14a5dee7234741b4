"""The one room of mutable state: runs, tasks and attempts. Everyone else gets snapshots."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from attrs import define, field, frozen

from swarm_core.engine.breaker import Breaker
from swarm_core.engine.budget import RunBudget
from swarm_core.engine.events import EventLog
from swarm_core.engine.slots import Seat, Slots
from swarm_core.errors import RunNotFound, SwarmError, TaskNotFound, did_you_mean
from swarm_core.model.ids import ResumeKey, RunId, TaskId
from swarm_core.model.policy import AgentPolicy
from swarm_core.model.task import FINAL_STATUSES, DispatchOutcome, RunStatus, TaskSpec, TaskState, TaskStatus

if TYPE_CHECKING:
    from swarm_core.engine.context import LiveContext
    from swarm_core.engine.digest import Digests
    from swarm_core.engine.journal import RunJournal
    from swarm_core.engine.program import Program
    from swarm_core.engine.replay import Replay
    from swarm_core.engine.sessions import OperatorSession
    from swarm_core.model.operator import SessionRequest
    from swarm_core.model.run import Question


@define(eq=False, repr=False)
class Attempt:
    """One attempt while it lives.

    `concluded` turns true when the worker is gone, or was given up; `outcome` is then what came of it, or the seconds
    until the next attempt. `waiter` belongs to whoever waits for that. `stopped_by` says why the worker was told to
    end: cancel, verdict or timeout; `timeout` is the error of the last of these where a layer gave it. `seq` is the
    number of its last event, `asks` how many questions it has asked. `waited` are the seconds that it has waited for
    answers, without the present wait, which began at `waits_since`.
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
    seq: int = 0
    asks: int = 0
    timeout: SwarmError | None = None
    waited: float = 0.0
    waits_since: float | None = None


@define(eq=False, repr=False)
class TaskRecord:
    """One dispatched step, or a child of one.

    `failures` counts the attempts that a retry policy counts: not those that an engine took with it when it died.
    `repaired` says that there was an attempt more because an answer broke the agent's verdict contract.
    `asked` has the task's questions in the order of asking, `memory` what its attempts have remembered; both from
    before a restart too.
    """

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
    failures: int = 0
    repaired: bool = False
    asked: list[Question] | None = None
    memory: dict[str, Any] | None = None
    suspended_on: ResumeKey | None = None
    last_result: Any = None
    error: str | None = None
    live: Attempt | None = None
    seat: Seat | None = None
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


@frozen(eq=False, repr=False)
class Stop:
    """Why a run is ended here before its flow has ended: `kind` is one of STOPS.

    `waiting` has the keys of the questions that a waiting run waited for.
    """

    kind: str
    reason: str = ""
    error: SwarmError | None = None
    waiting: tuple[str, ...] = ()


STOPS = ("interrupt", "park", "fail", "lost")
"""Ways to stop a run: so that it can be resumed; so that it can go on when it is answered; as failed; without a word,
because it is no longer this engine's, or its store has failed."""


@define(eq=False, repr=False)
class RunRecord:
    """One evaluation of a program.

    `acknowledged` turns true when the run is in its store, `over` when this engine's part is over, `done` is done when
    that is on disk. `rest` are those who wait until all that is left waits for answers. `busy` counts the tasks that
    somebody works on, `asking` those that wait for an answer, `waiting_for` has the keys of what they ask (an ordered
    set). `stop` says why the driver was cancelled when it was not by a cancel of the run. `questions` are those from
    before a restart by key, `asked_by` their keys by task, `told` the keys of those whose answers are on record.
    `bounded` says whether the run or an agent has a budget at all. `successor` is the record of the same run after it
    was parked; `roused` says that what it waits for may just have come.
    """

    id: RunId
    program: Program
    events: EventLog
    session: OperatorSession
    done: asyncio.Future[None]
    budget: RunBudget
    journal: RunJournal | None = None
    replay: Replay | None = None
    stop: Stop | None = None
    digests: Digests | None = None
    rest: list[asyncio.Future[None]] = field(factory=list)
    rested: asyncio.Future[None] | None = None
    over: bool = False
    acknowledged: bool = False
    successor: RunRecord | None = None
    looking: bool = False
    roused: bool = False
    busy: int = 0
    asking: int = 0
    again: int = 0
    waiting_for: dict[str, None] = field(factory=dict)
    questions: dict[str, Question] = field(factory=dict)
    asked_by: dict[str, list[str]] = field(factory=dict)
    told: set[str] = field(factory=set)
    status: RunStatus = RunStatus.RUNNING
    final_ctx: Any = None
    error: Mapping[str, Any] | None = None
    driver: asyncio.Task[None] | None = None
    paused: asyncio.Future[None] | None = None
    live: dict[TaskId, TaskRecord] = field(factory=dict)
    finished: deque[TaskId] = field(factory=deque)
    counts: dict[str, int] = field(factory=dict)
    resources: dict[str, Any] = field(factory=dict)
    bounded: bool = False
    breaker: Breaker | None = None
    whole: Slots | None = None
    slots: dict[str, Slots] = field(factory=dict)

    @property
    def goes_on(self) -> bool:
        """Tell whether the run is stopped here so that it goes on later: its tasks are not cancelled then."""
        return self.stop is not None and self.stop.kind != "fail"

    def seat_for(self, agent: str, concurrency: int | None) -> Seat | None:
        """Return a seat for one task, None when nothing limits how many there are at the same time."""
        if concurrency is None and self.whole is None:
            return None
        sorts = [] if self.whole is None else [self.whole]
        if concurrency is not None:
            if agent not in self.slots:
                self.slots[agent] = Slots(concurrency)
            sorts.insert(0, self.slots[agent])
        return Seat(*sorts)


@frozen(eq=False, repr=False)
class Parked:
    """A run that waits for answers and is only in the store; who waits for it gets its record when it goes on.

    `before` is the record that it had, for as long as somebody holds on to that.
    """

    program: Program
    operator_id: str
    request: SessionRequest
    epoch: int
    questions: tuple[str, ...]
    before: ReferenceType[RunRecord]
    waiters: list[asyncio.Future[RunRecord]] = field(factory=list)


class EngineState:
    """The tables of the engine."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskRecord] = {}
        self.runs: dict[str, RunRecord] = {}
        self.parked: dict[str, Parked] = {}
        self.closed = False

    def park(self, run: RunRecord) -> None:
        """Forget a waiting run but for its program."""
        self.drop(run)
        keys = run.stop.waiting if run.stop is not None else ()
        epoch = run.journal.epoch if run.journal is not None else 0
        session = run.session
        self.parked[run.id] = Parked(run.program, session.operator_id, session.request, epoch, keys, ref(run))

    def drop(self, run: RunRecord) -> None:
        """Forget a run and its tasks."""
        self.runs.pop(run.id, None)
        for task_id in (*run.finished, *run.live):
            self.tasks.pop(task_id, None)

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
        ended = [run for run in self.runs.values() if run.done.done()]
        dropped = ended[: max(0, len(ended) - keep)]
        for run in dropped:
            self.drop(run)
        return [run.id for run in dropped]


def is_final(task: TaskRecord) -> bool:
    """Tell whether the task's status can no longer change."""
    return task.status in FINAL_STATUSES
