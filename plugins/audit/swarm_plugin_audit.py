"""Record the start and the end of every attempt on the run's event stream, seen from outside of all other layers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from attrs import frozen

from swarm_core.contracts import Clock, Run, SpawnerLayer
from swarm_core.errors import TokenRevoked
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Call, Result

SWARM_API = 1


@frozen
class AuditLayer(SpawnerLayer):
    """Publish one event before the attempt and one after it, however it ends.

    `attempt_started` has the agent; `attempt_ended` also `ok` and the seconds that passed; `attempt_failed` the class
    of the error in place of `ok`. A cancelled attempt has failed with `CancelledError`.
    """

    _clock: Clock

    async def run(self, call: Call, inner: Run) -> Result:
        """Let the attempt through and write down its start and its end."""
        started = self._clock.monotonic()
        _publish(call, "attempt_started")
        try:
            result = await inner(call)
        except BaseException as error:
            _publish(call, "attempt_failed", error=type(error).__name__, elapsed=self._since(started))
            raise
        _publish(call, "attempt_ended", ok=result.ok, elapsed=self._since(started))
        return result

    def _since(self, started: float) -> float:
        return round(self._clock.monotonic() - started, 6)


def _publish(call: Call, kind: str, **facts: Any) -> None:
    # A worker that was given up may come back when its attempt has ended and nothing can be published any more: how it
    # came back must still reach the engine.
    with suppress(TokenRevoked):
        call.context.publish(kind, agent=call.agent, **facts)


def build(options: None, environment: Environment) -> AuditLayer:
    """Build the layer for a launch."""
    return AuditLayer(environment.clock)


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `audit`."""
    summary = "publishes start, end and failure of every attempt"
    return [LayerFactory("audit", Stage.OBSERVE, build, summary=summary)]
