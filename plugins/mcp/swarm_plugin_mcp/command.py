"""`swarm mcp`: an MCP server for AI clients."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swarm_core.commands import command_line

if TYPE_CHECKING:
    from collections.abc import Coroutine

_OK, _INTERRUPTED = 0, 130


@click.command("mcp")
@click.option(
    "--server", metavar="URL", help="Work on this server; default: $SWARM_SERVER, or the project's if one runs."
)
@click.option(
    "--server-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The server's token; default: as for `swarm --server`.",
)
@click.option("--embedded", is_flag=True, help="Carry runs out in this process, whether a server runs or not.")
@click.option("--store", metavar="URL", help="Where runs are kept; default: as for `swarm runs`.")
@click.option("--http", "over_http", is_flag=True, help="Serve streamable HTTP at 127.0.0.1 in place of stdio.")
@click.option("--port", type=click.IntRange(0, 65535), default=7778, show_default=True, help="With --http: the port.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --http: where the token is that clients bring; default: mcp.token beside the store.",
)
@click.option("--json", "as_json", is_flag=True, help="With --http: print one object, url and token_file.")
@click.option("--skill", is_flag=True, help="Print a skill file that teaches an AI to use these tools, and end.")
@click.option("--config", "snippet", is_flag=True, help="Print the entry for an MCP client's configuration, and end.")
@click.pass_context
def command(
    ctx: click.Context, /, *, skill: bool, snippet: bool, server: str | None, embedded: bool, **options: Any
) -> int:
    """Let an AI use swarm over the Model Context Protocol, on stdin and stdout.

    It works on the server that is named, on the project's where one runs, else in this process. With --http it serves
    whoever brings the token of its token file. Exit codes: 0, 2 usage, 3 settings that cannot be, 130 interrupted.
    """
    server = server or command_line(ctx).server
    if server is not None and embedded:
        raise click.UsageError("--server and --embedded are two places: give one")
    if skill or snippet:
        click.echo(_skill() if skill else json.dumps(_snippet(server, embedded=embedded), indent=2), nl=not skill)
        return _OK
    return _serve(ctx, server, embedded=embedded, **options)


def _serve(
    ctx: click.Context,
    server: str | None,
    *,
    embedded: bool,
    server_token_file: Path | None,
    store: str | None,
    over_http: bool,
    port: int,
    token_file: Path | None,
    as_json: bool,
) -> int:
    from swarm_plugin_mcp.places import Wanted, place_of

    line = command_line(ctx)
    wanted = Wanted(server=server, token_file=server_token_file, store=store, embedded=embedded)
    place = place_of(line, wanted)
    if over_http:
        from swarm_plugin_mcp import http

        return _to_the_end(http.serve(line, store, place, port=port, token_file=token_file, as_json=as_json))
    from swarm_plugin_mcp import stdio

    return _to_the_end(stdio.serve(line, store, place))


def _to_the_end(serving: Coroutine[Any, Any, None]) -> int:
    try:
        asyncio.run(serving)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _OK


def _skill() -> str:
    from swarm_plugin_mcp.resources import packaged

    return packaged("texts/SKILL.md")


def _snippet(server: str | None, *, embedded: bool) -> dict[str, Any]:
    chosen = ["--server", server] if server is not None else ["--embedded"] if embedded else []
    entry = {"command": sys.executable, "args": ["-m", "swarm_core", "mcp", *chosen]}
    return {"mcpServers": {"swarm": entry}}
