"""Blueprints that the swarm's store keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from swarm_core.codec import blueprint_json
from swarm_core.errors import BlueprintNotFound, InvalidBlueprint, SettingsError, VersionConflict
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.problem import Severity
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.selecting import SCHEME, choose, parse_source
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.embedded.reading import document_of

if TYPE_CHECKING:
    from swarm_core.contracts import BlueprintStore
    from swarm_core.serving import LiveSwarm


def store_of(swarm: LiveSwarm) -> BlueprintStore:
    """Return the store of Blueprints; raises SettingsError without one."""
    if swarm.blueprints is None:
        raise SettingsError("no Blueprints are kept here", hint="name a store by `[store] blueprints` in swarm.toml")
    return swarm.blueprints


async def newest(swarm: LiveSwarm, *, archived: bool) -> list[Json]:
    """Return the newest entry of each Blueprint."""
    store = store_of(swarm)
    return [
        {**entry.as_json(), "archived": archived}
        for id in await store.list_ids(archived=archived)
        for entry in await store.history(id, 1)
    ]


async def version(swarm: LiveSwarm, id: str, selector: str | None) -> Json:
    """Return a version with its entry; raises as `choose`."""
    name = id if selector is None else f"{id}@{selector}"
    text, entry = await choose(store_of(swarm), parse_source(f"{SCHEME}{name}"))
    return {**entry.as_json(), "blueprint": json.loads(text)}


async def add(swarm: LiveSwarm, source: Any, *, message: str, by: str) -> Json:
    """Keep a Blueprint that can be run as the newest version; raises InvalidBlueprint, DocumentError, StoreError."""
    document = await document_of(swarm, source)
    errors = [problem for problem in swarm.check(document) if problem.severity is Severity.ERROR]
    if errors:
        raise InvalidBlueprint(errors)
    id = check_blueprint_id(document.blueprint.id)
    text = json.dumps(blueprint_json(document.blueprint), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    entry, added = await _on_top(store_of(swarm), id, text, CommitMetadata(rationale=message, author=by))
    return {**entry.as_json(), "added": added}


async def _on_top(store: BlueprintStore, id: str, text: str, said: CommitMetadata) -> tuple[BlueprintVersion, bool]:
    while True:
        head = await _head(store, id)
        try:
            entry = await store.write_new(id, text, parent=None if head is None else head.version, metadata=said)
        except VersionConflict:
            continue
        return entry, head is None or entry.number != head.number


async def _head(store: BlueprintStore, id: str) -> BlueprintVersion | None:
    try:
        return (await store.read_head(id))[1]
    except BlueprintNotFound:
        return None
