"""The start and the end of every attempt on the run's event stream, seen from outside of all other layers."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import Any

from attrs import frozen

from swarm_core.contracts import Clock, Run, SpawnerLayer
from swarm_core.errors import TokenRevoked
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.call import Call, Result


@frozen(kw_only=True)
class AuditOptions:
    """What is written down; with `values` also fingerprints of each attempt's input and result."""

    values: bool = False


@frozen
class AuditLayer(SpawnerLayer):
    """Publish one event before the attempt and one after it, however it ends.

    `attempt_started` has the agent; `attempt_ended` also `ok` and the seconds that passed; `attempt_failed` the class
    of the error in place of `ok`. A cancelled attempt has failed with `CancelledError`.
    """

    _clock: Clock
    _values: bool = False

    async def run(self, call: Call, inner: Run) -> Result:
        """Let the attempt through and write down its start and its end."""
        started = self._clock.monotonic()
        _publish(call, "attempt_started", **self._fingerprint("input_sha256", call.input))
        try:
            result = await inner(call)
        except BaseException as error:
            _publish(call, "attempt_failed", error=type(error).__name__, elapsed=self._since(started))
            raise
        facts = self._fingerprint("result_sha256", result.value)
        _publish(call, "attempt_ended", ok=result.ok, elapsed=self._since(started), **facts)
        return result

    def _since(self, started: float) -> float:
        return round(self._clock.monotonic() - started, 6)

    def _fingerprint(self, name: str, value: Any) -> dict[str, str]:
        return {name: fingerprint(value)} if self._values else {}


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of a JSON value as 64 hex digits: of its text in UTF-8, keys sorted, without blanks."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _publish(call: Call, kind: str, **facts: Any) -> None:
    # A worker that was given up may come back when its attempt has ended and nothing can be published any more: how it
    # came back must still reach the engine, which notes it as late_result_ignored.
    with suppress(TokenRevoked):
        call.context.publish(kind, agent=call.agent, **facts)


def build(options: AuditOptions, environment: Environment) -> AuditLayer:
    """Build the layer for a launch."""
    return AuditLayer(environment.clock, options.values)


AUDIT_LAYER = LayerFactory(
    "audit", Stage.OBSERVE, build, AuditOptions, summary="publishes start, end and failure of every attempt"
)
