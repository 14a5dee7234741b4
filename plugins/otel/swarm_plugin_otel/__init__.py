"""What runs do as OpenTelemetry tells it: spans of runs, steps, attempts and model calls, and metrics."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from swarm_core.factories import LayerFactory
from swarm_core.hookspecs import hookimpl
from swarm_plugin_otel.layer import OTEL_LAYER

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm
    from swarm_core.settings import Settings

__all__ = ["SWARM_API"]

SWARM_API = 1


@hookimpl
def swarm_configure(settings: Settings) -> None:
    """Check the section `[plugin.otel]`."""
    from swarm_plugin_otel.options import options_of

    options_of(settings)


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `otel`, which the core links wherever it is."""
    return [OTEL_LAYER]


@hookimpl
def swarm_lifespan(swarm: LiveSwarm) -> AbstractAsyncContextManager[None]:
    """Tell of what runs do for as long as the swarm is open, when that is switched on."""
    from swarm_plugin_otel.tracing import tracing

    return tracing(swarm)
