"""`swarm bp add`, `swarm bp revert`: a new version on top of the head."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import click
from attrs import evolve

from swarm_core.cli import bp_stores, inputs, outcome
from swarm_core.cli.names import check_name, own_name
from swarm_core.contracts import BlueprintStore
from swarm_core.documents import read_document
from swarm_core.errors import BlueprintNotFound, InvalidBlueprint, VersionConflict
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.problem import Severity
from swarm_core.model.version import BlueprintVersion, CommitMetadata, Fixed, IdRef
from swarm_core.pinning import canonical
from swarm_core.selecting import choose, parse_source
from swarm_core.settings import Settings, project_folder

_NONE = "none"
_BY = click.option("--by", metavar="NAME", callback=check_name, help="Who does it; default: the name you log in under.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one object: the entry, and added.")


@click.command("add")
@click.argument("file", type=inputs.FILE)
@click.option("--id", "name", metavar="NAME", help="Keep it under this id; default: the id that FILE says.")
@bp_stores.message_option
@_BY
@click.option("--parent", metavar="VERSION", help="Only on top of this version; `none` where there must be none.")
@bp_stores.store_option
@_JSON
@click.pass_context
def add(
    ctx: click.Context,
    /,
    file: Path,
    *,
    name: str | None,
    message: str,
    by: str | None,
    parent: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Keep the Blueprint in FILE as a new version.

    It is kept whole: what FILE takes from other files becomes part of it. A text that is the newest version already
    gives no new one. Exit codes: 0, 3 the Blueprint is wrong, archived, or not on top of --parent, 4 no such file.
    """
    settings = inputs.settings_of(ctx)
    text = inputs.read_stdin() if str(file) == "-" else None
    said = CommitMetadata(rationale=message, author=own_name() if by is None else by)
    blueprint = asyncio.run(_checked(settings, file, text))
    blueprint = blueprint if name is None else evolve(blueprint, id=name)
    entry, added = asyncio.run(_add(settings, store, blueprint, said, parent))
    return _tell(entry, added=added, as_json=as_json)


async def _add(
    settings: Settings, named: str | None, blueprint: Blueprint, said: CommitMetadata, parent: str | None
) -> tuple[BlueprintVersion, bool]:
    check_blueprint_id(blueprint.id)
    async with bp_stores.opened(settings, named, make=True) as store:
        return await on_top(store, blueprint.id, canonical(blueprint)[0], said, parent)


async def _checked(settings: Settings, file: Path, text: bytes | None) -> Blueprint:
    """Return the Blueprint when it can be run from a store: with the functions of the project's folder.

    Raises: DocumentError, InvalidBlueprint, with every problem that is an error.
    """
    from swarm_core.builtin.swarmfile import functions_beside
    from swarm_core.swarm import Swarm

    home = project_folder(settings)
    with outcome.kept_stdout():
        async with Swarm.open(settings, strict=False) as swarm:
            read = read_document(file if text is None else str(file), swarm.host.catalog, text=text, lenient=True)
            problems = swarm.check(evolve(read, base=home, functions=functions_beside(home)))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors and read.base not in (None, home):
        outcome.say(f"checked as it runs from a store: with the functions of {home}/swarmfile.py")
    if errors:
        raise InvalidBlueprint(errors)
    for problem in problems:
        if problem.severity is Severity.WARNING:
            outcome.warn(str(problem))
    return read.blueprint


@click.command("revert")
@bp_stores.name_argument("NAME@SELECTOR")
@bp_stores.message_option
@_BY
@bp_stores.store_option
@_JSON
@click.pass_context
def revert(ctx: click.Context, /, name: str, *, message: str, by: str | None, store: str | None, as_json: bool) -> int:
    """Make an earlier version the newest one again; those between stay in the history.

    Exit codes: 0, 3 the Blueprint is archived, 4 no such Blueprint or version.
    """
    if "@" not in name:
        raise click.UsageError("say which version it shall be: NAME@SELECTOR; see: swarm bp log NAME")
    author = own_name() if by is None else by
    entry, added = asyncio.run(_revert(inputs.settings_of(ctx), store, parse_source(name), message, author))
    return _tell(entry, added=added, as_json=as_json)


async def _revert(
    settings: Settings, named: str | None, wanted: IdRef, message: str, author: str
) -> tuple[BlueprintVersion, bool]:
    async with bp_stores.opened(settings, named) as store:
        text, entry = await choose(store, wanted)
        rationale = message or f"back to version {entry.version[: bp_stores.SHORT]}"
        return await on_top(store, wanted.id, text, CommitMetadata(rationale=rationale, author=author), None)


# writing -----------------------------------------------------------------------------------------------------


async def on_top(
    store: BlueprintStore, name: str, text: str, said: CommitMetadata, parent: str | None
) -> tuple[BlueprintVersion, bool]:
    """Write a version on top of the head, whichever that is, unless a parent is asked for; tell whether it is new."""
    wanted = None if parent is None else await _parent(store, name, parent)
    while True:
        head = await _head(store, name)
        above = wanted if parent is not None else None if head is None else head.version
        try:
            entry = await store.write_new(name, text, parent=above, metadata=said)
        except VersionConflict:
            if parent is not None:
                raise
        else:
            return entry, head is None or entry.number != head.number


async def _head(store: BlueprintStore, name: str) -> BlueprintVersion | None:
    try:
        return (await store.read_head(name))[1]
    except BlueprintNotFound:
        return None


async def _parent(store: BlueprintStore, name: str, parent: str) -> str | None:
    """Return the whole version that `--parent` means, None for `none`."""
    if parent == _NONE:
        return None
    if not re.fullmatch("[0-9a-fA-F]{4,64}", parent):
        raise click.BadParameter(f"write the first digits of a version, 4 at least, or {_NONE}", param_hint="--parent")
    return (await choose(store, IdRef(id=name, version=Fixed(value=parent.lower()))))[1].version


def _tell(entry: BlueprintVersion, *, added: bool, as_json: bool) -> int:
    if as_json:
        outcome.print_json({**entry.as_json(), "added": added})
        return outcome.OK
    click.echo(f"{'added' if added else 'unchanged'} {bp_stores.shown(entry)}")
    if added:
        outcome.say(f"run it with: swarm run {bp_stores.quoted(f'{bp_stores.SCHEME}{entry.blueprint_id}')}")
    return outcome.OK
