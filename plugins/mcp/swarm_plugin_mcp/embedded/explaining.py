"""What is wrong with a Blueprint, and what it resolves to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swarm_core.codec import unstructure
from swarm_core.errors import DocumentError
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.embedded.reading import document_of

if TYPE_CHECKING:
    from swarm_core.model.policy import AgentPolicy
    from swarm_core.serving import LiveSwarm


async def problems(swarm: LiveSwarm, source: Any, bind: Mapping[str, str], layers: str) -> list[Json]:
    """Return every problem; what cannot be read at all is told in the same way."""
    try:
        document = await document_of(swarm, source, lenient=True)
        found = swarm.check(document, bind=bind, layer_set=layers)
    except DocumentError as error:
        found = list(error.problems)
    return [problem.as_json() for problem in found]


async def facts(swarm: LiveSwarm, source: Any, bind: Mapping[str, str], layers: str) -> Json:
    """Return what `swarm explain --json` prints; raises DocumentError, InvalidBlueprint."""
    prepared = swarm.prepare(await document_of(swarm, source), bind=bind, layer_set=layers)
    return {
        "blueprint": prepared.blueprint.id,
        "agents": [
            {
                "agent": agent.agent,
                "asked": agent.asked,
                "kind": agent.kind,
                "provider": agent.provider,
                **_policy(agent.policy),
            }
            for agent in prepared.agents
        ],
        "layers": [
            {
                "key": layer.key,
                "stage": layer.stage.name,
                "provider": layer.provider,
                "why": layer.why,
                "options": dict(layer.options),
            }
            for layer in prepared.chain
        ],
        "bound": str(prepared.bound),
        "budget": unstructure(prepared.blueprint.budget),
        "problems": [problem.as_json() for problem in prepared.problems],
    }


def _policy(policy: AgentPolicy) -> Json:
    retry = policy.retry
    return {
        "timeout": policy.timeout,
        "max_attempts": retry.max_attempts if retry else 1,
        "retry_on": sorted(retry.on) if retry else [],
        "concurrency": policy.concurrency,
        "budget": unstructure(policy.budget),
    }
