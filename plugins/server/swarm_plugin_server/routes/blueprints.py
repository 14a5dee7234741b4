"""Blueprints that the server keeps: their versions, and which of them are in use."""

from __future__ import annotations

import json
import re
from typing import Any

from swarm_core.contracts import BlueprintStore
from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.errors import BlueprintNotFound, InvalidId, StoreUnreadable, VersionConflict
from swarm_core.model.access import Verb
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion, CommitMetadata, Fixed, IdRef, InlineRef
from swarm_core.selecting import choose, parse_selector
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.launching import Wanted, prepare
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.shapes import BLUEPRINT_HISTORY, BLUEPRINT_LIST, BLUEPRINT_SEEDED, BLUEPRINT_SHOWN

_NONE = "none"
_MOST = 10_000
_LONGEST_MESSAGE = 4_000


async def blueprints(request: HttpRequest) -> HttpReply:
    """List the Blueprints that are kept, with the newest version of each."""
    store, archived = _store(request.swarm), request.query["archived"]
    entries: list[BlueprintVersion] = []
    for blueprint_id in await store.list_ids(archived=archived):
        try:
            entries += await store.history(blueprint_id, 1)
        except (BlueprintNotFound, StoreUnreadable):  # told by `swarm doctor`; the others can be listed
            continue
    return HttpReply(value={"blueprints": [{**entry.as_json(), "archived": archived} for entry in entries]})


async def add(request: HttpRequest) -> HttpReply:
    """Keep a Blueprint as a new version, unless its text is the newest one already."""
    blueprint_id, document = check_blueprint_id(request.path["blueprint_id"]), request.body
    if document.get("id") != blueprint_id:
        text = f"the Blueprint says the id {str(document.get('id'))[:80]!r}, the address {blueprint_id!r}"
        raise Refused(400, "id_mismatch", text, hint="make them the same")
    prepared = await prepare(request.swarm, Wanted(blueprint=InlineRef(value=document)))
    said = CommitMetadata(rationale=request.query["message"], author=request.query["by"] or request.caller.name)
    store, text = _store(request.swarm), prepared.canonical()[0]
    entry, added = await _on_top(store, blueprint_id, text, said, request.query["parent"])
    value = {"id": blueprint_id, "seeded": added, **entry.as_json()}
    return HttpReply(status=201 if added else 200, value=value)


async def head(request: HttpRequest) -> HttpReply:
    """Show the newest version of a Blueprint."""
    return _shown(*await _store(request.swarm).read_head(_id(request)))


async def version(request: HttpRequest) -> HttpReply:
    """Show a version of a Blueprint: `latest`, the first digits of its hash, or a requirement such as ^1.2."""
    selector = parse_selector(request.path["version"])
    return _shown(*await choose(_store(request.swarm), IdRef(id=_id(request), version=selector)))


async def history(request: HttpRequest) -> HttpReply:
    """List the versions of a Blueprint, the newest first."""
    entries = await _store(request.swarm).history(_id(request), request.query["limit"])
    told = [{**entry.as_json(), "hash": entry.version, "version_label": entry.label} for entry in entries]
    return HttpReply(value={"count": len(told), "entries": told})


async def archive(request: HttpRequest) -> HttpReply:
    """Take a Blueprint out of use; its versions can still be read."""
    await _store(request.swarm).archive_id(_id(request), by=request.caller.name)
    return HttpReply(status=204)


async def unarchive(request: HttpRequest) -> HttpReply:
    """Take a Blueprint into use again."""
    await _store(request.swarm).unarchive_id(_id(request), by=request.caller.name)
    return HttpReply(status=204)


def _store(swarm: LiveSwarm) -> BlueprintStore:
    if swarm.blueprints is None:
        hint = "set `[store] blueprints`, or serve runs from a file"
        raise Refused(503, "no_store", "this server keeps no Blueprints", hint=hint)
    return swarm.blueprints


def _id(request: HttpRequest) -> str:
    """Return the Blueprint that the address names; what cannot be an id is not there."""
    blueprint_id = request.path["blueprint_id"]
    try:
        return check_blueprint_id(blueprint_id)
    except InvalidId:
        raise BlueprintNotFound(blueprint_id[:80]) from None


