"""The kind `verifier`: an agent that judges a changed Blueprint on the axis that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swarm_core.contracts import Spawner
from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Call, Result

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm


class Judging:
    """The swarm whose plugins judge: what the kind finds among the services."""

    def __init__(self, swarm: LiveSwarm) -> None:
        self.swarm = swarm


class VerifierSpawner(Spawner):
    """Judges one axis per attempt: `$.axis` of its input, which is the whole ctx of the orbit."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def run(self, call: Call) -> Result:
        """Return `{axis, status, evidence}` or `{axis, status, reason}`; what cannot be judged is denied."""
        axis = call.input.get("axis") if isinstance(call.input, Mapping) else None
        if not isinstance(axis, str):
            raise WorkerFailed("a verifier is given the axis in $.axis", hint="bind the items of a fan-out to $.axis")
        from swarm_plugin_enhance.judging import judge

        judging = self._environment.services.get(Judging)
        if judging is None:
            raise WorkerFailed("no swarm is open for verifiers", hint="run the flow in an open swarm")
        return Result(await judge(judging.swarm, axis, call.input))


def build(agent: AgentDef, spec: Any, hint: AgentHint, environment: Environment) -> Spawner:
    """Build the spawner of an agent; raises ValueError, when it has a spec."""
    if spec:
        raise ValueError("a verifier takes no spec: the axis comes in $.axis")
    return VerifierSpawner(environment)


VERIFIER_KIND = SpawnerFactory(
    kind="verifier", build=build, summary="judges a changed Blueprint on the axis that it is given"
)
