"""What a server answers over WebSockets: data and a coroutine function, as its endpoints are."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from attrs import frozen
from starlette.websockets import WebSocket, WebSocketState

from swarm_core.errors import SwarmError
from swarm_core.model.shown import shown
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.access import refuse_tokens_in_query
from swarm_plugin_server.limits import Limits
from swarm_plugin_server.queries import path_of
from swarm_plugin_server.replies import refusal_of
from swarm_plugin_server.state import Serving

logger = logging.getLogger("swarm.server")


@frozen(kw_only=True, eq=False)
class Socket:
    """One path that is upgraded to a WebSocket.

    `handler` gets the socket before it is accepted, and does everything with it: it checks the credential
    (`access.bearer_of`), accepts or denies. A SwarmError that it raises before it accepts is told as a problem
    document with its status. `base_url` and the rest of the server are in `state.serving_of(swarm)`; when
    `serving.leaving` is set, it closes with 1001.
    """

    __repr__ = shown

    path: str
    name: str
    summary: str
    handler: Callable[[WebSocket, LiveSwarm], Awaitable[None]]


async def serve_socket(
    socket: Socket, websocket: WebSocket, swarm: LiveSwarm, serving: Serving, limits: Limits
) -> None:
    """Let a socket's handler have an upgrade; what it refuses is answered as over HTTP."""
    serving.websockets += 1
    try:
        refuse_tokens_in_query(list(websocket.query_params))
        path_of(websocket.path_params)
        await socket.handler(websocket, swarm)
    except SwarmError as error:
        if websocket.application_state is not WebSocketState.CONNECTING:
            logger.error("%s failed: %s", socket.path, error)
            raise
        told = limits.counted(error, websocket.client.host if websocket.client else "")
        await websocket.send_denial_response(refusal_of(told))
    except Exception as error:
        logger.error("%s failed: %s", socket.path, type(error).__name__, exc_info=error)
        raise
    finally:
        serving.websockets -= 1
