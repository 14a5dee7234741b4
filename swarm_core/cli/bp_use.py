"""`swarm bp archive`, `swarm bp unarchive`: out of use, and into use again."""

from __future__ import annotations

import asyncio

import click

from swarm_core.cli import bp_stores, inputs, outcome
from swarm_core.cli.names import own_name
from swarm_core.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one object: id, archived.")


@click.command("archive")
@bp_stores.name_argument("NAME")
@bp_stores.store_option
@_JSON
@click.pass_context
def archive(ctx: click.Context, /, name: str, *, store: str | None, as_json: bool) -> int:
    """Take a Blueprint out of use: it can neither be run nor changed; its versions can still be read.

    Exit codes: 0, also when it was archived before; 4 no such Blueprint.
    """
    return asyncio.run(_set(inputs.settings_of(ctx), store, name, archived=True, as_json=as_json))


@click.command("unarchive")
@bp_stores.name_argument("NAME")
@bp_stores.store_option
@_JSON
@click.pass_context
def unarchive(ctx: click.Context, /, name: str, *, store: str | None, as_json: bool) -> int:
    """Take a Blueprint into use again.

    Exit codes: 0, also when it was in use; 4 no such Blueprint.
    """
    return asyncio.run(_set(inputs.settings_of(ctx), store, name, archived=False, as_json=as_json))


async def _set(settings: Settings, named: str | None, name: str, *, archived: bool, as_json: bool) -> int:
    async with bp_stores.opened(settings, named) as store:
        if archived:
            await store.archive_id(name, by=own_name())
        else:
            await store.unarchive_id(name, by=own_name())
    if as_json:
        outcome.print_json({"id": name, "archived": archived})
    else:
        click.echo(f"{outcome.one_line(name)} is {'archived' if archived else 'in use'}")
    return outcome.OK
