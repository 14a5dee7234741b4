"""What a flow refers to: agents in its steps, functions in its expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from swarm_core.errors import did_you_mean
from swarm_core.factories import Function
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import CallExtern, Node
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.walk import expressions, steps, walk


def unresolved_refs(blueprint: Blueprint, dropped: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for every step that names no agent, or one that was `dropped` as nobody provides its kind."""
    declared = {agent.name for agent in blueprint.agents}
    strategy = blueprint.strategy
    severity = Severity.ERROR if strategy.strict_refs else Severity.WARNING
    for path, step in steps(blueprint.flow, "$.flow"):
        ref = step.ref
        if ref not in declared:
            message, hint = f"no agent is named {ref!r}", did_you_mean(ref, declared, otherwise="agents")
        elif ref in dropped and not strategy.strict_kind:
            message, hint = f"agent {ref!r} cannot run: no installed plugin provides kind {dropped[ref]!r}", None
        else:
            continue
        yield Problem(code="unresolved_ref", message=message, path=f"{path}.ref", severity=severity, hint=hint)


def unknown_externs(flow: Node, functions: Mapping[str, Function]) -> Iterator[Problem]:
    """Yield a warning for every `call_extern` of what is no registered pure function."""
    pure = {name for name, function in functions.items() if function.pure}
    for path, node in walk(flow, "$.flow"):
        for place, expression in expressions(node, path):
            if isinstance(expression, CallExtern) and expression.ref not in pure:
                yield _unknown_extern(expression.ref, place, pure, registered=expression.ref in functions)


def _unknown_extern(ref: str, place: str, pure: Collection[str], *, registered: bool) -> Problem:
    if registered:
        message, hint = f"function {ref!r} is not registered as pure", "mark it with @function(pure=True)"
    else:
        message, hint = f"no function is named {ref!r}", did_you_mean(ref, pure, otherwise="pure functions")
    return Problem(code="unknown_extern", message=message, path=f"{place}.ref", severity=Severity.WARNING, hint=hint)
