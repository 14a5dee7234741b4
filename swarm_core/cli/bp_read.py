"""`swarm bp list`, `swarm bp show`: the Blueprints that are kept."""

from __future__ import annotations

import asyncio
import json

import click

from swarm_core.cli import bp_stores, inputs, outcome, wording
from swarm_core.cli.tables import print_table
from swarm_core.errors import StoreUnreadable
from swarm_core.model.version import BlueprintVersion
from swarm_core.selecting import choose, parse_source
from swarm_core.settings import Settings

_HEAD = ("Blueprint", "version", "label", "versions", "when", "by", "why")


@click.command("list")
@click.option("--archived", is_flag=True, help="Those that are archived, in place of those in use.")
@bp_stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects: the newest entry of each.")
@click.pass_context
def listing(ctx: click.Context, /, *, archived: bool, store: str | None, as_json: bool) -> int:
    """List the Blueprints that are kept, with the newest version of each.

    Exit codes: 0, also when there are none; 6 the store cannot be used, or one of them cannot be read.
    """
    return asyncio.run(_list(inputs.settings_of(ctx), store, archived=archived, as_json=as_json))


async def _list(settings: Settings, named: str | None, *, archived: bool, as_json: bool) -> int:
    async with bp_stores.opened(settings, named) as store:
        entries: list[BlueprintVersion] = []
        code = outcome.OK
        for name in await store.list_ids(archived=archived):
            try:
                entries += await store.history(name, 1)
            except StoreUnreadable as error:
                outcome.say(f"error: {error}")
                code = outcome.STORE
    if as_json:
        outcome.print_json([{**entry.as_json(), "archived": archived} for entry in entries])
        return code
    empty = "no Blueprint is archived" if archived else bp_stores.nothing_kept(settings, named)
    print_table(_HEAD, [_row(entry) for entry in entries], empty=empty)
    return code


def _row(entry: BlueprintVersion) -> tuple[str, ...]:
    return (
        outcome.one_line(entry.blueprint_id),
        entry.version[: bp_stores.SHORT],
        outcome.one_line(entry.label or ""),
        str(entry.number),
        wording.moment(entry.committed_at),
        outcome.one_line(entry.metadata.author or ""),
        wording.shortened(entry.metadata.rationale),
    )


@click.command("show")
@bp_stores.name_argument("NAME[@SELECTOR]")
@click.option("--yaml", "as_yaml_text", is_flag=True, help="Print YAML in place of JSON.")
@bp_stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one object: the entry, and the Blueprint as blueprint.")
@click.pass_context
def show(ctx: click.Context, /, name: str, *, as_yaml_text: bool, store: str | None, as_json: bool) -> int:
    """Print a Blueprint that is kept, the newest version unless another one is named.

    What is printed can be kept and run as any file. Exit codes: 0, 3 the Blueprint is archived and no version is named
    by its digits, 4 no such Blueprint or version.
    """
    if as_yaml_text and as_json:
        raise click.UsageError("--yaml and --json are two forms of output: give one of them")
    text, entry = asyncio.run(_read(inputs.settings_of(ctx), store, name))
    document = json.loads(text)
    if as_json:
        outcome.print_json({**entry.as_json(), "blueprint": document})
    elif as_yaml_text:
        from swarm_core.cli.yaml_form import as_yaml

        click.echo(as_yaml(document), nl=False)
    else:
        outcome.print_json(document)
    if not as_json:
        outcome.say(bp_stores.shown(entry))
    return outcome.OK


async def _read(settings: Settings, named: str | None, name: str) -> tuple[str, BlueprintVersion]:
    async with bp_stores.opened(settings, named) as store:
        return await choose(store, parse_source(name))
