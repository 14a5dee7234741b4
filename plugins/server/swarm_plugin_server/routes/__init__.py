"""The server's own endpoints, by what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm_core.endpoints import Endpoint
    from swarm_plugin_server.sockets import Socket

_ROOMS = (
    *("health", "installation", "description", "operators", "worker", "data", "tasks", "runs", "events", "questions"),
    *("blueprints", "sessions", "check"),
)


def own_endpoints() -> Iterator[Endpoint]:
    """Yield the endpoints of every room."""
    for room in _ROOMS:
        yield from import_module(f"{__name__}.{room}").ENDPOINTS


def own_sockets() -> Iterator[Socket]:
    """Yield the WebSockets of every room that has some, as `SOCKETS`."""
    for room in _ROOMS:
        yield from getattr(import_module(f"{__name__}.{room}"), "SOCKETS", ())
