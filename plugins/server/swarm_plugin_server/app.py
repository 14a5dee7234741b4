"""The server as an ASGI application: a swarm's endpoints and sockets behind the checks that all of them share."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from swarm_core.endpoints import Endpoint
from swarm_core.serving import LiveSwarm, ServerAddress
from swarm_plugin_server.calls import Calls
from swarm_plugin_server.limits import Limits
from swarm_plugin_server.names import OwnNames, names_of
from swarm_plugin_server.offered import endpoints_of
from swarm_plugin_server.operators.doorway import roster_of
from swarm_plugin_server.queries import not_found
from swarm_plugin_server.replies import refusal_of
from swarm_plugin_server.routes import own_sockets
from swarm_plugin_server.sockets import Socket, serve_socket
from swarm_plugin_server.state import Serving


def build_app(swarm: LiveSwarm, serving: Serving) -> ASGIApp:
    """Return what serves a swarm over HTTP and WebSockets; `serving` is found in the swarm's services from now on."""
    serving.endpoints = serving.endpoints or endpoints_of(swarm)
    serving.sockets = serving.sockets or tuple(own_sockets())
    swarm.services[Serving] = serving
    swarm.services[ServerAddress] = ServerAddress(serving.base_url)
    roster_of(swarm)  # operators of earlier lives sit down before their runs are taken up
    limits = Limits(serving)
    routes: list[BaseRoute] = [
        *(_route(path, found, swarm, serving, limits) for path, found in _by_path(serving.endpoints.values())),
        *(_socket_route(socket, swarm, serving, limits) for socket in serving.sockets),
    ]
    router = Router(routes, redirect_slashes=False, default=_nothing_here)
    settings = serving.settings
    return OwnNames(router, names_of(settings.host, settings.allow_hosts), settings.allow_origins)


def _by_path(endpoints: Iterable[Endpoint]) -> Collection[tuple[str, dict[str, Endpoint]]]:
    """Return the endpoints by path; of two paths that one address fits, the one with more fixed parts comes first."""
    found: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return sorted(found.items(), key=lambda item: [part.startswith("{") for part in item[0].split("/")])


def _route(path: str, by_method: dict[str, Endpoint], swarm: LiveSwarm, serving: Serving, limits: Limits) -> BaseRoute:
    return Route(path, Calls(by_method, swarm, serving, limits), name=next(iter(by_method.values())).name)


def _socket_route(socket: Socket, swarm: LiveSwarm, serving: Serving, limits: Limits) -> BaseRoute:
    async def handle(websocket: WebSocket) -> None:
        await serve_socket(socket, websocket, swarm, serving, limits)

    return WebSocketRoute(socket.path, handle, name=socket.name)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(refusal_of(not_found()))
    elif scope["type"] == "http":
        await refusal_of(not_found())(scope, receive, send)
