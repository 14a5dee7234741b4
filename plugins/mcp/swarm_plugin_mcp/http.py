"""Serving clients over streamable HTTP, on this machine only."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from swarm_core.errors import SettingsError
from swarm_plugin_mcp.access import TokenNeeded, token_in
from swarm_plugin_mcp.home import open_home
from swarm_plugin_mcp.note import folder_of
from swarm_plugin_mcp.protocol import make_server

if TYPE_CHECKING:
    from swarm_core.commands import CommandLine
    from swarm_plugin_mcp.places import Opening

PATH = "/mcp"
_HOST = "127.0.0.1"
_GRACE = 5  # seconds for calls under way when it is told to stop


async def serve(
    line: CommandLine, store: str | None, place: Opening, *, port: int, token_file: Path | None, as_json: bool
) -> None:
    """Serve until a signal comes."""
    file = token_file or folder_of(line.settings(), store) / "mcp.token"
    token = token_in(file)
    with closing(_bound(port)) as listener:
        url = f"http://{_HOST}:{listener.getsockname()[1]}{PATH}"
        async with open_home(line, store, place) as home:
            app = TokenNeeded(_app(home, listener.getsockname()[1]), token)
            if as_json:
                line.print_json({"url": url, "token_file": str(file)})
            line.say(f"MCP server listens at {url}")
            line.say(f"  token  {file}")
            await _until_stopped(_server(app), listener)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        listener.close()
        hint = "choose another one, or 0 for any that is free"
        raise SettingsError(f"port {port} cannot be used: {error.strerror}", hint=hint) from None
    return listener


def _app(home: Any, port: int) -> Any:
    names = [f"{name}:{port}" for name in (_HOST, "localhost")]
    security = TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names])
    return make_server(home).streamable_http_app(streamable_http_path=PATH, transport_security=security)


class _Server(uvicorn.Server):
    """Uvicorn, whose signals are the command's own: it would end the process before runs are interrupted in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=[listener])


def _server(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=_GRACE, server_header=False
    )
    return _Server(config)
