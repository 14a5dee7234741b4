"""A Blueprint's agents as one callable that finds the worker of each attempt."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from swarm_core.compile.check import Survey, survey
from swarm_core.compile.layers import BuiltLayer
from swarm_core.contracts import Run, Spawner
from swarm_core.errors import InvalidBlueprint, NotRegistered, WorkerFailed
from swarm_core.factories import Catalog, Environment
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.call import Call, Result
from swarm_core.model.policy import AgentPolicy
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import STANDARD_SET


@frozen(kw_only=True)
class ResolvedAgent:
    """One agent as `explain` shows it: the kind that was asked for, the kind it runs on and who provides that."""

    agent: str
    asked: str
    kind: str
    provider: str | None
    policy: AgentPolicy


@frozen(kw_only=True, eq=False, repr=False)
class Routes:
    """A compiled Blueprint.

    `route` carries out an attempt on its agent's worker and records the result. `policies` has every agent, and every
    name that a step uses. `problems` are the warnings and notes. `layers` are those that were built while checking.
    `parks` are the agents whose workers have nothing in memory while they wait for an answer.
    """

    route: Run
    policies: Mapping[str, AgentPolicy]
    resolved: tuple[ResolvedAgent, ...]
    problems: tuple[Problem, ...] = ()
    layers: tuple[BuiltLayer, ...] = ()
    parks: frozenset[str] = frozenset()


def compile_blueprint(
    blueprint: Blueprint,
    catalog: Catalog,
    environment: Environment,
    *,
    bind: Mapping[str, str] | None = None,
    default: Spawner | None = None,
    layer_set: str = STANDARD_SET,
) -> Routes:
    """Build every agent's worker and return the way to them.

    `bind` says on which kind an agent runs for this launch, whatever the Blueprint says. `default` takes the steps that
    name no agent. `layer_set` is the set whose layers are checked with the Blueprint's own.
    Raises: InvalidBlueprint, with all problems that are errors.
    """
    found = survey(blueprint, catalog, environment, bind=bind, default=default, layer_set=layer_set)
    errors = [problem for problem in found.problems if problem.severity is Severity.ERROR]
    if errors:
        raise InvalidBlueprint(errors)
    spawners = {name: agent.spawner for name, agent in found.agents.built.items()}
    return Routes(
        route=router(spawners, default),
        policies=found.policies.of,
        resolved=_resolved(found, catalog),
        problems=found.problems,
        layers=found.layers,
        parks=frozenset(name for name, spawner in spawners.items() if spawner.parks),
    )


def router(spawners: Mapping[str, Spawner], default: Spawner | None = None) -> Run:
    """Return the callable that finds an attempt's spawner by its agent, runs it, and records the result as the latest.

    Raises, when called: NotRegistered; WorkerFailed, when the worker returns nothing that is a result.
    """
    find = spawners.get

    async def route(call: Call) -> Result:
        spawner = find(call.agent, default)
        if spawner is None:
            raise NotRegistered(call.agent, spawners)
        result = await spawner.run(call)
        context = call.context
        if result is None:
            result = context.latest
            if result is None:
                raise WorkerFailed("no Final in output_tail", kind="no_final")
        if not isinstance(result, Result):
            raise _no_result(call.agent, result)
        if result is not context.latest:
            context.record_final(result)
        return result

    return route


def _no_result(agent: str, result: object) -> WorkerFailed:
    message = f"the worker of agent {agent!r} returned {type(result).__name__}, not a Result"
    return WorkerFailed(message, kind="invalid_result")


def _resolved(found: Survey, catalog: Catalog) -> tuple[ResolvedAgent, ...]:
    return tuple(
        ResolvedAgent(
            agent=agent.name,
            asked=agent.asked,
            kind=agent.factory.kind,
            provider=catalog.provider.get(("spawner", agent.factory.kind)),
            policy=found.policies.of[agent.name],
        )
        for agent in found.agents.built.values()
    )