def _shown(text: str, entry: BlueprintVersion) -> HttpReply:
    return HttpReply(value={**entry.as_json(), "blueprint": json.loads(text)})


async def _on_top(
    store: BlueprintStore, blueprint_id: str, text: str, said: CommitMetadata, parent: str | None
) -> tuple[BlueprintVersion, bool]:
    """Write a version on top of the head, whichever that is, unless a parent is asked for; tell whether it is new."""
    wanted = None if parent is None else await _parent(store, blueprint_id, parent)
    while True:
        newest = await _newest(store, blueprint_id)
        above = wanted if parent is not None else None if newest is None else newest.version
        try:
            entry = await store.write_new(blueprint_id, text, parent=above, metadata=said)
        except VersionConflict:
            if parent is not None:
                raise
        else:
            return entry, newest is None or entry.number != newest.number


async def _newest(store: BlueprintStore, blueprint_id: str) -> BlueprintVersion | None:
    try:
        return (await store.read_head(blueprint_id))[1]
    except BlueprintNotFound:
        return None


async def _parent(store: BlueprintStore, blueprint_id: str, parent: str) -> str | None:
    if parent == _NONE:
        return None
    if not re.fullmatch("[0-9a-fA-F]{4,64}", parent):
        raise Refused(400, "bad_query", f"parent is the first digits of a version, 4 at least, or {_NONE}")
    return (await choose(store, IdRef(id=blueprint_id, version=Fixed(value=parent.lower()))))[1].version


def _endpoint(method: str, rest: str, name: str, handler: Any, **more: Any) -> Endpoint:
    """Return an endpoint of Blueprints, with the first line of its handler's docstring as summary."""
    return Endpoint(
        method=method,
        path=f"/v1/blueprints{rest}",
        name=name,
        summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
        handler=handler,
        tag="blueprints",
        **{"verb": Verb.READ_TASK_STATE if method == "GET" else None, **more},
    )


_ONE = "/{blueprint_id}"
_GONE = frozenset({404, 409, 503})
_NOTHING = {204: Answer(media_type=None)}

ENDPOINTS = (
    _endpoint(
        "GET",
        "",
        "list_blueprints",
        blueprints,
        query=(Parameter(name="archived", type=bool, default=False, summary="Those that are archived"),),
        answers={200: Answer(model=BLUEPRINT_LIST)},
        refusals=frozenset({503}),
    ),
    _endpoint(
        "POST",
        _ONE,
        "add_blueprint",
        add,
        body={"type": "object"},
        query=(
            Parameter(name="message", default="", summary="Why it is there"),
            Parameter(name="by", summary="Who wrote it; whoever calls unless it is said"),
            Parameter(name="parent", summary=f"Only on top of this version; `{_NONE}` where there must be none"),
        ),
        answers={
            200: Answer(model=BLUEPRINT_SEEDED, summary="It is the newest version already"),
            201: Answer(model=BLUEPRINT_SEEDED, summary="It is kept"),
        },
        refusals=frozenset({400, 404, 409, 422, 503}),
    ),
    _endpoint(
        "GET", f"{_ONE}/head", "blueprint_head", head, answers={200: Answer(model=BLUEPRINT_SHOWN)}, refusals=_GONE
    ),
    _endpoint(
        "GET",
        f"{_ONE}/versions/{{version}}",
        "blueprint_version",
        version,
        answers={200: Answer(model=BLUEPRINT_SHOWN)},
        refusals=_GONE | {422},
    ),
    _endpoint(
        "GET",
        f"{_ONE}/history",
        "blueprint_history",
        history,
        query=(Parameter(name="limit", type=int, default=20, least=1, most=_MOST, summary="So many at most"),),
        answers={200: Answer(model=BLUEPRINT_HISTORY)},
        refusals=_GONE,
    ),
    _endpoint("DELETE", _ONE, "archive_blueprint", archive, answers=_NOTHING, refusals=_GONE),
    _endpoint("POST", f"{_ONE}/unarchive", "unarchive_blueprint", unarchive, answers=_NOTHING, refusals=_GONE),
)
