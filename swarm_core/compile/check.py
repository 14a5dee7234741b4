"""All that is wrong with a Blueprint here, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import frozen

from swarm_core.compile.agents import Agents, build_agents
from swarm_core.compile.budgets import check_budget
from swarm_core.compile.flow_refs import unknown_externs, unresolved_refs
from swarm_core.compile.layers import BuiltLayer, build_layers, resolve_layers
from swarm_core.compile.policies import Policies, read_policies
from swarm_core.compile.wording import failure
from swarm_core.contracts import Spawner
from swarm_core.errors import did_you_mean
from swarm_core.factories import Catalog, Environment
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem
from swarm_core.model.walk import steps
from swarm_core.settings import STANDARD_SET

OPERATOR_KIND = "operator"
MOST_PROBLEMS = 1000  # of one plugin's check, so that an endless one ends


@frozen(kw_only=True, eq=False, repr=False)
class Survey:
    """What checking a Blueprint found: its problems, and what was built on the way."""

    problems: tuple[Problem, ...]
    agents: Agents
    policies: Policies
    layers: tuple[BuiltLayer, ...]


def check(
    blueprint: Blueprint,
    catalog: Catalog,
    environment: Environment,
    *,
    bind: Mapping[str, str] | None = None,
    default: Spawner | None = None,
    layer_set: str = STANDARD_SET,
) -> list[Problem]:
    """Return every problem of a Blueprint; it can be compiled when none of them is an error.

    The order is that in which the original compiler looks, so the first error is the one that it would report: operator
    seats; then agent by agent the name, the kind and the spec; then the refs of the flow. Ours follow: bindings, hints,
    budget, layers, externs, and the plugins' own checks. Agents and layers are built to see whether they can be, then
    dropped.
    """
    return list(survey(blueprint, catalog, environment, bind=bind, default=default, layer_set=layer_set).problems)


def survey(
    blueprint: Blueprint,
    catalog: Catalog,
    environment: Environment,
    *,
    bind: Mapping[str, str] | None = None,
    default: Spawner | None = None,
    layer_set: str = STANDARD_SET,
) -> Survey:
    """Check a Blueprint as `check` does, and keep what was built."""
    bind = bind or {}
    agents = build_agents(blueprint, catalog, environment, bind)
    declared = dict.fromkeys(agent.name for agent in blueprint.agents)
    policies = read_policies(blueprint.hints, declared | dict.fromkeys(step.ref for _, step in steps(blueprint.flow)))
    selection = resolve_layers(blueprint, catalog, environment.settings, layer_set)
    layers, layer_problems = build_layers(selection, catalog, environment)
    problems = (
        *_unresolved_operators(blueprint),
        *agents.problems,
        *(() if default is not None else unresolved_refs(blueprint, agents.dropped)),
        *_unknown_bindings(bind, declared),
        *policies.problems,
        *check_budget(blueprint),
        *selection.problems,
        *layer_problems,
        *unknown_externs(blueprint.flow, environment.functions),
        *_plugin_problems(blueprint, catalog),
    )
    return Survey(problems=problems, agents=agents, policies=policies, layers=layers)


def _unresolved_operators(blueprint: Blueprint) -> Iterator[Problem]:
    defined = [operator.name for operator in blueprint.operators]
    for at, agent in enumerate(blueprint.agents):
        ref = agent.spec.get("operator_ref") if isinstance(agent.spec, Mapping) else None
        if agent.kind == OPERATOR_KIND and isinstance(ref, str) and ref not in defined:
            yield Problem(
                code="unresolved_operator_ref",
                message=f"agent {agent.name!r} refers to operator {ref!r}, and operators[] has none of that name",
                path=f"$.agents[{at}].spec.operator_ref",
                hint=f"{_nearest(ref, defined)}defined: {', '.join(defined) or 'none'}",
            )


def _nearest(word: str, known: Iterable[str]) -> str:
    hint = did_you_mean(word, known, otherwise="")
    return f"{hint} " if hint.startswith("did") else ""


def _unknown_bindings(bind: Mapping[str, str], declared: Mapping[str, None]) -> Iterator[Problem]:
    for name, kind in bind.items():
        if name not in declared:
            yield Problem(
                code="unknown_bind_agent",
                message=f"the launch binds {name!r} to kind {kind!r}, and no agent has that name",
                path="$.agents",
                hint=did_you_mean(name, declared, otherwise="agents"),
            )


def _plugin_problems(blueprint: Blueprint, catalog: Catalog) -> Iterator[Problem]:
    for ask in catalog.checks:
        yield from _answer(ask, blueprint)


def _answer(ask: Callable[[Blueprint], Iterable[Problem]], blueprint: Blueprint) -> list[Problem]:
    found: list[Problem] = []
    try:
        for problem in ask(blueprint) or ():
            if not isinstance(problem, Problem):
                raise TypeError(f"swarm_check_blueprint gave {type(problem).__name__}, not Problem")
            if len(found) == MOST_PROBLEMS:
                raise ValueError(f"swarm_check_blueprint gave more than {MOST_PROBLEMS} problems")
            found.append(problem)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        found.append(_check_failed(ask, error))
    return found


def _check_failed(ask: Callable[..., object], error: BaseException) -> Problem:
    owner = getattr(ask, "__module__", None) or type(ask).__module__
    return Problem(
        code="plugin_check_failed",
        message=f"a check of {owner!r} failed, so its opinion is missing: {failure(error)}",
        hint=f"this is a fault in {owner!r}; switch the plugin off, or fix it",
    )
