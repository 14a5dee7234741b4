"""What happened to a run: pages of its events, or all of them as they come."""

from __future__ import annotations

from typing import Any

from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.model.access import Verb
from swarm_plugin_server.following import feeds_of
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.shapes import EVENT_PAGE
from swarm_plugin_server.standing import is_here, run_of

_STREAM = "text/event-stream"
_MOST = 10_000


async def events(request: HttpRequest) -> HttpReply:
    """Answer with a page of a run's events, or with a stream of them where the client accepts one."""
    run = await run_of(request.swarm, request.path["run_id"])
    streamed = _STREAM in (request.headers["Accept"] or "")
    said = request.headers["Last-Event-ID"]
    after: int = request.query["after"] if said is None or not streamed else said
    last = _newest(request, run.id, run.last_seq)
    if after > last:
        hint = "begin again without it: what it counted is no longer there, or was another run's"
        raise Refused(400, "bad_position", f"event {after} is beyond the newest one, {last}", hint=hint)
    if not streamed:
        return await _page(request, run.id, after)
    pieces = feeds_of(request.swarm).listen(run.id, last, after)
    headers = {"content-type": f"{_STREAM}; charset=utf-8", "x-accel-buffering": "no"}
    return HttpReply(stream=pieces, headers=headers)


async def _page(request: HttpRequest, run_id: str, after: int) -> HttpReply:
    limit: int = request.query["limit"]
    found = await request.swarm.history.events(run_id, after, limit + 1)
    page: dict[str, Any] = {
        "events": [event.as_json() for event in found[:limit]],
        "next": found[limit - 1].seq if len(found) > limit else None,
    }
    return HttpReply(value=page)


def _newest(request: HttpRequest, run_id: str, recorded: int) -> int:
    """Return the number of a run's newest event."""
    record = request.swarm.engine.state.runs.get(run_id) if is_here(request.swarm, run_id) else None
    return recorded if record is None else max(recorded, record.events.visible)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/runs/{run_id}/events",
        name="run_events",
        summary="A page of a run's events, or a stream of them with `Accept: text/event-stream`",
        handler=events,
        tag="runs",
        verb=Verb.SUBSCRIBE_EVENTS,
        query=(
            Parameter(name="after", type=int, default=0, least=0, summary="Only events that come after this number"),
            Parameter(name="limit", type=int, default=1000, least=1, most=_MOST, summary="So many in a page at most"),
        ),
        headers=(
            Parameter(name="Accept", summary=f"`{_STREAM}` for a stream"),
            Parameter(name="Last-Event-ID", type=int, least=0, summary="In a stream: counts over `after`"),
        ),
        answers={200: Answer(model=EVENT_PAGE, summary="`next` is where the next page begins, null at the newest")},
        refusals=frozenset({400, 404}),
    ),
)
