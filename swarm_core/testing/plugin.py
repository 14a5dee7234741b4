"""The plugin that provides the worker kind `fake`."""

from __future__ import annotations

from swarm_core.factories import SpawnerFactory
from swarm_core.hookspecs import hookimpl
from swarm_core.testing.fakes import FACTORY

SWARM_API = 1


@hookimpl
def swarm_register_spawners() -> list[SpawnerFactory]:
    """Provide the kind `fake`."""
    return [FACTORY]
