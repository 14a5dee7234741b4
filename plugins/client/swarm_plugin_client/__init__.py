"""A client for a swarm server: for programs, and for `swarm --server URL`.

The public names are loaded at first use: whoever only starts `swarm` does not pay for them.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from swarm_core.hookspecs import hookimpl
from swarm_core.lazy import lazy_names

if TYPE_CHECKING:
    from swarm_core.remote import RemoteSwarm
    from swarm_core.settings import Settings
    from swarm_plugin_client.answers import Launch, RunPage, Step, TaskAnswer
    from swarm_plugin_client.errors import BadAnswer, ClientError, SeatTaken, ServerRefused, ServerUnreachable
    from swarm_plugin_client.in_order import Client
    from swarm_plugin_client.operators import Frame, OperatorSession
    from swarm_plugin_client.side_by_side import AsyncClient

SWARM_API = 1

_HOMES = {
    "answers": ("Launch", "RunPage", "Step", "TaskAnswer"),
    "errors": ("BadAnswer", "ClientError", "SeatTaken", "ServerRefused", "ServerUnreachable"),
    "in_order": ("Client",),
    "operators": ("Frame", "OperatorSession"),
    "side_by_side": ("AsyncClient",),
}

__all__ = [
    "AsyncClient",
    "BadAnswer",
    "Client",
    "ClientError",
    "Frame",
    "Launch",
    "OperatorSession",
    "RunPage",
    "SeatTaken",
    "ServerRefused",
    "ServerUnreachable",
    "Step",
    "TaskAnswer",
]

# without the __dir__: the host looks for hooks among the names that are there
__getattr__, _ = lazy_names(__name__, globals(), _HOMES)


@hookimpl
def swarm_connect(settings: Settings, url: str) -> AbstractAsyncContextManager[RemoteSwarm]:
    """Reach the server for the command line."""
    from swarm_plugin_client.remote import connect

    return connect(settings, url)
