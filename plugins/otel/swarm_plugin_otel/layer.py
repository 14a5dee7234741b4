"""The layer `otel`: what a worker does is told as part of its attempt, also where it is another process."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.call import Call, Result
from swarm_plugin_otel.current import Attempts


@frozen
class OtelLayer(SpawnerLayer):
    """Make the attempt's span the current one, and tell its place in the trace as `meta["traceparent"]`."""

    _attempts: Attempts

    async def run(self, call: Call, inner: Run) -> Result:
        """Let the attempt through, within its span."""
        with self._attempts.current(call.task_id, call.attempt) as traceparent:
            if traceparent is None:
                return await inner(call)
            return await inner(evolve(call, meta={**call.meta, "traceparent": traceparent}))


class Through(SpawnerLayer):
    """Do nothing: nobody asked for telemetry."""

    async def run(self, call: Call, inner: Run) -> Result:
        """Let the attempt through."""
        return await inner(call)


def build(options: Any, environment: Environment) -> SpawnerLayer:
    """Build the layer for a launch."""
    attempts = environment.services.get(Attempts)
    return Through() if attempts is None else OtelLayer(attempts)


OTEL_LAYER = LayerFactory(
    "otel", Stage.OBSERVE, build, summary="makes what workers do part of the run's trace; linked by itself"
)
