"""The kind `llm` as a Blueprint names it; what carries it out is loaded with the first agent of the kind."""

from __future__ import annotations

from swarm_core.contracts import Spawner
from swarm_core.factories import Environment, SpawnerFactory
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_plugin_llm.spec import LlmSpec


def _build(agent: AgentDef, spec: LlmSpec, hint: AgentHint, environment: Environment) -> Spawner:
    from swarm_plugin_llm.spawner import build_llm

    return build_llm(agent, spec, hint, environment)


LLM_KIND = SpawnerFactory(
    kind="llm",
    build=_build,
    spec=LlmSpec,
    aliases=("agent_block",),
    summary="a language model with tools, at any endpoint that speaks OpenAI's chat dialect",
)
