"""`swarm check`: everything that is wrong with a Blueprint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from swarm_core.cli import inputs, outcome
from swarm_core.cli.context import context_of
from swarm_core.cli.lints import complete_levels, parse_levels
from swarm_core.cli.problem_formats import FORMATS, tell
from swarm_core.cli.remote import named_server, server_of, server_option
from swarm_core.cli.remote_check import check_there
from swarm_core.compile import with_fix
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import Settings, load_settings
from swarm_core.swarm import Swarm

if TYPE_CHECKING:
    from swarm_core.cli.mending import Mended


@click.command("check")
@inputs.blueprint_argument
@inputs.compile_options
@server_option
@click.option(
    "--lint",
    "lints",
    multiple=True,
    metavar="CODE=LEVEL",
    shell_complete=complete_levels,
    help="Tell a lint as LEVEL: allow, warn or deny; see swarm lints. May be repeated.",
)
@click.option("--deny-warnings", is_flag=True, help="End with exit code 3 when there are warnings, too.")
@click.option("--fix", "fixing", is_flag=True, help="Mend FILE where a problem has a fix, and tell what is left.")
@click.option("--diff", "showing", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True, help="How to tell it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one object: ok, problems; the same as --format json.")
@click.pass_context
def command(
    ctx: click.Context, /, file: Path | str, lints: tuple[str, ...], *, form: str, as_json: bool, **options: Any
) -> int:
    """Tell everything that is wrong with the Blueprint in FILE, or a kept one (bp:NAME[@SELECTOR]), all at once.

    Each problem has its place, a code and what to do. Exit codes: 0 it can be run, 3 it cannot, 4 no such file.
    """
    if (options["fixing"] or options["showing"]) and (inputs.is_kept(file) or str(file) == "-"):
        raise click.UsageError(f"--fix and --diff mend files, and {str(file)!r} is none")
    text = inputs.read_stdin() if str(file) == "-" else None
    server, fixing = named_server(ctx), options["fixing"] or options["showing"]
    settings = load_settings(file=context_of(ctx).config, overrides=parse_levels(lints))
    server = server_of(settings, server)
    if server is not None and (fixing or lints):
        raise click.UsageError("--fix, --diff and --lint work here, not over a server")
    if server is not None:
        return asyncio.run(check_there(settings, server, file, text, form="json" if as_json else form, **options))
    return asyncio.run(_check(settings, file, text, form="json" if as_json else form, **options))


@frozen(kw_only=True, eq=False)
class _Look:
    """How a Blueprint is looked at: in which swarm, with which bindings and layers."""

    swarm: Swarm
    bind: dict[str, str]
    layer_set: str
    text: bytes | None = None

    async def at(self, source: Path | str) -> tuple[list[Problem], int]:
        """Return the problems of a source, and the exit code if one of them is an error."""
        try:
            fetched = await self.swarm.fetch(source) if inputs.is_kept(source) else source
            found = self.swarm.check(fetched, text=self.text, bind=self.bind, layer_set=self.layer_set)
        except DocumentError as error:
            return [with_fix(problem) for problem in error.problems], outcome.exit_code_of(error)
        return found, outcome.INVALID

    def at_file(self, file: Path) -> Sequence[Problem]:
        """Return the problems of a file; while the document itself has errors, only those."""
        try:
            return self.swarm.check(self.swarm.read(file), bind=self.bind, layer_set=self.layer_set)
        except DocumentError as error:
            return [with_fix(problem) for problem in error.problems]


async def _check(
    settings: Settings,
    file: Path | str,
    text: bytes | None,
    *,
    bindings: tuple[str, ...],
    layer_set: str,
    deny_warnings: bool,
    fixing: bool,
    showing: bool,
    form: str,
) -> int:
    mended: Mended | None = None
    with outcome.kept_stdout():
        blueprints = inputs.blueprints_of(settings, file)
        async with Swarm.open(settings, blueprints=blueprints, strict=False) as swarm:
            for error in swarm.host.errors:
                outcome.warn(str(error))
            look = _Look(swarm=swarm, bind=inputs.parse_bindings(bindings), layer_set=layer_set, text=text)
            problems, code = await look.at(file)
            if (fixing or showing) and isinstance(file, Path) and code != outcome.NOT_FOUND:
                from swarm_core.cli.mending import mend

                mended = mend(file, look.at_file, write=not showing)
                problems, code = await look.at(file)
    bad = {Severity.ERROR, Severity.WARNING} if deny_warnings else {Severity.ERROR}
    good = not any(problem.severity in bad for problem in problems)
    if mended is not None and showing:
        click.echo(outcome.printable(mended.diff(str(file))), nl=False)
    if mended is not None:
        _report(mended, showing=showing)
    if not showing:
        tell(problems, str(file), form, good=good, fixed=None if mended is None else mended.done)
    return outcome.OK if good else code


def _report(mended: Mended, *, showing: bool) -> None:
    """Say on stderr what was mended, and what has a fix that could not be applied."""
    verb = "can be fixed" if showing else "fixed"
    for problem in mended.done:
        outcome.say(f"{verb}: {problem.path}: {problem.message} [{problem.code}]")
    for problem, why in mended.left:
        outcome.say(f"not fixed: {problem.path}: {problem.message} [{problem.code}]; {why}")
    if not mended.done and not mended.left:
        outcome.say("nothing to fix")
