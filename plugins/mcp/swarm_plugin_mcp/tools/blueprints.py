"""Blueprints that are kept, with their versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

from attrs import frozen

from swarm_core.codec import blueprint_schema
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.sources import BLUEPRINT, FILE, source_of
from swarm_plugin_mcp.tool import Asked, McpTool, argument

_NAME = "The id of the Blueprint."
_SELECTOR = "latest, the first digits of a version, or a requirement on its label such as ^1."


@frozen
class NoArguments:
    """For a tool that is given nothing."""


@frozen
class ListArguments:
    """What `bp_list` is given."""

    archived: bool = argument("Those that are archived, in place of those in use.", default=False)


@frozen
class ShowArguments:
    """What `bp_show` is given."""

    id: str = argument(_NAME)
    version: str | None = argument(f"Which version: {_SELECTOR}", default=None)


@frozen
class AddArguments:
    """What `bp_add` is given."""

    blueprint: Mapping[str, Any] | str | None = argument(BLUEPRINT, default=None)
    file: str | None = argument(FILE, default=None)
    message: str = argument("Why this version is there, for those who read the history.", default="")
    by: str | None = argument("Who made it. Default: your login name.", default=None)


@frozen
class DiffArguments:
    """What `bp_diff` is given."""

    id: str = argument(_NAME)
    before: str | None = argument(
        f"The version to begin with: {_SELECTOR} Default: the one before `after`.", default=None
    )
    after: str | None = argument("The version to end with; default: the newest.", default=None)


@frozen
class ArchiveArguments:
    """What `bp_archive` is given."""

    id: str = argument(_NAME)
    confirm: bool = argument("True does it; false only tells what would be done.", default=False)


@frozen
class UnarchiveArguments:
    """What `bp_unarchive` is given."""

    id: str = argument(_NAME)


async def schema(asked: Asked, given: NoArguments) -> Json:
    """Return the JSON Schema of Blueprints."""
    return blueprint_schema()


async def listing(asked: Asked, given: ListArguments) -> Json:
    """List the Blueprints that are kept."""
    return {"blueprints": await (await asked.home.backend()).blueprints(archived=given.archived)}


async def show(asked: Asked, given: ShowArguments) -> Json:
    """Return a Blueprint that is kept."""
    return await (await asked.home.backend()).blueprint(given.id, given.version)


async def add(asked: Asked, given: AddArguments) -> Json:
    """Keep a Blueprint."""
    source = source_of(asked.home, given.blueprint, given.file)
    by = given.by or asked.home.line.user()
    entry = await (await asked.home.backend()).add(source, message=given.message, by=by)
    return {**entry, "next": f"run it with swarm_run and blueprint=bp:{entry['blueprint_id']}"}


async def diff(asked: Asked, given: DiffArguments) -> Json:
    """Tell what changed between two versions."""
    backend = await asked.home.backend()
    after = await backend.blueprint(given.id, given.after)
    parent = after["parents"][0] if after["parents"] else None
    selector = given.before or parent
    before = None if selector is None else await backend.blueprint(given.id, selector)
    lines = unified_diff(_lines(before), _lines(after), _title(before), _title(after))
    entry = {name: value for name, value in after.items() if name != "blueprint"}
    old = before and {name: value for name, value in before.items() if name != "blueprint"}
    return {"id": given.id, "from": old, "to": entry, "diff": "".join(lines)}


async def archive(asked: Asked, given: ArchiveArguments) -> Json:
    """Take a Blueprint out of use."""
    backend = await asked.home.backend()
    entry = (await backend.history(given.id, 1))[0]
    if given.confirm:
        await backend.archive(given.id, archived=True, by=asked.home.line.user())
    hint = "undo it with bp_unarchive" if given.confirm else "nothing was changed; call again with confirm=true"
    return {"id": given.id, "archived": given.confirm, "version": entry["version"], "next": hint}


async def unarchive(asked: Asked, given: UnarchiveArguments) -> Json:
    """Take a Blueprint into use again."""
    await (await asked.home.backend()).archive(given.id, archived=False, by=asked.home.line.user())
    return {"id": given.id, "archived": False}


def _lines(side: Json | None) -> list[str]:
    if side is None:
        return []
    return [f"{line}\n" for line in json.dumps(side["blueprint"], indent=2, ensure_ascii=False).splitlines()]


def _title(side: Json | None) -> str:
    return "nothing" if side is None else f"{side['blueprint_id']}@{side['version'][:12]}"


TOOLS = (
    McpTool(
        name="bp_schema",
        summary="Return the JSON Schema of a Blueprint, flow and expressions included.",
        arguments=NoArguments,
        handler=schema,
        reads=True,
    ),
    McpTool(
        name="bp_list",
        summary="List the Blueprints that are kept, with the newest version of each.",
        arguments=ListArguments,
        handler=listing,
        reads=True,
    ),
    McpTool(
        name="bp_show",
        summary="Return a Blueprint that is kept, the newest version unless another one is named.",
        arguments=ShowArguments,
        handler=show,
        reads=True,
    ),
    McpTool(
        name="bp_add",
        summary="Keep a Blueprint as a new version of its id. One with errors is refused, with all of them.",
        arguments=AddArguments,
        handler=add,
    ),
    McpTool(
        name="bp_diff",
        summary="Tell what changed between two versions of a Blueprint, as a unified diff of their JSON.",
        arguments=DiffArguments,
        handler=diff,
        reads=True,
    ),
    McpTool(
        name="bp_archive",
        summary="Take a Blueprint out of use; its versions stay. Without confirm=true it only tells what "
        "would be done.",
        arguments=ArchiveArguments,
        handler=archive,
        destroys=True,
    ),
    McpTool(
        name="bp_unarchive",
        summary="Take a Blueprint that was archived into use again.",
        arguments=UnarchiveArguments,
        handler=unarchive,
    ),
)
