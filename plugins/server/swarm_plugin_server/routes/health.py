"""Whether the server is there, whether it takes work, and what it counts."""

from __future__ import annotations

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest
from swarm_core.model.access import Verb
from swarm_plugin_server.metrics import MEDIA_TYPE
from swarm_plugin_server.state import serving_of

_TEXT = "text/plain; charset=utf-8"
_READY = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["ready", "why"],
}


async def healthz(request: HttpRequest) -> HttpReply:
    """Tell that the server is there."""
    return HttpReply(value="ok", headers={"content-type": _TEXT})


async def readyz(request: HttpRequest) -> HttpReply:
    """Tell whether the server takes work; it does not before it has seen to what is left, and while it stops."""
    serving = serving_of(request.swarm)
    if serving.takes_work:
        return HttpReply(value={"ready": True, "why": "it takes work"})
    why = "it is stopping" if serving.stopping.is_set() else "it is starting"
    return HttpReply(status=503, value={"ready": False, "why": why}, headers={"retry-after": "1"})


async def metrics(request: HttpRequest) -> HttpReply:
    """Return what is counted."""
    serving = serving_of(request.swarm)
    return HttpReply(value=await serving.metrics.text(request.swarm, serving), headers={"content-type": MEDIA_TYPE})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/healthz",
        name="healthz",
        summary="Tell that the server is there",
        handler=healthz,
        tag="health",
        access=Access.PUBLIC,
        answers={200: Answer(media_type=_TEXT, summary="`ok`")},
    ),
    Endpoint(
        method="GET",
        path="/v1/readyz",
        name="readyz",
        summary="Tell whether the server takes work",
        handler=readyz,
        tag="health",
        access=Access.PUBLIC,
        answers={
            200: Answer(model=_READY, summary="It takes work."),
            503: Answer(model=_READY, summary="It is starting or stopping."),
        },
    ),
    Endpoint(
        method="GET",
        path="/v1/metrics",
        name="metrics",
        summary="Return what is counted, as Prometheus reads it",
        handler=metrics,
        tag="health",
        verb=Verb.READ_TRACE,
        answers={200: Answer(media_type=MEDIA_TYPE, summary="Counters in the text format of Prometheus.")},
    ),
)
