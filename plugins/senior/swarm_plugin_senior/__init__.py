"""What a worker could not do goes to a senior: the layer `senior_escalation`."""

from __future__ import annotations

from swarm_core.factories import LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_plugin_senior.layer import KEY, build
from swarm_plugin_senior.options import SeniorOptions

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `senior_escalation`."""
    summary = "asks a senior when a worker reports ok=false"
    return [LayerFactory(KEY, Stage.RECOVER, build, options=SeniorOptions, summary=summary)]
