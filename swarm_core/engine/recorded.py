"""What a journal tells of a run's tasks: the memory that a replay answers from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, field

from swarm_core.errors import DispatchFailed, StepBlocked
from swarm_core.model.call import to_text
from swarm_core.model.event import Event
from swarm_core.model.ids import TaskId
from swarm_core.model.task import Blocked, Cancelled, DispatchOutcome, Pass

_BY_CALLER = "caller"


@define(eq=False, repr=False)
class RecordedTask:
    """One task as far as its events go.

    `outcome` is None for a task that was under way, and for one that its flow gave up: that is `given_up` then.
    `failures` counts the attempts that a retry policy counts: those that ended. `base` is how many children were begun
    before its last attempt, `memory` what its attempts have remembered. `ended_seq` is the number of its last event.
    """

    id: TaskId
    agent: str
    address: str
    digest: str | None
    parent: str | None
    begun_seq: int
    attempts: int = 0
    failures: int = 0
    base: int = 0
    memory: dict[str, Any] | None = None
    cause: str = "failed"
    outcome: DispatchOutcome | DispatchFailed | None = None
    given_up: bool = False
    ended_seq: int = 0


@define(eq=False, repr=False)
class Recorded:
    """The tasks of a run by step address (the last one begun there counts), and what else a resumed run starts from.

    `free_until` is the number of the event up to which completions may be answered in any order: a migrated flow asks
    for what it has kept as it comes. `told` are the keys of questions whose answers are on record.
    """

    tasks: dict[str, RecordedTask] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)
    told: set[str] = field(factory=set)
    free_until: int = 0
    last_seq: int = 0

    @property
    def steps(self) -> list[RecordedTask]:
        """Return the flow's own steps, without the tasks that workers started."""
        return [task for task in self.tasks.values() if task.parent is None]

    @property
    def finished(self) -> list[RecordedTask]:
        """Return the flow's own steps whose results are known."""
        return [task for task in self.steps if task.outcome is not None]

    @property
    def unfinished(self) -> list[RecordedTask]:
        """Return the tasks that were under way."""
        return [task for task in self.tasks.values() if task.outcome is None and not task.given_up]


def read_events(events: Iterable[Event]) -> Recorded:
    """Return what the events of a run tell."""
    recorded = Recorded(counts=dict.fromkeys(("tasks", "attempts", "pass", "blocked", "cancelled"), 0))
    by_id: dict[str, RecordedTask] = {}
    for event in events:
        recorded.last_seq = event.seq
        if event.kind == "task_created":
            _begin(recorded, by_id, event)
        elif event.kind == "run_migrated":
            _drop(recorded, event.data["dropped"])
            recorded.free_until = event.seq
        elif event.kind in ("senior_answered", "question_expired"):
            recorded.told.add(event.data["key"])
        elif event.task_id is not None and (task := by_id.get(event.task_id)) is not None:
            _take(recorded, task, event)
    return recorded


def _drop(recorded: Recorded, addresses: Iterable[str]) -> None:
    """Forget steps, and the tasks that their workers had started."""
    gone = set(addresses)
    recorded.tasks = {
        address: task
        for address, task in recorded.tasks.items()
        if (address.partition("/child@")[0] or "/") not in gone
    }


def answer_of(outcome: DispatchOutcome | DispatchFailed) -> Any:
    """Return what a step's outcome is for its flow; raises StepBlocked, DispatchFailed."""
    if type(outcome) is Pass:
        return outcome.value
    if isinstance(outcome, Blocked):
        raise StepBlocked(outcome.value, to_text(outcome.value))
    if isinstance(outcome, DispatchFailed):
        raise DispatchFailed(outcome.reason, cause=outcome.cause)
    raise DispatchFailed("the task was cancelled", cause="cancelled")


def _begin(recorded: Recorded, by_id: dict[str, RecordedTask], event: Event) -> None:
    assert event.task_id is not None
    data = event.data
    task = RecordedTask(
        id=TaskId(event.task_id),
        agent=data["agent"],
        address=data["address"],
        digest=data.get("input_digest"),
        parent=data.get("parent"),
        begun_seq=event.seq,
    )
    by_id[event.task_id] = recorded.tasks[task.address] = task
    recorded.counts["tasks"] += 1


def _take(recorded: Recorded, task: RecordedTask, event: Event) -> None:
    match event.kind:
        case "task_attempt_started":
            task.attempts = event.attempt or task.attempts
            task.base = event.data.get("children", 0)
            recorded.counts["attempts"] += 1
        case "task_attempt_failed":
            task.failures += 1
            task.cause = event.data.get("cause", "failed")
        case "task_attempt_completed":
            task.failures += 1
        case "task_remembered":
            task.memory = {**(task.memory or {}), event.data["key"]: event.data["value"]}
        case "task_pass":
            _end(recorded, task, event, Pass(event.data["result"]), "pass")
        case "task_blocked":
            error = event.data.get("error")
            outcome = Blocked(event.data["result"]) if error is None else _failed(error, task.cause)
            _end(recorded, task, event, outcome, "blocked")
        case "task_cancelled":
            if event.data.get("by") == _BY_CALLER:
                _end(recorded, task, event, Cancelled(), "cancelled")
            else:
                task.given_up = True
                recorded.counts["cancelled"] += 1


def _failed(error: str, cause: str) -> DispatchFailed:
    return DispatchFailed(error, cause=cause)


def _end(recorded: Recorded, task: RecordedTask, event: Event, outcome: Any, counted: str) -> None:
    if task.outcome is None:  # what the flow got first counts, whatever an operator had done again later
        task.outcome, task.ended_seq = outcome, event.seq
        recorded.counts[counted] += 1
