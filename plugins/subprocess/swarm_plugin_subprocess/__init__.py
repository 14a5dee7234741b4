"""Programs as workers: agents of kind `subprocess`."""

from __future__ import annotations

from swarm_core.factories import SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.settings import Settings
from swarm_plugin_subprocess.settings import read_settings
from swarm_plugin_subprocess.spawner import SUBPROCESS_KIND

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
