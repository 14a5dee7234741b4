"""Issues, settings and the log over HTTP, at the seeds' addresses; what they need is loaded with the first call."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.model.access import Verb

_STATUSES = ("pending", "in_flight", "applied", "rejected")
_ISSUE = {
    "type": "object",
    "properties": {
        "issue_id": {"type": "string"},
        "status": {"enum": list(_STATUSES)},
        "blueprint_id": {"type": "string"},
        "intent": {"type": "string"},
        "reason": {"type": ["string", "null"]},
        "new_version": {"type": ["string", "null"]},
    },
    "required": ["issue_id", "status"],
}
_NEW_ISSUE = {
    "type": "object",
    "properties": {"blueprint_id": {"type": "string"}, "intent": {"type": "string", "pattern": r"\S"}},
    "required": ["blueprint_id", "intent"],
    "additionalProperties": False,
}
_ISSUES = {"type": "object", "properties": {"issues": {"type": "array", "items": _ISSUE}}, "required": ["issues"]}
_SETTING = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
_OUTCOME = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_IDLE = "idle"


# issues ------------------------------------------------------------------------------------------------------


async def issues(request: HttpRequest) -> HttpReply:
    """List the issues, the oldest first."""
    from swarm_plugin_enhance.shapes import issues_json

    stores = await request.swarm.enhance_stores()
    query = request.query
    found = await issues_json(stores.issues, blueprint_id=query["blueprint_id"], status=query["status"])
    return HttpReply(value={"issues": found})


async def add_issue(request: HttpRequest) -> HttpReply:
    """Take in an issue: a wish for a change of a Blueprint."""
    from swarm_plugin_enhance.application import EnhanceApplication

    issue = await EnhanceApplication(request.swarm).handle(request.body["blueprint_id"], request.body["intent"])
    return HttpReply(
        status=201,
        value={"issue_id": issue.issue_id, "status": "pending"},
        headers={"location": f"{request.base_url}/v1/issues/{issue.issue_id}"},
    )


async def issue(request: HttpRequest) -> HttpReply:
    """Show an issue, and where it stands."""
    from swarm_plugin_enhance.shapes import issue_json

    stores = await request.swarm.enhance_stores()
    found = await stores.issues.get(request.path["issue_id"])
    return HttpReply(value=issue_json(found, await stores.issues.status(found.issue_id)))


# settings ----------------------------------------------------------------------------------------------------


async def settings(request: HttpRequest) -> HttpReply:
    """List the ids of the enhance settings."""
    return HttpReply(value=list(await (await request.swarm.enhance_stores()).settings.list()))


async def add_setting(request: HttpRequest) -> HttpReply:
    """Keep an enhance setting, and the orbit that came with it."""
    return await _put(request, 201)


async def setting(request: HttpRequest) -> HttpReply:
    """Show an enhance setting."""
    found = await (await request.swarm.enhance_stores()).settings.get(request.path["setting_id"])
    return HttpReply(value=found.as_json())


async def put_setting(request: HttpRequest) -> HttpReply:
    """Keep an enhance setting in place of the one that has its id."""
    said, wanted = request.body.get("id"), request.path["setting_id"]
    if said != wanted:
        text = f"the setting says the id {str(said)[:80]!r}, the address {wanted[:80]!r}"
        return _refusal(400, "id_mismatch", text, "make them the same")
    return await _put(request, 200)


async def delete_setting(request: HttpRequest) -> HttpReply:
    """Remove an enhance setting."""
    await (await request.swarm.enhance_stores()).settings.delete(request.path["setting_id"])
    return HttpReply(status=204)


async def _put(request: HttpRequest, status: int) -> HttpReply:
    from swarm_plugin_enhance.orbit import blueprints_of
    from swarm_plugin_enhance.shapes import keep_orbit, read_setting

    stores = await request.swarm.enhance_stores()
    read, orbit = read_setting(request.body)
    if orbit is not None:
        await keep_orbit(request.swarm, blueprints_of(request.swarm), orbit, by=request.caller.name)
    await stores.settings.put(read)
    return HttpReply(status=status, value=read.as_json())


# log and loop ------------------------------------------------------------------------------------------------


async def log(request: HttpRequest) -> HttpReply:
    """List what became of issues, the oldest first."""
    store = (await request.swarm.enhance_stores()).log
    wanted = request.query["blueprint_id"]
    entries = await store.list_all() if wanted is None else await store.list_by_blueprint(wanted)
    return HttpReply(value=[entry.as_json() for entry in entries])


async def log_entry(request: HttpRequest) -> HttpReply:
    """Show what became of an issue."""
    found = await (await request.swarm.enhance_stores()).log.get(request.path["issue_id"])
    return HttpReply(value=found.as_json())


async def tick(request: HttpRequest) -> HttpReply:
    """Work on one issue, and return what came of it."""
    from swarm_plugin_enhance.application import EnhanceApplication

    outcome = await EnhanceApplication(request.swarm).tick()
    return HttpReply(value={"status": _IDLE} if outcome is None else outcome.as_json())


def _refusal(status: int, code: str, message: str, hint: str) -> HttpReply:
    """Return a problem document (RFC 9457)."""
    document = {
        "type": f"urn:swarm:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": message,
        "code": code,
        "error": f"{message}; {hint}",
        "hint": hint,
    }
    return HttpReply(status=status, value=document, headers={"content-type": "application/problem+json"})


def _endpoint(method: str, path: str, name: str, handler: Any, **more: Any) -> Endpoint:
    """Return an endpoint, with the first line of its handler's docstring as summary."""
    made = Endpoint(
        method=method,
        path=path,
        name=name,
        summary=(handler.__doc__ or "").partition("\n")[0].rstrip("."),
        handler=handler,
        tag="enhance",
        **{"verb": Verb.READ_TASK_STATE if method == "GET" else None, **more},
    )
    return evolve(made, refusals=made.refusals | {503})


