"""`swarm plugins doctor`: what is wrong with plugins, what a Blueprint lacks, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from swarm_core.cli import outcome
from swarm_core.cli.context import context_of
from swarm_core.cli.durations import duration
from swarm_core.cli.plugin_child import Findings, look, own_part
from swarm_core.cli.tables import print_table
from swarm_core.errors import SettingsError

ACTIVE, DISABLED = "active", "disabled"
HERE = "here"


@frozen(kw_only=True)
class _Trouble:
    """Something that is wrong: what it is, and what to do about it; None where nothing can be said."""

    what: str
    do: str | None = None


@click.command("doctor")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--timeout",
    type=duration,
    default="10s",
    show_default=True,
    metavar="DURATION",
    help="How long a plugin may take to be imported and to answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object: ok, plugins, needs, problems, do.")
@click.pass_context
def doctor(ctx: click.Context, /, file: Path | None, *, timeout: float, as_json: bool) -> int:
    """Tell what is wrong with plugins, what the Blueprint in FILE needs that is not there, and what to do.

    Plugins are looked at in a process of their own: one that never returns, or ends the process, is named. Exit codes:
    0 all is well, 3 something is wrong or missing, 4 no such file.
    """
    if file is not None and not file.is_file():
        outcome.say(f"error: {file}: there is no such file")
        return outcome.NOT_FOUND
    config = context_of(ctx).config
    settings_error = _settings_error(ctx)
    found = look(config=config, file=file, limit=timeout, usable_settings=settings_error is None)
    troubles = [*_settings_troubles(settings_error), *_troubles(found)]
    if as_json:
        outcome.print_json(_as_json(found, troubles))
    else:
        _print(found, troubles, file)
    return outcome.INVALID if troubles else outcome.OK


def _settings_error(ctx: click.Context) -> SettingsError | None:
    try:
        context_of(ctx).settings()
    except SettingsError as error:
        return error
    return None


# what is wrong -----------------------------------------------------------------------------------------------


def _settings_troubles(error: SettingsError | None) -> Iterator[_Trouble]:
    for line in outcome.error_lines(error) if error is not None else ():
        yield _Trouble(what=f"settings: {line}", do="mend the settings; plugins were looked at as if there were none")


def _troubles(found: Findings) -> Iterator[_Trouble]:
    for plugin in found.plugins:
        if plugin["error"] is not None:
            error = plugin["error"]
            what = f"{error['where']}: {error['message']}" if error.get("where") else error["message"]
            yield _Trouble(what=what, do=error.get("hint"))
    for trouble in found.commands:
        yield _Trouble(what=trouble["message"], do=trouble.get("hint"))
    for problem in found.document:
        yield _Trouble(what=f"{problem['path']}: {problem['message']}", do=problem.get("hint"))
    for need in found.needs:
        if need["state"] != HERE:
            yield _Trouble(what=f"{need['where']}: {need['thing']} {need['name']!r} is not there", do=need["do"])
    if found.gave_up is not None:
        yield _Trouble(what=found.gave_up)


# telling -----------------------------------------------------------------------------------------------------


def _as_json(found: Findings, troubles: list[_Trouble]) -> Mapping[str, Any]:
    return {
        "ok": not troubles,
        "plugins": found.plugins,
        "needs": found.needs,
        "problems": [{"message": trouble.what, "hint": trouble.do} for trouble in troubles],
        "warnings": found.warnings,
        "do": _commands(found),
    }


def _print(found: Findings, troubles: list[_Trouble], file: Path | None) -> None:
    rows = [
        (
            plugin["name"],
            plugin["state"],
            f"{plugin['distribution'] or ''} {plugin['version'] or ''}".strip(),
            "" if plugin["took"] is None else f"{plugin['took'] * 1000:.0f} ms",
        )
        for plugin in found.plugins
    ]
    print_table(("plugin", "state", "distribution", "took"), rows, empty="no plugins")
    if file is not None and found.needs:
        click.echo(f"\n{outcome.printable(str(file))} needs")
        needs = [(f"{need['thing']} {need['name']}", need["state"], need["by"] or "") for need in found.needs]
        print_table(("what", "state", "from"), needs, empty="nothing")
    _tell(found, troubles)
    if commands := _commands(found):
        click.echo("\nDo")
        for line in commands:
            click.echo(f"  {line}")


def _tell(found: Findings, troubles: list[_Trouble]) -> None:
    for trouble in troubles:
        outcome.say(f"error: {trouble.what}")
        if trouble.do:
            outcome.say(f"    {trouble.do}")
    for plugin in found.plugins:
        if trace := plugin["traceback"]:
            outcome.say(f"{plugin['name']}: {own_part(trace).strip()}")
    for warning in found.warnings:
        outcome.warn(warning)
    if not troubles:
        outcome.say("all is well")


def _commands(found: Findings) -> list[str]:
    """Return the commands that bring what is missing: one for all distributions that are known to bring some of it."""
    wanted = sorted({need["pip"] for need in found.needs if need["state"] != HERE and need["pip"]})
    return [f"pip install {' '.join(wanted)}"] if wanted else []
