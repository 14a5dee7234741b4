"""Launching runs: held open until the end as in the seeds, or detached."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from attrs import field, frozen

from swarm_core.codec import unstructure
from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.errors import RunEnded, RunOwned
from swarm_core.model.access import Verb
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_core.model.run import RunResult, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.model.version import IdRef, InlineRef
from swarm_core.serving import LiveSwarm
from swarm_core.settings import STANDARD_SET
from swarm_plugin_server.launching import Wanted, check_room, digest_of, prepare
from swarm_plugin_server.operators.doorway import roster_of
from swarm_plugin_server.problems import MEDIA_TYPE, Refused, problem_of
from swarm_plugin_server.standing import end_of, is_here
from swarm_plugin_server.state import serving_of

_DEFAULT_TTL = 1800
_LONGEST_TTL = 10 * 365 * 86400
_LONGEST_KEY = 200
_TRACEPARENT = r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"


@frozen(kw_only=True)
class TaskOperator:
    """Who stands behind the run's session; ids name what is or will be registered."""

    kind: OperatorKind | None = None
    id: str = "http-run"
    spawn_hook_id: str | None = None
    senior_bridge_id: str | None = None
    operator_backend_id: str | None = None
    per_agent_kinds: Mapping[str, OperatorKind] | None = None


@frozen(kw_only=True)
class TaskRequest:
    """A run to launch.

    `ttl_secs` is how long the call is held open for the run's end; the run goes on after that. `operator_sid` is a
    registered operator; it counts over `operator.operator_backend_id`. With `detach` the call returns as soon as the
    run is kept. `bind` runs agents on other kinds, `layer_set` names the set for `default` layers, `budget` bounds the
    run beside what its Blueprint says.
    """

    blueprint: InlineRef | IdRef
    init_ctx: Any
    ttl_secs: int | None = None
    operator: TaskOperator | None = None
    operator_sid: str | None = None
    detach: bool = False
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str = STANDARD_SET
    budget: Mapping[str, Any] | None = None


@frozen(kw_only=True)
class TaskLaunched:
    """A run that was launched; `bound_version` can be used in selectors.

    `known` tells that it was launched under the same idempotency key before.
    """

    run_id: str
    status: RunStatus
    known: bool
    bound_version: str
    effective_ttl_secs: int
    ttl_source: str


@frozen(kw_only=True)
class TaskDone:
    """A run that is done."""

    final_ctx: Any
    run_id: str
    status: RunStatus
    known: bool
    bound_version: str
    effective_ttl_secs: int
    ttl_source: str


@frozen(kw_only=True)
class _Begun:
    """A run that was begun by this call or an earlier one; `facts` are told of it in every answer."""

    run_id: str
    status: RunStatus
    ttl: int
    facts: Mapping[str, Any]


async def launch(request: HttpRequest) -> HttpReply:
    """Launch a run, and answer with its end, or at once when that is preferred."""
    body: TaskRequest = request.body
    preferred = request.headers["Prefer"] or ""
    detached = body.detach or "respond-async" in [part.strip().lower() for part in preferred.split(",")]
    begun = await _begin(request, body)
    if detached:
        applied = {} if body.detach else {"preference-applied": "respond-async"}
        return HttpReply(status=202, value=_told(begun, begun.status), headers={**_location(begun), **applied})
    end = await end_of(request, begun.run_id, seconds=begun.ttl)
    if end is not None:
        return _ended(begun, end)
    return _left(begun) if serving_of(request.swarm).leaving.is_set() else _too_long(begun)


# beginning ---------------------------------------------------------------------------------------------------


async def _begin(request: HttpRequest, body: TaskRequest) -> _Begun:
    swarm, key = request.swarm, request.headers["Idempotency-Key"]
    if key is None:
        return await _launch(request, body)
    if not key or len(key) > _LONGEST_KEY:
        raise Refused(400, "bad_idempotency_key", f"an Idempotency-Key has 1 to {_LONGEST_KEY} characters")
    fingerprint = _fingerprint(body)
    async with swarm.services.setdefault(_Turns, _Turns()).of(key):
        if (known := await _known(swarm, key)) is None:
            return await _launch(request, body, key=key, fingerprint=fingerprint)
        _check_same(known, fingerprint)
        return await _again(swarm, known, body)


