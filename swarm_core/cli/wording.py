"""How commands speak of runs: how long ago, how long, how far, and what to do next."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from swarm_core.cli import outcome
from swarm_core.cli.outcome import one_line
from swarm_core.model.run import Question, StoredRun
from swarm_core.model.task import RunStatus

_CODES = {
    RunStatus.DONE: outcome.OK,
    RunStatus.FAILED: outcome.FLOW_FAILED,
    RunStatus.CANCELLED: outcome.INTERRUPTED,
    RunStatus.INTERRUPTED: outcome.INTERRUPTED,
    RunStatus.WAITING: outcome.WAITING,
}
COLORS = {
    RunStatus.RUNNING: "cyan",
    RunStatus.WAITING: "magenta",
    RunStatus.INTERRUPTED: "yellow",
    RunStatus.DONE: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
}
_STORE_ERRORS = ("store_unavailable", "store_unreadable")
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"))
_SHORT = 60


def exit_code(status: RunStatus, error: Mapping[str, Any] | None) -> int:
    """Return the exit code of a command that carried a run to where it stands.

    An interrupted run with an error was not stopped by anybody: it could not go on.
    """
    if status is RunStatus.INTERRUPTED and error is not None:
        return outcome.STORE if error.get("code") in _STORE_ERRORS else outcome.INVALID
    return _CODES[status]


def duration(length: float) -> str:
    """Return seconds as people read them: `0.4 s`, `12 s`, `3 m 20 s`, `2 h 5 m`, `4 d 1 h`."""
    length = max(0.0, length)
    if length < 60:
        return f"{length:.1f} s" if length < 10 else f"{length:.0f} s"
    whole = math.floor(length)
    for place, (size, unit) in enumerate(_UNITS):
        if whole >= size:
            below, name = _UNITS[place + 1] if place + 1 < len(_UNITS) else (1.0, "s")
            rest = int(whole % size // below)
            return f"{int(whole // size)} {unit}" + (f" {rest} {name}" if rest else "")
    raise AssertionError(length)


def seconds(run: StoredRun, now: float) -> float:
    """Return how many seconds a run took, or has taken so far."""
    end = run.ended_at if run.ended_at is not None else now if run.owner else run.updated_at
    return max(0.0, end - run.created_at)


def steps_done(counts: Mapping[str, int]) -> str:
    """Return how many of a run's tasks have ended well, of all that were begun."""
    begun = counts.get("tasks", 0)
    return f"{counts.get('pass', 0)}/{begun}" if begun else "-"


def next_step(run: StoredRun, questions: Sequence[Question], suffix: str) -> str:
    """Return the command that brings a run on, empty when there is nothing to do."""
    if run.status is RunStatus.RUNNING:
        return f"swarm watch {run.id}{suffix}"
    if run.status is RunStatus.INTERRUPTED:
        return way_on(run.id, run.error, suffix)
    if run.status is RunStatus.FAILED:
        return f"swarm rerun {run.id} --failed{suffix}"
    if run.status is RunStatus.WAITING:
        if questions:
            return answer_command(questions[0], suffix)
        return f"swarm watch {run.id}{suffix}" if run.owner else f"swarm resume {run.id}{suffix}"
    return ""


def way_on(run_id: str, error: Mapping[str, Any] | None, suffix: str) -> str:
    """Return the command that brings an interrupted run on."""
    if error is not None and error.get("code") == "run_diverged":
        return f"swarm migrate {run_id} --to FILE{suffix}"
    return f"swarm resume {run_id}{suffix}"


def interrupted_lines(run_id: str, error: Mapping[str, Any] | None, suffix: str) -> list[str]:
    """Return what is said of an interrupted run: why it could not go on, if that is why, and what to do."""
    why = [] if error is None else [f"error: {one_line(str(error.get('message')))}"]
    return [*why, f"interrupted; go on with: {way_on(run_id, error, suffix)}"]


def answer_command(question: Question, suffix: str) -> str:
    """Return the command that answers a question."""
    return f"swarm answer {question.key} ANSWER{suffix}"


def shortened(value: Any, most: int = _SHORT) -> str:
    """Return a JSON value as one line of at most so many characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def error_text(error: Mapping[str, Any]) -> str:
    """Return a run's error as a sentence: kind, message, place."""
    place = " ".join(str(error[key]) for key in ("where", "address") if error.get(key))
    return one_line(f"{error.get('kind', '')} {error.get('message', '')}{f' ({place})' if place else ''}".strip())


def size(count: int) -> str:
    """Return bytes as people read them: `812 B`, `4.2 KiB`, `19 MiB`."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 step`, `12 steps`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def moment(time: float) -> str:
    """Return Unix seconds as a local date and time; a time that no calendar has as the number."""
    try:
        return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time:g}"
