"""The live tree of steps that is shown on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from swarm_core.cli.outcome import one_line, printable
from swarm_core.cli.progress import Step, Steps
from swarm_core.model.event import Event

_MARKS = {
    "pending": ("·", "dim"),
    "running": ("●", "cyan"),
    "waiting": ("↻", "yellow"),
    "suspended": ("?", "magenta"),
    "pass": ("✓", "green"),
    "blocked": ("✗", "red"),
    "cancelled": ("∅", "yellow"),
}
_RUN_MARKS = {"done": "✓", "waiting": "?", "interrupted": "‖"}
_UNSETTLED = frozenset({"pending", "running", "waiting", "suspended"})


class LiveTree:
    """Shows the steps under the places of the flow they stand at, the newest ones when there are many."""

    def __init__(self, run_id: str, stream: TextIO) -> None:
        self._run_id = run_id
        self._steps = Steps()
        self._began = time.time()
        self._console = Console(file=stream)
        self._spinner = Spinner("dots")
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self._live.refresh()
        self._live.__exit__(None, None, None)

    def recall(self, events: Iterable[Event]) -> None:
        """Note what happened before."""
        for event in events:
            self._steps.take(event)

    def take(self, event: Event) -> None:
        """Note one event; the screen follows on its own."""
        self._steps.take(event)

    def _draw(self) -> Group:
        steps = list(self._steps.by_task.values())
        shown = self._chosen(steps, max(5, self._console.size.height - 6))
        table = Table.grid(padding=(0, 2))
        for column in ("", "", "", "", ""):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        for step in shown:
            self._add(table, step)
        hidden = len(steps) - len(shown)
        more = [Text(f"  ... and {hidden} more steps", style="dim")] if hidden else []
        return Group(self._headline(steps), table, *more)

    def _chosen(self, steps: list[Step], room: int) -> list[Step]:
        """Return what fits: everything unsettled first, then the newest of the rest, in the order of the flow."""
        if len(steps) <= room:
            return steps
        unsettled = [step for step in steps if step.state in _UNSETTLED][:room]
        bad = (
            [step for step in steps if step.state == "blocked"][-(room - len(unsettled)) :]
            if room > len(unsettled)
            else []
        )
        left = room - len(unsettled) - len(bad)
        kept = {id(step) for step in (*unsettled, *bad)}
        settled = [step for step in steps if id(step) not in kept]
        kept |= {id(step) for step in settled[len(settled) - left :]} if left > 0 else set()
        return [step for step in steps if id(step) in kept]

    def _add(self, table: Table, step: Step) -> None:
        """Add a row, indented as deep as the step stands in the flow."""
        depth = min(step.address.rstrip("/").count("/"), 8)
        mark, style = _MARKS[step.state]
        seconds = step.seconds(time.time())
        table.add_row(
            Text(f"{'  ' * depth}{mark} {printable(step.agent)}", style=style),
            Text(step.address, style="dim"),
            Text(step.state, style=style),
            Text(f"attempt {step.attempt}" if step.attempt > 1 else "", style="yellow"),
            Text(f"{seconds:.1f} s  {one_line(step.note)[:60]}", style="dim"),
        )

    def _headline(self, steps: list[Step]) -> Table:
        counts: dict[str, int] = {}
        for step in steps:
            counts[step.state] = counts.get(step.state, 0) + 1
        told = "  ".join(f"{count} {state}" for state, count in counts.items())
        line = Table.grid(padding=(0, 1))
        status = self._steps.status
        mark = self._spinner if status == "running" else Text(_RUN_MARKS.get(status, "✗"))
        line.add_row(mark, Text(self._run_id, style="bold"), Text(self._steps.status), Text(told, style="dim"))
        return line
