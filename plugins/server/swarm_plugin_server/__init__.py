"""The long-running host: `swarm serve`, and the endpoints that every part of the seeds' HTTP API has here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm serve`."""
    from swarm_plugin_server.serve import command

    cli.add_command(command)
