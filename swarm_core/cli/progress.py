"""How a run is shown while it goes: a live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self, TextIO

import click
from attrs import define, field

from swarm_core.cli.outcome import one_line, printable, say
from swarm_core.cli.wording import counted
from swarm_core.model.event import Event

_STATUSES = {
    "run_resumed": "running",
    "task_resumed": "running",
    "run_waiting": "waiting",
    "run_interrupted": "interrupted",
}
_LINES = {"task_pass": "pass", "task_blocked": "blocked", "task_cancelled": "cancelled"}
_TOLD = frozenset({*_LINES, "task_attempt_failed", "task_suspended", "worker_abandoned"})


class Progress(Protocol):
    """Takes the events of a run in order and shows them."""

    def recall(self, events: Iterable[Event]) -> None:
        """Note what happened before, which is not shown as if it happened now."""

    def take(self, event: Event) -> None:
        """Show one event."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *args: object) -> None: ...


def progress_for(run_id: str, stream: TextIO | None) -> Progress:
    """Return the live tree when `stream` is a terminal that can show it, else plain lines."""
    if stream is not None and stream.isatty() and _capable():
        from swarm_core.cli.tree import LiveTree

        return LiveTree(run_id, stream)
    return PlainLines()


def _capable() -> bool:
    import os

    return os.environ.get("TERM", "") not in ("", "dumb")


@define(eq=False)
class Step:
    """What is known of one task."""

    agent: str
    address: str
    began: float
    attempt: int = 0
    state: str = "pending"
    ended: float | None = None
    note: str = ""

    def seconds(self, now: float) -> float:
        """Return how long the step has taken so far, or took."""
        return (self.ended if self.ended is not None else now) - self.began


@define(eq=False)
class Steps:
    """The steps of a run as its events tell them."""

    by_task: dict[str, Step] = field(factory=dict)
    status: str = "running"

    def take(self, event: Event) -> Step | None:
        """Note one event; return the step it is about."""
        if event.kind == "run_ended":
            self.status = str(event.data["status"])
        self.status = _STATUSES.get(event.kind, self.status)
        if event.task_id is None:
            return None
        if event.kind == "task_created":
            self.by_task[event.task_id] = Step(str(event.data["agent"]), str(event.data["address"]), event.time)
        step = self.by_task.get(event.task_id)
        if step is not None:
            _note(step, event)
        return step


def _note(step: Step, event: Event) -> None:
    if event.attempt is not None:
        step.attempt = event.attempt
    if event.kind == "task_attempt_started":
        step.state = "running"
    elif event.kind == "task_attempt_failed":
        again = event.data.get("retry_in")
        step.note = str(event.data["error"]) + (f" (again in {again:.1f} s)" if again is not None else "")
        step.state = "waiting" if again is not None else step.state
    elif event.kind == "task_suspended":
        step.state = "suspended"
    elif event.kind == "task_resumed":
        step.state = "running"
    elif event.kind == "worker_output" and event.data["output"].get("type") == "progress":
        output = event.data["output"]
        step.note = " ".join(str(part) for part in (output.get("stage"), output.get("note")) if part)
    elif event.kind in _LINES:
        step.state, step.ended = _LINES[event.kind], event.time
    elif is_warning(event):
        facts = ", ".join(f"{name} {value}" for name, value in event.data.items() if name != "agent")
        step.note = f"{event.kind} {facts}"


def is_warning(event: Event) -> bool:
    """Tell whether an event of a plugin says by its name that somebody should see it while the run goes on."""
    return event.kind.endswith("_warning")


# kind -> what is said of the run
_RUN_LINES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "run_started": lambda facts: "started",
    "run_resumed": lambda facts: f"goes on: {counted(facts['reused'], 'step')} reused, {facts['again']} run again",
    "run_waiting": lambda facts: "waits for an answer",
    "run_interrupted": lambda facts: f"interrupted: {facts['reason']}",
    "run_ended": lambda facts: str(facts["status"]),
}


class PlainLines(AbstractContextManager["PlainLines"]):
    """Writes a line when a step ends or something goes wrong."""

    def __init__(self) -> None:
        self._steps = Steps()

    def recall(self, events: Iterable[Event]) -> None:
        for event in events:
            self._steps.take(event)

    def take(self, event: Event) -> None:
        step = self._steps.take(event)
        if step is not None and (event.kind in _TOLD or is_warning(event)):
            state = "warning" if is_warning(event) else _LINES.get(event.kind, event.kind.removeprefix("task_"))
            note = f"  {one_line(step.note)}" if step.note and event.kind != "task_pass" else ""
            say(
                f"{state:<9} {step.agent}  {step.address}  attempt {step.attempt}"
                f"  {step.seconds(event.time):.2f} s{note}"
            )
        elif event.kind == "gap":
            say(f"... {event.data['last'] - event.data['first'] + 1} events not shown")
        elif event.kind in _RUN_LINES:
            say(f"{event.run_id} {one_line(_RUN_LINES[event.kind](event.data))}")

    def __exit__(self, *args: object) -> None:
        return None


def styled(text: str, color: str) -> str:
    """Return text in a colour; click drops it where stderr is no terminal."""
    return click.style(printable(text), fg=color)
