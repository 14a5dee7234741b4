"""What a worker outside the process asks with its handle or token: its work, and to give back what came of it."""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import frozen

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.model.worker import WorkerLife, WorkerPayload
from swarm_plugin_server.folding import value_of
from swarm_plugin_server.workers import credential_of, told_to_worker

_TAG = "worker"
_AT_ONCE = 64 * 1024  # bytes of a body that are read without a thread
_DONE = {204: Answer(media_type=None, summary="It is taken; the same again is taken too")}
_LATE = frozenset({409, 410})


@frozen(kw_only=True)
class WorkerResult:
    """A result as JSON; `ok` false blocks the task. Without `attempt` it is the one that the credential is for."""

    task_id: str
    value: Any
    ok: bool = True
    attempt: int | None = None


async def prompt(request: HttpRequest) -> HttpReply:
    """Give a worker its work."""
    with told_to_worker():
        payload = request.swarm.engine.door.fetch_worker_payload(credential_of(request), request.query["task_id"])
    return HttpReply(value=payload)


async def result(request: HttpRequest) -> HttpReply:
    """Take a worker's result as JSON."""
    given: WorkerResult = request.body
    with told_to_worker():
        task = request.swarm.engine.door.submit_result(
            credential_of(request), given.value, ok=given.ok, task_id=given.task_id, attempt=given.attempt
        )
        await request.swarm.engine.recorded(task)
    return HttpReply(status=204)


async def submit(request: HttpRequest) -> HttpReply:
    """Take a worker's result, or a part of it, as it is written."""
    token, query, door = credential_of(request), request.query, request.swarm.engine.door
    value = await _submitted(request) if door.is_living(token) else None  # a stranger's bytes are not worth a look
    with told_to_worker():
        task = door.submit_result(token, value, ok=query["ok"], part=query["part"])
        await request.swarm.engine.recorded(task)
    return HttpReply(status=204)


async def _submitted(request: HttpRequest) -> Any:
    body, content_type, raw = request.body, request.headers["content-type"], request.query["raw"]
    if len(body) <= _AT_ONCE:
        return value_of(body, content_type, raw=raw)
    return await asyncio.to_thread(value_of, body, content_type, raw=raw)


async def heartbeat(request: HttpRequest) -> HttpReply:
    """Take a worker's sign of life."""
    with told_to_worker():
        return HttpReply(value=request.swarm.engine.door.beat(credential_of(request)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/worker/prompt",
        name="worker_prompt",
        summary="Fetch the work of an attempt",
        handler=prompt,
        tag=_TAG,
        access=Access.WORKER,
        query=(Parameter(name="task_id", summary="the worker's own task, to be sure that it is this one"),),
        answers={200: Answer(model=WorkerPayload)},
        refusals=_LATE | {400},
    ),
    Endpoint(
        method="POST",
        path="/v1/worker/result",
        name="worker_result",
        summary="Give the result of an attempt as JSON",
        handler=result,
        tag=_TAG,
        access=Access.WORKER,
        body=WorkerResult,
        wrong_fields=400,
        answers=_DONE,
        refusals=_LATE | {400, 413, 422},
    ),
    Endpoint(
        method="POST",
        path="/v1/worker/submit",
        name="worker_submit",
        summary="Give the result of an attempt, or a part of it, as it is written",
        handler=submit,
        tag=_TAG,
        access=Access.WORKER,
        body=bytes,
        query=(
            Parameter(name="ok", type=bool, default=True, summary="false blocks the task"),
            Parameter(name="part", summary="the name of a part; the parts make one object"),
            Parameter(name="raw", type=bool, default=False, summary="take the body as text, whatever it looks like"),
        ),
        headers=(Parameter(name="content-type", summary="`application/json` or `text/plain`, else it is looked at"),),
        answers=_DONE,
        refusals=_LATE | {400, 413, 415, 422},
    ),
    Endpoint(
        method="POST",
        path="/v1/worker/heartbeat",
        name="worker_heartbeat",
        summary="Say that the worker lives, and learn whether its attempt does",
        handler=heartbeat,
        tag=_TAG,
        access=Access.WORKER,
        answers={200: Answer(model=WorkerLife)},
        refusals=_LATE,
    ),
)
