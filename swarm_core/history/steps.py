"""What a run's events say about its steps, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from swarm_core.model.event import Event
from swarm_core.model.shown import shown
from swarm_core.model.task import FINAL_STATUSES, TaskStatus

_CHILD = "/child@"
_ENDS = {
    "task_pass": TaskStatus.PASS,
    "task_blocked": TaskStatus.BLOCKED,
    "task_cancelled": TaskStatus.CANCELLED,
}


@frozen(kw_only=True)
class StepRecord:
    """One task of a run, as the journal tells it.

    `attempts` counts those that were begun. `ended_at` is None while the task has not ended; times are Unix seconds.
    `question` is the key that the task waits on. `parent` is the id of the task that started it, None for a step of
    the flow; `children` are those that it started.
    """

    __repr__ = shown

    task_id: str
    address: str
    agent: str
    depth: int
    began_at: float
    status: TaskStatus = TaskStatus.PENDING
    attempts: int = 0
    ended_at: float | None = None
    result: Any = None
    error: str | None = None
    question: str | None = None
    parent: str | None = None
    children: tuple[str, ...] = ()
    spent: Mapping[str, float] = field(factory=dict)

    @property
    def ended(self) -> bool:
        """Tell whether the task has ended."""
        return self.status in FINAL_STATUSES

    @property
    def seconds(self) -> float | None:
        """Return how long the task took, None when it has not ended."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.began_at)

    def as_json(self) -> dict[str, Any]:
        """Return the step as data; its fields, the status as text, and `seconds`."""
        return {
            "task_id": self.task_id,
            "address": self.address,
            "agent": self.agent,
            "depth": self.depth,
            "status": str(self.status),
            "attempts": self.attempts,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
            "seconds": self.seconds,
            "result": self.result,
            "error": self.error,
            "question": self.question,
            "parent": self.parent,
            "children": list(self.children),
            "spent": dict(self.spent),
        }


def steps_of(events: Iterable[Event]) -> list[StepRecord]:
    """Return the tasks that the events speak of, in the order in which they were begun.

    Those that lost their place in a migration are left out: of an address the last task that stood there counts.
    """
    tasks: dict[str, _Task] = {}
    for event in events:
        if event.kind == "run_migrated":
            dropped = frozenset(event.data["dropped"])
            tasks = {key: task for key, task in tasks.items() if task.step not in dropped}
        elif event.task_id is None:
            continue
        elif event.kind == "task_created":
            tasks.pop(event.task_id, None)
            tasks[event.task_id] = _Task(event)
        elif event.task_id in tasks:
            tasks[event.task_id].take(event)
    return _with_children([task.record for task in tasks.values()])


def _with_children(steps: list[StepRecord]) -> list[StepRecord]:
    children: dict[str, list[str]] = {}
    for step in steps:
        if step.parent is not None:
            children.setdefault(step.parent, []).append(step.task_id)
    return [evolve(step, children=tuple(children.get(step.task_id, ()))) for step in steps] if children else steps


@define
class _Task:
    """A task while its events are read."""

    created: Event
    status: TaskStatus = TaskStatus.PENDING
    attempts: int = 0
    ended_at: float | None = None
    result: Any = None
    error: str | None = None
    question: str | None = None
    spent: dict[str, float] = field(factory=dict)

    def take(self, event: Event) -> None:
        self.attempts = max(self.attempts, event.attempt or 0)
        if event.kind == "task_attempt_started":
            self.status, self.ended_at, self.error = TaskStatus.RUNNING, None, None
        elif event.kind == "task_attempt_failed":
            self.error = str(event.data.get("error"))
        elif event.kind == "task_reopened":
            self.status, self.ended_at = TaskStatus.PENDING, None
        elif event.kind == "task_suspended":
            self.status, self.question = TaskStatus.SUSPENDED, str(event.data.get("key"))
        elif event.kind == "task_resumed":
            self.status, self.question = TaskStatus.RUNNING, None
        elif event.kind == "budget_spent":
            add_up(self.spent, event.data.get("spent"))
        elif event.kind in _ENDS:
            self.status, self.ended_at, self.question = _ENDS[event.kind], event.time, None
            self.result = event.data.get("result")
            self.error = event.data.get("error")

    @property
    def step(self) -> str:
        """Return the address of the flow's step that the task is of, or that its worker is of."""
        return str(self.created.data["address"]).partition(_CHILD)[0] or "/"

    @property
    def record(self) -> StepRecord:
        data = self.created.data
        return StepRecord(
            task_id=str(self.created.task_id),
            address=str(data.get("address")),
            agent=str(data.get("agent")),
            depth=int(data.get("depth") or 0),
            began_at=self.created.time,
            status=self.status,
            attempts=self.attempts,
            ended_at=self.ended_at,
            result=self.result,
            error=self.error,
            question=self.question,
            parent=data.get("parent"),
            spent=self.spent,
        )


def add_up(totals: dict[str, float], spent: Any) -> None:
    """Add amounts by name to totals; what is no number is left out."""
    for name, amount in (spent or {}).items():
        if isinstance(amount, int | float):
            totals[name] = totals.get(name, 0) + amount
