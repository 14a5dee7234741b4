"""Which swarm the tools work on: the server that is named, the project's server where one runs, else one in here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from attrs import frozen

from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.note import folder_of, read_note

if TYPE_CHECKING:
    from pathlib import Path

    from swarm_core.commands import CommandLine
    from swarm_plugin_mcp.backend import Backend

SERVER_VARIABLE = "SWARM_SERVER"

Opening = Callable[[], "AbstractAsyncContextManager[Backend]"]


@frozen(kw_only=True)
class Wanted:
    """What the command line says of the place; None where it says nothing."""

    server: str | None = None
    token_file: Path | None = None
    store: str | None = None
    embedded: bool = False


def place_of(line: CommandLine, wanted: Wanted, environ: Mapping[str, str] = os.environ) -> Opening:
    """Return what opens the place."""
    named = None if wanted.embedded else wanted.server or environ.get(SERVER_VARIABLE) or None
    if named is not None:
        return remote(line, named, token_file=wanted.token_file)
    note = None if wanted.embedded else read_note(folder_of(line.settings(), wanted.store))
    if note is not None and find_spec("swarm_plugin_client") is not None:
        return remote(line, note.url, token_file=note.token_file)
    return embedded(line, wanted.store)


def embedded(line: CommandLine, store: str | None) -> Opening:
    """Return what opens a swarm in this process."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Backend]:
        from swarm_plugin_mcp.embedded.backend import Embedded

        async with line.open_swarm(store=store) as swarm:
            yield Embedded(swarm)

    return opening


def remote(line: CommandLine, url: str, *, token_file: Path | str | None) -> Opening:
    """Return what reaches a server; raises ToolRefused when it is opened and there is no client."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Backend]:
        if find_spec("swarm_plugin_client") is None:
            hint = "pip install swarm-plugin-client"
            raise ToolRefused("no_client", f"to reach the server {url}, the client has to be installed", hint=hint)
        from swarm_plugin_client import AsyncClient

        from swarm_plugin_mcp.remote.backend import Remote

        async with (
            line.open_swarm(store="memory://") as reader,
            AsyncClient(url, token_file=token_file) as client,
        ):
            yield Remote(client, reader)

    return opening
