"""Agents as Markdown files: the directives `$agent_md` and `$agents_md`, and the command `swarm agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.factories import DirectiveFactory
from swarm_core.hookspecs import hookimpl
from swarm_plugin_agents_md.directives import AGENT, AGENTS

if TYPE_CHECKING:
    import click

SWARM_API = 1


@hookimpl
def swarm_register_readers() -> list[DirectiveFactory]:
    """Provide the directives for one agent file, and for a folder of them."""
    return [AGENT, AGENTS]


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Provide `swarm agents`."""
    from swarm_plugin_agents_md.command import command

    cli.add_command(command)
