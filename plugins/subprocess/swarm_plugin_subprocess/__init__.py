"""Programs as workers: agents of kind `subprocess`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swarm_core.factories import SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings
from swarm_plugin_subprocess.settings import read_settings
from swarm_plugin_subprocess.spawner import SUBPROCESS_KIND
from swarm_plugin_subprocess.templates import blueprint_problems

if TYPE_CHECKING:
    import click

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `subprocess`."""
    return [SUBPROCESS_KIND]


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Check the section `[plugin.subprocess]`."""
    read_settings(settings)


@hookimpl
def swarm_check_blueprint(blueprint: Blueprint) -> Iterable[Problem]:
    """Tell what is wrong with the Blueprint's templates."""
    return blueprint_problems(blueprint)


@hookimpl
def swarm_register_commands(cli: click.Group) -> None:
    """Add `swarm templates`."""
    from swarm_plugin_subprocess.cli import command

    cli.add_command(command)
