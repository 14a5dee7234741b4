"""`swarm bp log`, `swarm bp diff`: what became of a Blueprint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from difflib import unified_diff
from io import StringIO
from typing import TypeAlias

import click

from swarm_core.cli import bp_stores, inputs, outcome, wording
from swarm_core.cli.progress import styled
from swarm_core.cli.tables import print_table
from swarm_core.contracts import BlueprintStore
from swarm_core.model.version import BlueprintVersion
from swarm_core.selecting import choose, parse_source
from swarm_core.settings import Settings

_HEAD = ("#", "version", "label", "when", "by", "why")
_COLORS = {"+": "green", "-": "red", "@": "cyan"}

_Side: TypeAlias = "tuple[str, BlueprintVersion] | None"


@click.command("log")
@bp_stores.name_argument("NAME")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="So many at most.")
@bp_stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_context
def log(ctx: click.Context, /, name: str, *, limit: int, store: str | None, as_json: bool) -> int:
    """List the versions of a Blueprint, the newest first.

    Exit codes: 0, 4 no such Blueprint.
    """
    return asyncio.run(_log(inputs.settings_of(ctx), store, name, limit, as_json=as_json))


async def _log(settings: Settings, named: str | None, name: str, limit: int, *, as_json: bool) -> int:
    async with bp_stores.opened(settings, named) as store:
        entries = await store.history(name, limit)
    if as_json:
        outcome.print_json([entry.as_json() for entry in entries])
        return outcome.OK
    print_table(_HEAD, [_row(entry) for entry in entries], empty="none")
    if entries[-1].number > 1:
        outcome.say(f"{entries[-1].number - 1} more before these; --limit shows more")
    return outcome.OK


def _row(entry: BlueprintVersion) -> tuple[str, ...]:
    return (
        str(entry.number),
        entry.version[: bp_stores.SHORT],
        outcome.one_line(entry.label or ""),
        wording.moment(entry.committed_at),
        outcome.one_line(entry.metadata.author or ""),
        wording.shortened(entry.metadata.rationale),
    )


@click.command("diff")
@bp_stores.name_argument("NAME[@SELECTOR]")
@click.argument("other", metavar="[@SELECTOR]", required=False)
@bp_stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one object: id, from, to, diff.")
@click.pass_context
def diff(ctx: click.Context, /, name: str, other: str | None, *, store: str | None, as_json: bool) -> int:
    """Print what changed between two versions of a Blueprint, as a unified diff of their YAML.

    NAME alone shows the last change, NAME@A what changed from A to the newest version, NAME@A @B from A to B. Exit
    codes: 0, also when nothing changed; 3 the Blueprint is archived and its newest version is asked for; 4 no such
    Blueprint or version.
    """
    if other is not None and not other.startswith("@"):
        raise click.UsageError(f"the second version is written @SELECTOR, not {other!r}")
    if other is not None and "@" not in name:
        raise click.UsageError(f"say which version to begin with: {bp_stores.quoted(name)}@SELECTOR {other}")
    before, after = asyncio.run(_sides(inputs.settings_of(ctx), store, name, other))
    lines = list(_lines(before, after))
    if as_json:
        entry = after[1]
        sides = {"from": before and before[1].as_json(), "to": entry.as_json()}
        outcome.print_json({"id": entry.blueprint_id, **sides, "diff": "".join(lines)})
        return outcome.OK
    for line in lines:
        color = _COLORS.get(line[0])
        click.echo(outcome.printable(line) if color is None else styled(line, color), nl=False)
    return outcome.OK


async def _sides(
    settings: Settings, named: str | None, name: str, other: str | None
) -> tuple[_Side, tuple[str, BlueprintVersion]]:
    first = parse_source(name)
    async with bp_stores.opened(settings, named) as store:
        if "@" not in name:
            after = await choose(store, first)
            return await _parent(store, after[1]), after
        second = first.id if other is None else f"{first.id}{other}"
        return await choose(store, first), await choose(store, parse_source(second))


async def _parent(store: BlueprintStore, entry: BlueprintVersion) -> _Side:
    """Return the version that an entry was made from, None for the first one."""
    return await store.read_version(entry.blueprint_id, entry.parents[0]) if entry.parents else None


def _lines(before: _Side, after: tuple[str, BlueprintVersion]) -> Iterator[str]:
    from swarm_core.cli.yaml_form import as_yaml

    told = [
        ("nothing", "") if side is None else (_title(side[1]), as_yaml(json.loads(side[0]))) for side in (before, after)
    ]
    (old_title, old), (new_title, new) = told
    return unified_diff(StringIO(old).readlines(), StringIO(new).readlines(), old_title, new_title)


def _title(entry: BlueprintVersion) -> str:
    return f"{outcome.one_line(entry.blueprint_id)}@{entry.version[: bp_stores.SHORT]}"
