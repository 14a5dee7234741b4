"""`swarm check` at a server: with the plugins, functions and layers that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from swarm_core.cli import inputs, outcome
from swarm_core.cli.problem_formats import tell
from swarm_core.cli.remote import There, connected
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping


async def check_there(
    settings: Settings,
    server: str,
    file: Path | str,
    text: bytes | None,
    *,
    bindings: tuple[str, ...],
    layer_set: str,
    deny_warnings: bool,
    form: str,
    fixing: bool,
    showing: bool,
) -> int:
    """Tell everything that is wrong with a Blueprint at a server, and return the exit code."""
    async with connected(settings, server) as there:
        problems, code = await _look(there, file, text, inputs.parse_bindings(bindings), layer_set)
    bad = {Severity.ERROR, Severity.WARNING} if deny_warnings else {Severity.ERROR}
    good = not any(problem.severity in bad for problem in problems)
    tell(problems, str(file), form, good=good)
    return outcome.OK if good else code


async def _look(
    there: There, file: Path | str, text: bytes | None, bind: Mapping[str, str], layer_set: str
) -> tuple[list[Problem], int]:
    """Return the problems, and the exit code if one of them is an error."""
    from swarm_core.cli.sources import read_here
    from swarm_core.compile import with_fix
    from swarm_core.documents import in_order

    try:
        with outcome.kept_stdout():
            here = read_here(file, text, there.catalog)
        found = here.located(await there.swarm.check(here.source, bind=bind, layer_set=layer_set))
        left = here.left_behind() if any(problem.severity is Severity.ERROR for problem in found) else None
    except DocumentError as error:
        return [with_fix(problem) for problem in error.problems], outcome.exit_code_of(error)
    notes = [with_fix(problem) for problem in here.notes]
    return in_order([*notes, *found, *([] if left is None else [left])]), outcome.INVALID
