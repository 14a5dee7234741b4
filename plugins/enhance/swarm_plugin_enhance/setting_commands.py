"""`swarm enhance settings`: by which orbit, by whose patches and on which axes issues are worked on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import EnhanceSettingNotFound
from swarm_core.model.duration import parse_duration
from swarm_plugin_enhance.command_parts import OK, complete_blueprints, complete_settings, json_option, store_option
from swarm_plugin_enhance.names import SETTING

if TYPE_CHECKING:
    from swarm_core.model.enhance import EnhanceSetting, PatchAgent

_SETTING_ARGUMENT = click.argument("setting_id", metavar="ID", default=SETTING, shell_complete=complete_settings)


def _check_ttl(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return math.ceil(parse_duration(text if not text.isdigit() else int(text)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group("settings")
def settings() -> None:
    """By which orbit, by whose patches and on which axes issues are worked on; the loop uses the setting `default`."""


@settings.command("list")
@store_option
@json_option("one array of ids")
@click.pass_context
def listing(ctx: click.Context, /, *, store: str | None, as_json: bool) -> int:
    """List the ids of the settings."""
    line = command_line(ctx)

    async def found() -> list[str]:
        async with line.open_enhance(store) as stores:
            return list(await stores.settings.list())

    ids = asyncio.run(found())
    if as_json:
        line.print_json(ids)
    elif ids:
        click.echo("\n".join(ids))
    else:
        line.say(f"no settings are kept; the first `swarm enhance tick` makes {SETTING!r}")
    return OK


@settings.command("show")
@_SETTING_ARGUMENT
@store_option
@click.pass_context
def show(ctx: click.Context, /, *, setting_id: str, store: str | None) -> int:
    """Print a setting as JSON.

    Exit codes: 0, 4 no such setting.
    """
    line = command_line(ctx)

    async def found() -> EnhanceSetting:
        async with line.open_enhance(store) as stores:
            return await stores.settings.get(setting_id)

    line.print_json(asyncio.run(found()).as_json())
    return OK


@settings.command("put")
@_SETTING_ARGUMENT
@click.argument("value", metavar="[JSON|@FILE|-]", required=False)
@click.option(
    "--orbit", metavar="NAME[@SELECTOR]", shell_complete=complete_blueprints, help="The Blueprint that improves."
)
@click.option("--ttl", metavar="DURATION", callback=_check_ttl, help="How long the work on one issue may take.")
@click.option("--axis", "axes", multiple=True, metavar="AXIS", help="Judge changes on this axis; may be repeated.")
@click.option("--spawner", metavar="KIND", help="Who writes the patches: an agent of this kind.")
@click.option("--spec", metavar="JSON|@FILE", help="With --spawner: the agent's spec.")
@click.option("--function", metavar="NAME", help="Who writes the patches: this function.")
@click.option("--approval/--no-approval", default=None, help="Ask a person before a change is kept.")
@store_option
@click.pass_context
def put(ctx: click.Context, /, *, setting_id: str, value: str | None, store: str | None, **told: Any) -> int:
    """Keep a setting: the one that is there, or the shipped one, with what is said here; or the whole of it as JSON.

    Prints what is kept. Exit codes: 0, 3 it is wrong.
    """
    line = command_line(ctx)
    changes = _changes(line, told)
    if value is not None and changes:
        raise click.UsageError("give the whole setting as JSON, or options that change some of it")
    whole = None if value is None else _whole(line, setting_id, value)
    line.print_json(asyncio.run(_put(line, store, setting_id, whole, changes)).as_json())
    return OK


@settings.command("delete")
@_SETTING_ARGUMENT
@store_option
@click.pass_context
def delete(ctx: click.Context, /, *, setting_id: str, store: str | None) -> int:
    """Remove a setting.

    Exit codes: 0, 4 no such setting.
    """
    line = command_line(ctx)

    async def removed() -> None:
        async with line.open_enhance(store) as stores:
            await stores.settings.delete(setting_id)

    asyncio.run(removed())
    line.say(f"setting {setting_id} is removed")
    return OK


def _changes(line: CommandLine, told: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if told["orbit"] is not None:
        from swarm_core.selecting import parse_source

        ref = parse_source(told["orbit"])
        changes |= {"blueprint_id": ref.id, "version": ref.version}
    if told["ttl"] is not None:
        changes["ttl_secs"] = told["ttl"]
    if told["axes"]:
        changes["verifier_axes"] = tuple(told["axes"])
    if told["approval"] is not None:
        changes["approval"] = told["approval"]
    spawner = _spawner(line, told)
    return changes if spawner is None else {**changes, "spawner": spawner}


def _spawner(line: CommandLine, told: Mapping[str, Any]) -> PatchAgent | None:
    from swarm_core.model.enhance import PatchAgent

    if told["function"] is not None:
        if told["spawner"] is not None or told["spec"] is not None:
            raise click.UsageError("--function stands for --spawner function and its --spec")
        return PatchAgent(kind="function", spec={"fn_id": told["function"]})
    if told["spawner"] is None:
        if told["spec"] is not None:
            raise click.UsageError("--spec belongs to --spawner")
        return None
    spec = None if told["spec"] is None else line.readings(told["spec"], "json")[0]
    return PatchAgent(kind=told["spawner"], spec=spec)


def _whole(line: CommandLine, setting_id: str, text: str) -> EnhanceSetting:
    from swarm_plugin_enhance.shapes import read_setting

    value = line.readings(text, "json")[0]
    if not isinstance(value, Mapping):
        raise click.BadParameter("a setting is a JSON object", param_hint="JSON")
    setting, orbit = read_setting({"id": setting_id, **value})
    if orbit is not None:
        raise click.BadParameter("keep the orbit with `swarm bp add`, and name it as blueprint_id", param_hint="JSON")
    if setting.id != setting_id:
        raise click.BadParameter(f"it says the id {setting.id!r}, and {setting_id!r} was named", param_hint="JSON")
    return setting


async def _put(
    line: CommandLine, store: str | None, setting_id: str, whole: EnhanceSetting | None, changes: Mapping[str, Any]
) -> EnhanceSetting:
    async with line.open_enhance(store, make=True) as stores:
        if whole is None:
            try:
                there = await stores.settings.get(setting_id)
            except EnhanceSettingNotFound:
                from swarm_plugin_enhance.orbit import default_setting

                there = evolve(default_setting(), id=setting_id)
            whole = evolve(there, **changes)
        await stores.settings.put(whole)
    return whole
