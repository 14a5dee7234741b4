"""How `swarm check` tells problems: as text, JSON, SARIF, or the workflow commands of GitHub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from swarm_core.cli import outcome
from swarm_core.cli.progress import styled
from swarm_core.model.problem import Problem, Severity

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def tell(
    problems: Sequence[Problem], file: str, form: str, *, good: bool, fixed: Sequence[Problem] | None = None
) -> None:
    """Write the problems of a file to stdout in one of FORMATS; `fixed` are those that were mended, None for no try."""
    if form == "json" and fixed is not None:
        outcome.print_json({**_facts(problems, good), "fixed": [problem.as_json() for problem in fixed]})
    else:
        FORMATS[form](problems, file, good)


def _text(problems: Sequence[Problem], file: str, good: bool) -> None:
    for problem in problems:
        place = outcome.one_line(problem.place)
        label = styled(str(problem.severity), _COLORS[problem.severity])
        click.echo(f"{place}: {label}: {outcome.one_line(problem.message)} [{problem.code}]")
        if problem.hint:
            click.echo(f"    {outcome.one_line(problem.hint)}")
    click.echo(_summary(problems, file, good))


def _summary(problems: Sequence[Problem], file: str, good: bool) -> str:
    counts = {severity: sum(problem.severity is severity for problem in problems) for severity in Severity}
    told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)
    sound = all(problem.severity is not Severity.ERROR for problem in problems)
    verdict = "can be run" if good else "can be run, and warnings are denied" if sound else "cannot be run"
    return f"{outcome.one_line(file)}: {verdict}{f' ({told})' if told else ''}"


def _json(problems: Sequence[Problem], file: str, good: bool) -> None:
    outcome.print_json(_facts(problems, good))


def _facts(problems: Sequence[Problem], good: bool) -> dict[str, Any]:
    return {"ok": good, "problems": [problem.as_json() for problem in problems]}


def _sarif(problems: Sequence[Problem], file: str, good: bool) -> None:
    from swarm_core.cli.sarif import sarif

    outcome.print_json(sarif(problems, file))


def _github(problems: Sequence[Problem], file: str, good: bool) -> None:
    for problem in problems:
        facts = {"file": problem.file or file, "line": problem.line, "col": problem.column, "title": problem.code}
        properties = ",".join(f"{name}={_property(value)}" for name, value in facts.items() if value is not None)
        text = f"{problem.path}: {problem.message}" + (f"; {problem.hint}" if problem.hint else "")
        click.echo(f"::{_COMMANDS[problem.severity]} {properties}::{_escaped(outcome.printable(text))}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _escaped(outcome.printable(str(value))).replace(":", "%3A").replace(",", "%2C")


FORMATS: Mapping[str, Callable[[Sequence[Problem], str, bool], None]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
