"""Seats for people and AIs: the kind `operator`, the layers `operator_delegate` and `main_ai`, and `swarm operate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.factories import LayerFactory, SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_plugin_operator.layers import MAIN_AI, OPERATOR_DELEGATE
from swarm_plugin_operator.spawner import OPERATOR_KIND

if TYPE_CHECKING:
    import click

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `operator`."""
    return [OPERATOR_KIND]


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layers `main_ai` and `operator_delegate`."""
    return [MAIN_AI, OPERATOR_DELEGATE]


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm operate`."""
    from swarm_plugin_operator.operate import command

    cli.add_command(command)