async def _launch(request: HttpRequest, body: TaskRequest, **once: str) -> _Begun:
    """Launch a run; `once` is a key, and the fingerprint of what is launched under it."""
    swarm = request.swarm
    check_room(swarm)
    session = _session(swarm, body, request.headers["traceparent"])
    prepared = await prepare(swarm, Wanted(blueprint=body.blueprint, bind=body.bind, layer_set=body.layer_set))
    operator = (body.operator or TaskOperator()).id
    given: dict[str, Any] = {"operator_id": operator, "request": session, "budget": body.budget, **once}
    try:
        launched = await swarm.launch(prepared, init_ctx=body.init_ctx, **given)
    except (RunEnded, RunOwned) as error:  # another process was faster with the same key
        known = await swarm.history.stands(error.run_id)
        _check_same(known, once["fingerprint"])
        return await _again(swarm, known, body)
    kept = prepared.document.kept
    version = prepared.canonical()[1] if kept is None else kept["version"]
    ttl, source = _ttl(body, prepared.blueprint.metadata.default_run_ttl_secs)
    facts = {"known": False, "bound_version": version, "effective_ttl_secs": ttl, "ttl_source": source}
    return _Begun(run_id=launched.id, status=launched.status, ttl=ttl, facts=facts)


def _session(swarm: LiveSwarm, body: TaskRequest, trace: str | None) -> SessionRequest | None:
    """Return what the run's session is attached with, None when nothing is said of it.

    A `traceparent` that is none is left out, as W3C Trace Context has it.
    """
    said, sid = body.operator or TaskOperator(), body.operator_sid
    if sid is not None and not _is_registered(swarm, sid):
        hint = "join first: POST /v1/operators"
        raise Refused(400, "unknown_operator_sid", f"no operator is registered under {sid[:80]!r}", hint=hint)
    asked = SessionRequest(
        operator_kind=said.kind,
        agent_kinds=said.per_agent_kinds or {},
        bridge_id=said.senior_bridge_id,
        hook_id=said.spawn_hook_id,
        operator_backend_id=sid or said.operator_backend_id,
        traceparent=trace if re.fullmatch(_TRACEPARENT, trace or "") else None,
    )
    return None if asked == SessionRequest() else asked


def _is_registered(swarm: LiveSwarm, sid: str) -> bool:
    roster_of(swarm)  # those of the server's earlier lives count too
    return sid in swarm.engine.sessions.attachments.operators


def _ttl(body: TaskRequest, of_blueprint: int | None) -> tuple[int, str]:
    """Return how long the call is held open, and who says so."""
    if body.ttl_secs is None:
        return (_DEFAULT_TTL, "server_default") if of_blueprint is None else (of_blueprint, "bp_metadata")
    if not 1 <= body.ttl_secs <= _LONGEST_TTL:
        raise Refused(422, "bad_ttl", f"ttl_secs is {body.ttl_secs}: write 1 to {_LONGEST_TTL}")
    return body.ttl_secs, "request_body"


# the same again ----------------------------------------------------------------------------------------------


class _Turns:
    """Lets launches under one key follow one another: the first begins the run, the others know it."""

    def __init__(self) -> None:
        self._by_key: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """Return what a launch under a key holds while it begins its run."""
        return self._by_key.setdefault(key, asyncio.Lock())


async def _known(swarm: LiveSwarm, key: str) -> StoredRun | None:
    """Return the run that was launched under a key."""
    found = None if swarm.store is None else await swarm.store.find(key)
    return None if found is None else await swarm.history.stands(found.id)


def _fingerprint(body: TaskRequest) -> str:
    """Return what tells one launch from another, however it is waited for."""
    said = unstructure(body)
    return digest_of({name: each for name, each in said.items() if name not in ("detach", "ttl_secs")})


