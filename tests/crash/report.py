"""What a crash test has to say: a table, how fast engines came back, and what was violated."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from statistics import median, quantiles

from attrs import field, frozen

_COLUMNS = ("mode", "flow", "kills", "runs", "steps", "reused", "repeated")


@frozen
class Cell:
    """What happened to the runs of one flow: kills, runs, recorded steps, steps reused, attempts beyond the first."""

    kills: int = 0
    runs: int = 0
    steps: int = 0
    reused: int = 0
    repeated: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(*(one + two for one, two in zip(self.facts, other.facts, strict=True)))

    @property
    def facts(self) -> tuple[int, ...]:
        """Return the numbers in the order of the columns."""
        return self.kills, self.runs, self.steps, self.reused, self.repeated


@frozen
class Report:
    """What came of one project; `command` repeats it."""

    mode: str
    command: str
    cells: Mapping[str, Cell] = field(factory=dict)
    violations: tuple[str, ...] = ()
    restarts: tuple[float, ...] = ()
    seconds: float = 0.0
    skipped: str | None = None


def show(reports: Iterable[Report], of: int) -> int:
    """Print what is violated as it comes, and the table at the end; return the exit code. Progress goes to stderr."""
    seen = []
    for report in reports:
        seen.append(report)
        kills = sum((cell for one in seen for cell in one.cells.values()), Cell()).kills
        print(f"{len(seen)} of {of} projects, {kills} kills: {report.mode}", file=sys.stderr, flush=True)
        for violation in report.violations:
            print(f"VIOLATED {violation}", flush=True)
        if report.violations:
            print(f"  repeat with: {report.command}", flush=True)
        if report.skipped:
            print(f"skipped {report.mode}: {report.skipped}", flush=True)
    print(table(seen))
    restarts = [seconds for report in seen for seconds in report.restarts]
    if len(restarts) > 1:
        print(f"restarts: median {median(restarts):.2f} s, 95 % below {quantiles(restarts, n=20)[-1]:.2f} s")
    return 1 if any(report.violations for report in seen) else 0


def table(reports: Iterable[Report]) -> str:
    """Return a line per mode and flow, the sum at the end."""
    cells: dict[tuple[str, str], Cell] = {}
    violated: dict[str, int] = {}
    for report in reports:
        violated[report.mode] = violated.get(report.mode, 0) + len(report.violations)
        for flow, cell in report.cells.items():
            cells[report.mode, flow] = cells.get((report.mode, flow), Cell()) + cell
    lines = ["  ".join(f"{name:>9}" for name in (*_COLUMNS, "violated"))]
    for (mode, flow), cell in sorted(cells.items()):
        lines.append(_line(mode, flow, cell, ""))
    for mode, count in sorted(violated.items()):
        own = sum((cell for (of, _), cell in cells.items() if of == mode), Cell())
        lines.append(_line(mode, "all", own, str(count)))
    lines.append(_line("all", "all", sum(cells.values(), Cell()), str(sum(violated.values()))))
    return "\n".join(lines)


def _line(mode: str, flow: str, cell: Cell, violated: str) -> str:
    return "  ".join(f"{fact:>9}" for fact in (mode, flow, *cell.facts, violated))