_BLUEPRINT = Parameter(name="blueprint_id", summary="Only those of this Blueprint")
_STATUS = Parameter(name="status", choices=_STATUSES, summary="Only those that stand so")
_ONE_ISSUE, _ONE_SETTING = "/v1/issues/{issue_id}", "/v1/enhance-settings/{setting_id}"
_UNKNOWN = frozenset({404})
_ANY = {"type": "object"}

ENDPOINTS = (
    _endpoint(
        "GET", "/v1/issues", "list_issues", issues, query=(_BLUEPRINT, _STATUS), answers={200: Answer(model=_ISSUES)}
    ),
    _endpoint(
        "POST",
        "/v1/issues",
        "add_issue",
        add_issue,
        body=_NEW_ISSUE,
        wrong_fields=400,
        answers={201: Answer(model=_ISSUE)},
        refusals=frozenset({400, 422}),
    ),
    _endpoint("GET", _ONE_ISSUE, "get_issue", issue, answers={200: Answer(model=_ISSUE)}, refusals=_UNKNOWN),
    _endpoint(
        "GET",
        "/v1/enhance-settings",
        "list_enhance_settings",
        settings,
        answers={200: Answer(model={"type": "array", "items": {"type": "string"}})},
    ),
    _endpoint(
        "POST",
        "/v1/enhance-settings",
        "add_enhance_setting",
        add_setting,
        body=_ANY,
        answers={201: Answer(model=_SETTING)},
        refusals=frozenset({409, 422}),
    ),
    _endpoint(
        "GET",
        _ONE_SETTING,
        "get_enhance_setting",
        setting,
        answers={200: Answer(model=_SETTING)},
        refusals=_UNKNOWN,
    ),
    _endpoint(
        "PUT",
        _ONE_SETTING,
        "put_enhance_setting",
        put_setting,
        body=_ANY,
        answers={200: Answer(model=_SETTING)},
        refusals=frozenset({400, 409, 422}),
    ),
    _endpoint(
        "DELETE",
        _ONE_SETTING,
        "delete_enhance_setting",
        delete_setting,
        answers={204: Answer(media_type=None)},
        refusals=_UNKNOWN,
    ),
    _endpoint(
        "GET",
        "/v1/enhance/log",
        "list_enhance_log",
        log,
        query=(_BLUEPRINT,),
        answers={200: Answer(model={"type": "array", "items": _ANY})},
    ),
    _endpoint(
        "GET",
        "/v1/enhance/log/{issue_id}",
        "get_enhance_log",
        log_entry,
        answers={200: Answer(model=_ANY)},
        refusals=_UNKNOWN,
    ),
    _endpoint("POST", "/v1/enhance/tick", "enhance_tick", tick, answers={200: Answer(model=_OUTCOME)}),
)
