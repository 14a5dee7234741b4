"""One call of an endpoint, from the request to the response."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swarm_core.endpoints import Endpoint, HttpReply, HttpRequest
from swarm_core.errors import SwarmError
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.access import admit, bearer_of
from swarm_plugin_server.bodies import ClientGone, body_of, until_gone
from swarm_plugin_server.limits import Limits
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.queries import headers_of, path_of, query_of
from swarm_plugin_server.replies import Stream, refusal_of, response_of
from swarm_plugin_server.state import Serving

logger = logging.getLogger("swarm.server")


class Calls:
    """The endpoints of one path, by method, as an ASGI application."""

    def __init__(self, by_method: dict[str, Endpoint], swarm: LiveSwarm, serving: Serving, limits: Limits) -> None:
        self._by_method, self._swarm, self._serving, self._limits = by_method, swarm, serving, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        method = "GET" if scope["method"] == "HEAD" and "HEAD" not in self._by_method else scope["method"]
        endpoint = self._by_method.get(method)
        if endpoint is None:
            await refusal_of(self._no_method(method))(scope, receive, send)
            return
        begun = time.perf_counter()
        response = await self._response(endpoint, scope, receive)
        if response is not None:
            self._serving.metrics.answered(endpoint.name, response.status_code, time.perf_counter() - begun)
            await response(scope, receive, send)

    async def _response(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response | Stream | None:
        try:
            with self._limits.call(endpoint):
                reply = await self._reply(endpoint, scope, receive)
                return response_of(endpoint, reply, self._serving)
        except ClientGone:
            return None
        except SwarmError as error:
            return refusal_of(self._limits.counted(error, _address(scope)))
        except Exception as error:
            logger.error("%s %s failed: %s", endpoint.method, endpoint.path, type(error).__name__, exc_info=error)
            hint = "the server's log has more"
            return refusal_of(Refused(500, "internal", f"{type(error).__name__} in {endpoint.name}", hint=hint))

    async def _reply(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> HttpReply:
        headers, path = scope["headers"], path_of(scope.get("path_params", {}))
        query = query_of(endpoint, scope.get("query_string", b""))
        caller = admit(endpoint, bearer_of(headers), path, self._serving.token, self._swarm)
        declared = headers_of(endpoint, headers)
        body = await body_of(endpoint, headers, receive, self._serving.settings)
        request = HttpRequest(
            path=path,
            query=query,
            headers=declared,
            body=body,
            caller=caller,
            swarm=self._swarm,
            base_url=self._serving.base_url,
            gone=partial(until_gone, receive),
        )
        return await endpoint.handler(request)

    def _no_method(self, method: str) -> Refused:
        allowed = ", ".join(sorted({*self._by_method, *(["HEAD"] if "GET" in self._by_method else [])}))
        text = f"{method[:20]} is not a method of this address"
        return Refused(405, "no_method", text, hint=f"it has {allowed}", headers={"allow": allowed})


def _address(scope: Any) -> str:
    client = scope.get("client")
    return client[0] if client else ""
