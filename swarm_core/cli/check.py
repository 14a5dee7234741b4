"""`swarm check`: everything that is wrong with a Blueprint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from swarm_core.cli import inputs, outcome
from swarm_core.cli.progress import styled
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import Settings
from swarm_core.swarm import Swarm

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@click.command("check")
@inputs.blueprint_argument
@inputs.compile_options
@click.option("--json", "as_json", is_flag=True, help="Print one object: ok, problems.")
@click.pass_context
def command(ctx: click.Context, /, file: Path, **options: Any) -> int:
    """Tell everything that is wrong with the Blueprint in FILE, all at once.

    Each problem has its place, a code and what to do. Exit codes: 0 it can be run, 3 it cannot, 4 no such file.
    """
    text = inputs.read_stdin() if str(file) == "-" else None
    return asyncio.run(_check(inputs.settings_of(ctx), file, text, **options))


async def _check(
    settings: Settings, file: Path, text: bytes | None, *, bindings: tuple[str, ...], layer_set: str, as_json: bool
) -> int:
    code = outcome.INVALID
    with outcome.kept_stdout():
        async with Swarm.open(settings, strict=False) as swarm:
            for error in swarm.host.errors:
                outcome.warn(str(error))
            try:
                problems = swarm.check(file, text=text, bind=inputs.parse_bindings(bindings), layer_set=layer_set)
            except DocumentError as error:
                problems, code = list(error.problems), outcome.exit_code_of(error)
    good = all(problem.severity is not Severity.ERROR for problem in problems)
    if as_json:
        outcome.print_json({"ok": good, "problems": [problem.as_json() for problem in problems]})
    else:
        _print(file, problems, good=good)
    return outcome.OK if good else code


def _print(file: Path, problems: Sequence[Problem], *, good: bool) -> None:
    for problem in problems:
        place = outcome.one_line(problem.place)
        label = styled(str(problem.severity), _COLORS[problem.severity])
        click.echo(f"{place}: {label}: {outcome.one_line(problem.message)} [{problem.code}]")
        if problem.hint:
            click.echo(f"    {outcome.one_line(problem.hint)}")
    counts = {severity: sum(problem.severity is severity for problem in problems) for severity in Severity}
    told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count)
    verdict = "can be run" if good else "cannot be run"
    click.echo(f"{outcome.one_line(str(file))}: {verdict}{f' ({told})' if told else ''}")
