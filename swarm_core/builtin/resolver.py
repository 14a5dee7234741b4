"""The `resolver` layer: a step names a role, a resolver says which agent fills it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from swarm_core.contracts import AgentResolver, Run, SpawnerLayer
from swarm_core.errors import RejectedByMiddleware, did_you_mean
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.call import Call, Result
from swarm_core.model.path import place
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.walk import steps

KEY = "resolver"


@frozen(kw_only=True)
class ResolverOptions:
    """Who decides, one of three.

    `use` is a resolver that a plugin registered, `function` a function by name, which gets the agent's name (and the
    Call, when it takes two) and returns a name, `map` says it outright.
    """

    use: str | None = None
    function: str | None = None
    map: Mapping[str, str] | None = None


class FnResolver(AgentResolver):
    """Asks a function."""

    def __init__(self, function: Callable[[str, Call], str]) -> None:
        self._function = function

    def resolve(self, agent: str, call: Call) -> str:
        """Return what the function says."""
        return self._function(agent, call)


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
    """Build the layer.

    Raises: ValueError, unless exactly one decides, and when that one is not there or names agents that are not there.
    """
    given = {name: getattr(options, name) for name in _BUILDERS if getattr(options, name) is not None}
    if len(given) != 1:
        raise ValueError(f"give one of 'use', 'function' and 'map', not {' and '.join(map(repr, given)) or 'none'}")
    ((name, value),) = given.items()
    label = value if isinstance(value, str) else name
    return ResolverLayer(label, _BUILDERS[name](value, environment))


def unused_mappings(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield the names that the Blueprint's own resolver maps and that nothing in it has."""
    known = _names(blueprint)
    for at, use in enumerate(blueprint.spawner_hints.layers):
        mapping = use.options.get("map") if use.key == KEY and isinstance(use.options, Mapping) else None
        for name in mapping if isinstance(mapping, Mapping) else ():
            if name not in known:
                yield Problem(
                    code="unused_mapping",
                    message=f"the resolver maps {name!r}, and neither a step nor an agent has that name",
                    path=place(f"$.spawner_hints.layers[{at}].{KEY}.map", name),
                    severity=Severity.WARNING,
                    hint=did_you_mean(name, known, otherwise="names"),
                )


RESOLVER_LAYER = LayerFactory(
    KEY,
    Stage.ROUTE,
    build_resolver,
    options=ResolverOptions,
    summary="runs each step as the agent a resolver names",
)


def _registered(name: str, environment: Environment) -> AgentResolver:
    factory = environment.resolvers.get(name)
    if factory is None:
        hint = did_you_mean(name, environment.resolvers, otherwise="installed")
        raise ValueError(f"no resolver is named {name!r}; {hint}")
    return factory.build(environment)


def _function(name: str, environment: Environment) -> AgentResolver:
    known = environment.functions.get(name)
    if known is None:
        raise ValueError(f"no function is named {name!r}; {did_you_mean(name, environment.functions)}")
    call: Callable[..., Any] = known.call
    if inspect.iscoroutinefunction(call):
        raise ValueError(f"function {name!r} is async, and a resolver has to answer at once")
    try:
        parameters = inspect.signature(call).parameters.values()
    except ValueError:  # a builtin that does not say what it takes
        parameters = ()  # type: ignore[assignment]
    takes_call = len([each for each in parameters if each.default is each.empty or each.name == "call"]) > 1
    return FnResolver(call if takes_call else lambda agent, _: call(agent))


def _mapping(mapping: Mapping[str, str], environment: Environment) -> AgentResolver:
    agents = [agent.name for agent in environment.blueprint.agents]
    known = _names(environment.blueprint)
    wrong = [
        f"map.{name}: no agent is named {target!r}; {did_you_mean(target, agents, otherwise='agents')}"
        for name, target in mapping.items()
        if name in known and target not in agents
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return FnResolver(lambda agent, _: mapping.get(agent, agent))


def _names(blueprint: Blueprint) -> Iterable[str]:
    return {*(agent.name for agent in blueprint.agents), *(step.ref for _, step in steps(blueprint.flow))}


_BUILDERS: Mapping[str, Callable[[Any, Environment], AgentResolver]] = {
    "use": _registered,
    "function": _function,
    "map": _mapping,
}
