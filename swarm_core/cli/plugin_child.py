"""Looks at plugins in a child process, and finds out which of them keeps it from coming back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import field, frozen

_MOST_TRIES = 20
_PATIENCE = 5.0  # seconds beyond the limit after which the child is killed: it should have ended itself
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from swarm_core.cli.plugin_probe import main
main(sys.argv[2])
"""
_LONGEST = 2_000  # characters of a trace
_NOT_OWN = ("importlib", "pluggy")
_INNERMOST_FIRST = "most recent call first"


@frozen(kw_only=True)
class Findings:
    """What was found: all of it plain data, as the child wrote it.

    `plugins` are as `swarm plugins --json` has them, with how long each `took` and a `traceback` where there is one;
    `commands` what is wrong with the commands that plugins add; `document` what keeps FILE from being read; `needs`
    what FILE and the settings ask for. `gave_up` says why there is no more.
    """

    plugins: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[Mapping[str, Any]] = ()
    document: Sequence[Mapping[str, Any]] = ()
    needs: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    gave_up: str | None = None


@frozen(kw_only=True)
class _Ended:
    """How a child ended: its report, else what it was doing, why that had no end, and where it stood."""

    report: Mapping[str, Any] | None
    doing: Mapping[str, str] = field(factory=dict)
    why: str = ""
    trace: str = ""


def look(*, config: str | None, file: Path | None, limit: float, usable_settings: bool = True) -> Findings:
    """Look at all installed plugins, and at what FILE needs.

    Each plugin may take `limit` seconds; one that takes longer, or ends the process, is named and left out, and the
    others are looked at again.
    """
    job = {"config": config, "file": None if file is None else str(file), "limit": limit, "settings": usable_settings}
    lost: dict[str, Mapping[str, Any]] = {}  # by distribution
    for _ in range(_MOST_TRIES):
        ended = _run({**job, "without": sorted(lost)}, limit)
        if ended.report is not None:
            return _findings(ended.report, lost)
        distribution = ended.doing.get("distribution")
        if distribution is None or distribution in lost:
            return Findings(plugins=list(lost.values()), gave_up=_stuck(ended))
        lost[distribution] = _lost(ended)
    return Findings(plugins=list(lost.values()), gave_up=f"{len(lost)} plugins never came back; the rest was not tried")


def _run(job: Mapping[str, Any], limit: float) -> _Ended:
    with TemporaryDirectory(prefix="swarm-doctor-") as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), name]
        with (folder / "said.txt").open("wb") as said:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            code = _wait(child, folder, limit)
        return _ended(folder, code, limit)


def _wait(child: subprocess.Popen[bytes], folder: Path, limit: float) -> int | None:
    """Wait as long as the child gets on; return its exit code, None when it had to be killed."""
    steps = -1
    try:
        while True:
            try:
                return child.wait(limit + _PATIENCE)
            except subprocess.TimeoutExpired:
                done = len(_lines(folder / "steps.jsonl"))
                if done == steps:
                    return None
                steps = done
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _ended(folder: Path, code: int | None, limit: float) -> _Ended:
    report = folder / "report.json"
    if report.exists():
        return _Ended(report=json.loads(report.read_text(encoding="utf-8")))
    steps = _lines(folder / "steps.jsonl")
    trace = _text(folder / "trace.txt") if code is None or code == 1 else ""
    why = f"did not come back within {limit:g} s" if trace or code is None else f"ended the process {_with(code)}"
    return _Ended(
        report=None, doing=json.loads(steps[-1]) if steps else {}, why=why, trace=trace or _text(folder / "said.txt")
    )


def _with(code: int) -> str:
    return f"with {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _lines(path: Path) -> list[str]:
    """Return the whole lines of a file; the last one may be half written."""
    return _text(path).split("\n")[:-1]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


# what becomes of it ------------------------------------------------------------------------------------------


def _lost(ended: _Ended) -> Mapping[str, Any]:
    doing = ended.doing
    where = f"plugin {doing['name']!r} ({doing['distribution']} {doing['version']})"
    error = {
        "code": "plugin_hangs",
        "message": f"{doing['step']} {ended.why}",
        "where": where,
        "hint": f'update it, or switch it off: [plugins] disable = ["{doing["name"]}"]',
    }
    return {
        **{key: doing[key] for key in ("name", "distribution", "version", "module")},
        "state": "refused",
        "hash": None,
        "hooks": [],
        "provides": [],
        "error": error,
        "took": None,
        "traceback": ended.trace,
    }


def own_part(trace: str) -> str:
    """Return the plugin's own lines of a trace, whichever end it begins at: the others are the core's way to it."""
    lines = trace.splitlines()
    foreign = [at for at, line in enumerate(lines) if any(word in line for word in _NOT_OWN)]
    if foreign and _INNERMOST_FIRST in trace:
        lines = lines[: foreign[0]]
    elif foreign:
        lines = lines[foreign[-1] + 1 :]
    return "\n".join(lines)[:_LONGEST]


def _stuck(ended: _Ended) -> str:
    step = ended.doing.get("step", "starting the look at plugins")
    return f"{step} {ended.why}, and no single plugin is to blame:\n{ended.trace[:_LONGEST].rstrip()}"


def _findings(report: Mapping[str, Any], lost: Mapping[str, Mapping[str, Any]]) -> Findings:
    """Return what the child found, with those that had to be left out in their places."""
    by_name = {(each["distribution"], each["name"]): each for each in lost.values()}
    plugins = [by_name.get((plugin["distribution"], plugin["name"]), plugin) for plugin in report["plugins"]]
    return Findings(**{**report, "plugins": plugins})
