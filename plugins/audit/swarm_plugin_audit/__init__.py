"""What happened, and the proof of it: events of every attempt, and commands that check a run's chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.factories import LayerFactory
from swarm_core.hookspecs import hookimpl
from swarm_plugin_audit.layer import AUDIT_LAYER

if TYPE_CHECKING:
    import click

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `audit`."""
    return [AUDIT_LAYER]


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm audit`."""
    from swarm_plugin_audit.commands import audit

    cli.add_command(audit)
