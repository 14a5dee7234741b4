"""A server on its socket: uvicorn, set up for long-lived connections and untrusted clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from swarm_core.errors import SettingsError
from swarm_plugin_server.connections import BoundedProtocol
from swarm_plugin_server.operators.wire import ClosingProtocol
from swarm_plugin_server.settings import ServerSettings

_PING = 15.0  # seconds between pings of a WebSocket, and until one that is not answered closes it
_LAST = 2.0  # seconds that busy connections have at the end
_LOOK = 0.01  # seconds between two looks at whether they are done
_LARGEST_FRAME = 1024 * 1024
_BACKLOG = 1024


def bind(settings: ServerSettings) -> socket.socket:
    """Return a listening socket for what the settings say.

    Raises: SettingsError, when the address is in use, is not of this machine, or may not be taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # named, so that asyncio sees that it is TCP and sends without delay: answers take 44 ms otherwise
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        hint = "choose another with --port, 0 for any that is free" if settings.port else None
        raise SettingsError(f"the server cannot listen at {where}: {error.strerror or error}", hint=hint) from None
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket, settings: ServerSettings) -> str:
    """Return the address at which clients on this machine reach a listening socket."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


class _Server(uvicorn.Server):
    """Uvicorn, whose signals are the command's own, and which tells when it listens.

    Its own loop looks ten times a second whether it shall stop, and its end takes a tenth of a second at least.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens, self.leaves = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def main_loop(self) -> None:
        """Keep the date of answers right until the end."""
        while not self.leaves.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.leaves.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, and close connections: idle ones now, busy ones with their answers, in the end all."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        for _ in range(round(_LAST / _LOOK)):
            if not state.connections and not state.tasks:
                return
            await asyncio.sleep(_LOOK)
        for connection in state.connections:
            connection.transport.abort()
        for task in state.tasks:
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening_at(sock: socket.socket, app: ASGIApp, settings: ServerSettings) -> AsyncIterator[None]:
    """Serve an application on a bound socket; on leaving, connections are closed, at last those that are busy."""
    server = _Server(_config(app, settings))
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await server.listens.wait()
        yield
    finally:
        server.leaves.set()
        await serving


def _config(app: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol.bounded_by(settings),
        ws=ClosingProtocol,
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # what goes wrong in an endpoint or socket is logged where it does
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=max(1, int(settings.keep_alive)),
        ws_max_size=_LARGEST_FRAME,
        ws_ping_interval=_PING,
        ws_ping_timeout=_PING,
        ws_per_message_deflate=False,
        backlog=_BACKLOG,
    )
