"""The `resolver` layer: a step names a role, a resolver says which agent fills it."""

from __future__ import annotations

from attrs import evolve, frozen

from swarm_core.contracts import AgentResolver, Run, SpawnerLayer
from swarm_core.errors import RejectedByMiddleware, did_you_mean
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.call import Call, Result


@frozen(kw_only=True)
class ResolverOptions:
    """Which resolver decides: the name under which a plugin registered it."""

    use: str


class ResolverLayer(SpawnerLayer):
    """Passes each attempt on to the agent that the resolver names."""

    def __init__(self, name: str, resolver: AgentResolver) -> None:
        self._name, self._resolver = name, resolver

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt as the resolved agent."""
        agent = self._resolver.resolve(call.agent, call)
        if not isinstance(agent, str):
            raise RejectedByMiddleware(
                f"resolver {self._name!r} named no agent for {call.agent!r}: it returned {agent!r}"
            )
        return await inner(call if agent == call.agent else evolve(call, agent=agent))


def build_resolver(options: ResolverOptions, environment: Environment) -> SpawnerLayer:
    """Build the layer; raises ValueError, when no plugin provides the resolver."""
    factory = environment.resolvers.get(options.use)
    if factory is None:
        hint = did_you_mean(options.use, environment.resolvers, otherwise="installed")
        raise ValueError(f"no resolver is named {options.use!r}; {hint}")
    return ResolverLayer(options.use, factory.build(environment))


RESOLVER_LAYER = LayerFactory(
    "resolver",
    Stage.ROUTE,
    build_resolver,
    options=ResolverOptions,
    summary="runs each step as the agent a resolver names",
)
