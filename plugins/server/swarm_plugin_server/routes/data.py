"""Outputs of workers: put there as they come, and read by their reference or their producer's name."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.model.access import Role, Verb
from swarm_core.model.output import Final, OutputEvent, OutputRecord, output_json
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.workers import credential_of, told_to_worker

_TAG = "data"
_MOST_PARENTS = 100


def _check_parents(_: Any, __: Attribute[Any], refs: tuple[str, ...]) -> None:
    if len(refs) > _MOST_PARENTS:
        raise ValueError(f"an output comes from {_MOST_PARENTS} others at most")


@frozen(kw_only=True)
class DataPost:
    """An output of an attempt; `parent_refs` are the outputs of the same run that it was made from."""

    task_id: str
    attempt: int
    event: OutputEvent
    parent_refs: tuple[str, ...] = field(default=(), validator=_check_parents)


@frozen(kw_only=True)
class DataEmit:
    """The same with its producer, who can only be the worker's own agent."""

    task_id: str
    attempt: int
    event: OutputEvent
    producer_agent: str | None = None
    parent_refs: tuple[str, ...] = field(default=(), validator=_check_parents)


@frozen(kw_only=True)
class DataPosted:
    """Where an output can be read from now on."""

    out_id: str


async def emit(request: HttpRequest) -> HttpReply:
    """Take an output of a worker."""
    return await _taken(request, request.body, request.body.producer_agent)


async def post(request: HttpRequest) -> HttpReply:
    """Take an output of a worker, its agent named in the address."""
    return await _taken(request, request.body, request.path["key"])


async def _taken(request: HttpRequest, given: DataPost | DataEmit, producer: str | None) -> HttpReply:
    if isinstance(given.event, Final) and given.event.by is not None:
        raise Refused(422, "bad_body", "'by' names a layer; a worker's final has none", hint="leave it out")
    with told_to_worker(elsewhere=403):
        ref = await request.swarm.engine.door.emit_output(
            credential_of(request),
            given.task_id,
            given.attempt,
            given.event,
            producer=producer,
            parent_refs=given.parent_refs,
        )
        await request.swarm.engine.recorded(given.task_id)
    return HttpReply(value=DataPosted(out_id=ref))


async def read(request: HttpRequest) -> HttpReply:
    """Return an output: to a worker those of its own run."""
    key, caller = request.path["key"], request.caller
    if caller.role is Role.WORKER and caller.token is not None:
        with told_to_worker():
            found = await request.swarm.engine.door.read_output(caller.token, key)
    else:
        found = await request.swarm.output(key)
    return HttpReply(value=record_json(found))


def record_json(record: OutputRecord) -> dict[str, Any]:
    """Return an output as it is told over HTTP."""
    return {
        "id": record.id,
        "run_id": record.run_id,
        "task_id": record.task_id,
        "attempt": record.attempt,
        "producer_agent": record.producer_agent,
        "event": output_json(record.event),
        "parent_refs": list(record.parent_refs),
    }


_LATE = frozenset({400, 404, 409, 410, 413, 422})

ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/data/emit",
        name="emit_data",
        summary="Keep an output of an attempt",
        handler=emit,
        tag=_TAG,
        access=Access.WORKER,
        without_credential=400,
        body=DataEmit,
        answers={200: Answer(model=DataPosted)},
        refusals=_LATE,
    ),
    Endpoint(
        method="POST",
        path="/v1/data/{key}",
        name="post_data",
        summary="Keep an output of an attempt, under its own agent's name",
        handler=post,
        tag=_TAG,
        access=Access.WORKER,
        without_credential=400,
        body=DataPost,
        answers={200: Answer(model=DataPosted)},
        refusals=_LATE,
    ),
    Endpoint(
        method="GET",
        path="/v1/data/{key}",
        name="read_data",
        summary="Read an output by its reference, or the newest one of an agent",
        handler=read,
        tag=_TAG,
        verb=Verb.READ_TASK_STATE,
        workers=True,
        answers={200: Answer(model=OutputRecord)},
        refusals=frozenset({404, 410}),
    ),
)
