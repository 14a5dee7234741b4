"""The plugins' subcommands: each plugin adds to a group of its own, which is then merged or refused as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.errors import PluginConflict
from swarm_core.host.plugin import Plugin

if TYPE_CHECKING:
    import click

HOOK = "swarm_register_commands"


def add_commands(plugin: Plugin, cli: click.Group) -> None:
    """Add the plugin's subcommands to `cli`, all of them or none.

    Raises: PluginInvalid, when the hook raises; PluginConflict, when a name is taken.
    """
    import click

    own = click.Group(cli.name)
    plugin.call(HOOK, cli=own)
    taken = set(cli.list_commands(click.Context(cli)))
    if clashes := sorted(taken & set(own.commands)):
        message = f"the command {' and '.join(map(repr, clashes))} is already there"
        hint = f'none of its commands was added; switch it off: [plugins] disable = ["{plugin.candidate.name}"]'
        raise plugin.candidate.refusal(PluginConflict, message, hint=hint)
    for name, command in own.commands.items():
        cli.add_command(command, name)
