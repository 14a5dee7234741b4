"""Whether the server is there, and whether it takes work."""

from __future__ import annotations

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, HttpRequest

_TEXT = "text/plain; charset=utf-8"


async def healthz(request: HttpRequest) -> HttpReply:
    """Tell that the server is there."""
    return HttpReply(value="ok", headers={"content-type": _TEXT})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/healthz",
        name="healthz",
        summary="Tell that the server is there",
        handler=healthz,
        tag="health",
        access=Access.PUBLIC,
        answers={200: Answer(media_type=_TEXT)},
    ),
)
