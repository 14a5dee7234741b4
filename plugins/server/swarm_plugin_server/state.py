"""What the rooms of a server share. A room finds it by `serving_of(request.swarm)`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field

from swarm_plugin_server.metrics import Metrics
from swarm_plugin_server.settings import ServerSettings

if TYPE_CHECKING:
    from swarm_core.endpoints import Endpoint
    from swarm_core.serving import LiveSwarm
    from swarm_plugin_server.access import ServerToken
    from swarm_plugin_server.sockets import Socket


@define(kw_only=True, eq=False)
class Serving:
    """A server as it stands.

    `token` is None where access is switched off. `ready` is set when what is left of earlier lives has been seen to;
    `stopping` when no more work is taken, `leaving` when streams and sockets must end. `unresumed` tells of runs that
    could not go on here. `description` is the OpenAPI document, once somebody has asked for it.
    """

    settings: ServerSettings
    base_url: str
    token: ServerToken | None
    endpoints: Mapping[str, Endpoint] = field(factory=dict)
    sockets: tuple[Socket, ...] = ()
    ready: asyncio.Event = field(factory=asyncio.Event)
    stopping: asyncio.Event = field(factory=asyncio.Event)
    leaving: asyncio.Event = field(factory=asyncio.Event)
    in_flight: int = 0
    streams: int = 0
    websockets: int = 0
    unresumed: dict[str, str] = field(factory=dict)
    started_at: float = field(factory=time.time)
    metrics: Metrics = field(factory=Metrics)
    description: bytes = b""

    @property
    def takes_work(self) -> bool:
        """Tell whether the server begins what it is asked for."""
        return self.ready.is_set() and not self.stopping.is_set()


def serving_of(swarm: LiveSwarm | Any) -> Serving:
    """Return the server that serves a swarm."""
    return cast(Serving, swarm.services[Serving])
