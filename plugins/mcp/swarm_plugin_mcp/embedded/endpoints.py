"""Endpoints that plugins offer, called without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swarm_core.codec import unstructure
from swarm_core.endpoints import Caller, HttpReply, HttpRequest
from swarm_plugin_mcp.backend import Offered
from swarm_plugin_mcp.errors import ToolRefused, not_offered

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm

_REFUSED = 400
_CALLER = Caller(name="mcp")


async def call(swarm: LiveSwarm, offered: Offered) -> Any:
    """Return what an endpoint answers; raises ToolRefused when there is none, or it refuses; as its handler."""
    endpoint = swarm.catalog.endpoints.get(f"{offered.method} {offered.route}")
    if endpoint is None:
        raise not_offered(offered.route)
    request = HttpRequest(
        path=offered.path,
        query={each.name: offered.query.get(each.name, each.default) for each in endpoint.query},
        headers={each.name: each.default for each in endpoint.headers},
        body=offered.body,
        caller=_CALLER,
        swarm=swarm,
        base_url="",
    )
    return _value(await endpoint.handler(request))


def _value(reply: HttpReply) -> Any:
    if reply.status >= _REFUSED:
        told = reply.value if isinstance(reply.value, Mapping) else {}
        raise ToolRefused(str(told.get("code")), str(told.get("detail")), hint=told.get("hint"))
    return unstructure(reply.value)
