"""Serving one client over stdin and stdout. Nothing but the protocol is written to stdout."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, cast

from mcp.server.stdio import stdio_server

from swarm_plugin_mcp.home import open_home
from swarm_plugin_mcp.protocol import make_server
from swarm_plugin_mcp.stdin import Lines, own_stdin

if TYPE_CHECKING:
    from swarm_core.commands import CommandLine
    from swarm_plugin_mcp.places import Opening


async def serve(line: CommandLine, store: str | None, place: Opening) -> None:
    """Serve until the client closes stdin, or a signal comes."""
    with own_stdin() as descriptor:
        lines = Lines(descriptor)
        # first of all: it keeps stdout for itself, and what others write there goes to stderr from then on
        async with stdio_server(stdin=cast(Any, lines)) as (reading, writing), open_home(line, store, place) as home:
            server = make_server(home)
            talking = asyncio.ensure_future(server.run(reading, writing, server.create_initialization_options()))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, talking.cancel)
            await asyncio.wait((talking,))
            lines.end()
            if not talking.cancelled():
                talking.result()