def _check_same(known: StoredRun, fingerprint: str) -> None:
    """Refuse a key that was used for another launch; raises Refused (422)."""
    if known.launch.get("fingerprint", fingerprint) != fingerprint:
        text = f"the Idempotency-Key was used for another launch, which began {known.id}"
        raise Refused(422, "idempotency_key_reused", text, hint="take a new key for every launch")


async def _again(swarm: LiveSwarm, known: StoredRun, body: TaskRequest) -> _Begun:
    """Return the run of an earlier call, which goes on if it was stopped."""
    status = known.status
    if status not in FINAL_RUN_STATUSES and known.owner is None and not is_here(swarm, known.id):
        status = (await swarm.resume(known.id)).status
    blueprint = {} if swarm.store is None else json.loads(await swarm.store.blueprint(known.blueprint_hash))
    ttl, source = _ttl(body, blueprint.get("metadata", {}).get("default_run_ttl_secs"))
    kept = known.launch.get("kept") or {}
    version = kept.get("version") or known.blueprint_hash
    facts = {"known": True, "bound_version": version, "effective_ttl_secs": ttl, "ttl_source": source}
    return _Begun(run_id=known.id, status=status, ttl=ttl, facts=facts)


# answering ---------------------------------------------------------------------------------------------------


def _told(begun: _Begun, status: RunStatus) -> dict[str, Any]:
    return {"run_id": begun.run_id, "status": str(status), **begun.facts}


def _location(begun: _Begun) -> dict[str, str]:
    return {"location": f"/v1/runs/{begun.run_id}"}


def _ended(begun: _Begun, end: RunResult) -> HttpReply:
    if end.status is RunStatus.DONE:
        return HttpReply(value={"final_ctx": end.final_ctx, **_told(begun, end.status)})
    message = (end.error or {}).get("message", "nothing more is known")
    if end.status is RunStatus.FAILED:
        return _problem(begun, Refused(422, "run_failed", f"run {begun.run_id} failed: {message}"), end)
    if end.status is RunStatus.CANCELLED:
        return _problem(begun, Refused(409, "run_cancelled", f"run {begun.run_id} was cancelled"), end)
    why = f": {message}" if end.error else ""
    hint = f"it can go on: POST /v1/runs/{begun.run_id}/resume"
    return _problem(begun, Refused(503, "run_interrupted", f"run {begun.run_id} was stopped{why}", hint=hint), end)


def _too_long(begun: _Begun) -> HttpReply:
    text = f"run {begun.run_id} has not ended within {begun.ttl} s, and goes on"
    hint = f"see it with GET /v1/runs/{begun.run_id}; bound a run itself with its budget"
    return _problem(begun, Refused(504, "run_unfinished", text, hint=hint), None)


def _left(begun: _Begun) -> HttpReply:
    text = f"the server stops; run {begun.run_id} goes on when it is started again"
    hint = f"see it then with GET /v1/runs/{begun.run_id}"
    return _problem(begun, Refused(503, "stopping", text, hint=hint), None)


def _problem(begun: _Begun, refused: Refused, end: RunResult | None) -> HttpReply:
    """Return a problem document that also says which run it is about, and how that ended."""
    result = {} if end is None else {"result": end.as_json()}
    value = {**problem_of(refused), "run_id": begun.run_id, **begun.facts, **result}
    return HttpReply(status=refused.status, value=value, headers={**_location(begun), "content-type": MEDIA_TYPE})


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/tasks",
        name="launch_task",
        summary="Launch a run, and answer with its end, or at once",
        handler=launch,
        tag="runs",
        verb=Verb.START_TASK,
        body=TaskRequest,
        headers=(
            Parameter(name="Prefer", summary="`respond-async` answers as soon as the run is kept"),
            Parameter(name="Idempotency-Key", summary="Launch once: the same key gives the same run"),
            Parameter(name="traceparent", summary="The trace that the run belongs to, by W3C Trace Context"),
        ),
        answers={
            200: Answer(model=TaskDone, summary="The run is done"),
            202: Answer(model=TaskLaunched, summary="The run is kept and goes on"),
        },
        refusals=frozenset({400, 404, 409, 422, 503, 504}),
    ),
)
