"""Swarm for AIs, over the Model Context Protocol: `swarm mcp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm mcp`."""
    from swarm_plugin_mcp.command import command

    cli.add_command(command)
