"""What is declared and never used, or said twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from swarm_core.compile.lints.fixes import escaped
from swarm_core.compile.policies import bind_place, merged_hint
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem
from swarm_core.model.walk import steps


def agents_never_used(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for every agent that no step names."""
    named = {step.ref for _, step in steps(blueprint.flow)}
    for at, agent in enumerate(blueprint.agents):
        if agent.name not in named:
            yield Problem(
                code="agent_never_used",
                message=f"no step names agent {agent.name!r}",
                path=f"$.agents[{at}]",
                hint="remove it, unless a worker starts it as a task of its own",
                fix=_without_agent(blueprint, at),
            )


def operators_never_used(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for every seat that no agent names."""
    named = _in_specs(blueprint, "operator_ref")
    for at, operator in enumerate(blueprint.operators):
        if operator.name not in named:
            yield Problem(
                code="operator_never_used",
                message=f"no agent names operator {operator.name!r}",
                path=f"$.operators[{at}]",
                hint="remove it, or name it in the spec.operator_ref of an agent",
                fix=({"op": "remove", "path": f"/operators/{at}"},),
            )


def templates_never_used(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for every command that no agent names."""
    named = _in_specs(blueprint, "template")
    for at, template in enumerate(blueprint.subprocesses):
        if template.name not in named:
            yield Problem(
                code="template_never_used",
                message=f"no agent names the command {template.name!r}",
                path=f"$.subprocesses[{at}]",
                hint="remove it, or name it in the spec.template of an agent",
                fix=({"op": "remove", "path": f"/subprocesses/{at}"},),
            )


def agents_bound_twice(blueprint: Blueprint, bind: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for every agent that hints and launch bind to different kinds."""
    for name, kind in bind.items():
        hinted = merged_hint(blueprint.hints, name).bind
        if hinted is not None and hinted != kind and any(agent.name == name for agent in blueprint.agents):
            yield Problem(
                code="agent_bound_twice",
                message=f"agent {name!r} is bound to kind {hinted!r} here and to {kind!r} by the launch, which counts",
                path=bind_place(blueprint.hints, name),
                hint="drop the hint if the launch always says so",
            )


def description_missing(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem when the Blueprint does not say what it is for."""
    if not (blueprint.metadata.description or "").strip():
        yield Problem(
            code="description_missing",
            message="the Blueprint does not say what it is for",
            path="$.metadata",
            hint="write metadata.description",
        )


def _in_specs(blueprint: Blueprint, field: str) -> set[Any]:
    specs = [agent.spec for agent in blueprint.agents if isinstance(agent.spec, Mapping)]
    return {spec[field] for spec in specs if isinstance(spec.get(field), str)}


def _without_agent(blueprint: Blueprint, at: int) -> tuple[Mapping[str, Any], ...]:
    """Return what takes an agent out, and the hints that would then be for nobody."""
    name = blueprint.agents[at].name
    gone = {"op": "remove", "path": f"/agents/{at}"}
    if name not in blueprint.hints.per_agent or sum(agent.name == name for agent in blueprint.agents) > 1:
        return (gone,)
    return (gone, {"op": "remove", "path": f"/hints/per_agent/{escaped(name)}"})
