"""The project's server: how it is, starting it, stopping it."""

from __future__ import annotations

from attrs import frozen

from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.note import Note
from swarm_plugin_mcp.places import embedded, remote
from swarm_plugin_mcp.tool import Asked, McpTool, argument


@frozen
class NoArguments:
    """For a tool that is given nothing."""


@frozen
class StartArguments:
    """What `swarm_server_start` is given."""

    port: int = argument(
        "The port to listen at, on this machine only; 0: any that is free.", default=0, least=0, most=65535
    )


async def doctor(asked: Asked, given: NoArguments) -> Json:
    """Tell how the place is that the tools work on."""
    return await (await asked.home.backend()).doctor()


async def start(asked: Asked, given: StartArguments) -> Json:
    """Start the project's server, and work on it from now on."""
    home = asked.home
    started, note = await home.server.start(port=given.port)
    await home.use(remote(home.line, note.url, token_file=note.token_file))
    return {"started": started, **_told(note), "next": "all tools work on this server from now on"}


async def status(asked: Asked, given: NoArguments) -> Json:
    """Tell whether the project's server runs."""
    note = asked.home.server.find()
    place = (await asked.home.backend()).place
    return {"running": note is not None, **({} if note is None else _told(note)), "tools_work_on": place}


async def stop(asked: Asked, given: NoArguments) -> Json:
    """Stop the project's server, and work in this process from now on."""
    home = asked.home
    note = await home.server.stop()
    await home.use(embedded(home.line, home.store))
    hint = "runs that were under way can be resumed; the tools work without a server from now on"
    return {"stopped": note is not None, **({} if note is None else _told(note)), "next": hint}


def _told(note: Note) -> Json:
    return {"url": note.url, "pid": note.pid, "token_file": note.token_file}


TOOLS = (
    McpTool(
        name="mse_doctor",
        summary="Tell what the tools work on, this process or a server, and how it is: store, plugins, Blueprints.",
        arguments=NoArguments,
        handler=doctor,
        reads=True,
    ),
    McpTool(
        name="swarm_server_start",
        summary="Start the project's server, which outlives this session and carries runs on; work on it from then on. "
        "Operator sessions have to be joined anew.",
        arguments=StartArguments,
        handler=start,
    ),
    McpTool(
        name="swarm_server_status",
        summary="Tell whether the project's server runs, where, and what the tools work on.",
        arguments=NoArguments,
        handler=status,
        reads=True,
    ),
    McpTool(
        name="swarm_server_stop",
        summary="Stop the project's server; its runs can be resumed.",
        arguments=NoArguments,
        handler=stop,
        destroys=True,
    ),
)
