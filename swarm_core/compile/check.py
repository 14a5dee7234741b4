"""All that is wrong with a Blueprint here, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import frozen

from swarm_core.compile.agents import Agents, build_agents
from swarm_core.compile.budgets import check_budget
from swarm_core.compile.flow_refs import unknown_externs, unresolved_refs
from swarm_core.compile.layers import BuiltLayer, build_layers, resolve_layers
from swarm_core.compile.lints import lint, read_levels
from swarm_core.compile.lints.fixes import with_fix
from swarm_core.compile.policies import Policies, read_policies
from swarm_core.compile.wording import failure
from swarm_core.contracts import Spawner
from swarm_core.errors import did_you_mean
from swarm_core.factories import Catalog, Environment
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.walk import steps
from swarm_core.settings import STANDARD_SET

OPERATOR_KIND = "operator"
ALL, DENIED, NONE = "all", "denied", "none"
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
    partial: bool = False,
) -> list[Problem]:
    """Return every problem of a Blueprint; it can be compiled when none of them is an error.

    The order is that in which the original compiler looks, so the first error is the one that it would report: operator
    seats; then agent by agent the name, the kind and the spec; then the refs of the flow. Ours follow: bindings, hints,
    budget, layers, externs, the plugins' own checks, and the lints. Agents and layers are built to see whether they can
    be, then dropped. A `partial` Blueprint is what is left of a document with errors: there are neither lints nor fixes
    for it, because what is missing may be what they look for.
    """
    found = survey(
        blueprint,
        catalog,
        environment,
        bind=bind,
        default=default,
        layer_set=layer_set,
        lints=NONE if partial else ALL,
    )
    return list(found.problems) if partial else [with_fix(problem, blueprint) for problem in found.problems]


def survey(
    blueprint: Blueprint,
    catalog: Catalog,
    environment: Environment,
    *,
    bind: Mapping[str, str] | None = None,
    default: Spawner | None = None,
    layer_set: str = STANDARD_SET,
    lints: str = DENIED,
) -> Survey:
    """Check a Blueprint as `check` does, and keep what was built.

    `lints` says which ones are looked for: ALL, NONE, or those that are DENIED; a launch does not wait for advice.
    """
    bind = bind or {}
    agents = build_agents(blueprint, catalog, environment, bind)
    declared = dict.fromkeys(agent.name for agent in blueprint.agents)
    policies = read_policies(blueprint.hints, declared | dict.fromkeys(step.ref for _, step in steps(blueprint.flow)))
    selection = resolve_layers(blueprint, catalog, environment.settings, layer_set)
    layers, layer_problems = build_layers(selection, catalog, environment)
    found = (
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
    advice = () if lints == NONE else _lints(blueprint, environment, bind, found, denied_only=lints == DENIED)
    return Survey(problems=(*found, *advice), agents=agents, policies=policies, layers=layers)


def _lints(
    blueprint: Blueprint,
    environment: Environment,
    bind: Mapping[str, str],
    found: Iterable[Problem],
    *,
    denied_only: bool,
) -> Iterator[Problem]:
    levels = read_levels(blueprint, environment.settings)
    sound = not any(problem.severity is Severity.ERROR or problem.code == "unresolved_ref" for problem in found)
    yield from levels.problems
    yield from lint(blueprint, levels, bind=bind, sound=sound, denied_only=denied_only)


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
