"""Steps that no data can lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from swarm_core.compile.lints.paths import below, operands
from swarm_core.errors import FlowError
from swarm_core.flow.expr import compile_expr
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import Branch, CallExtern, Expr, Fanout, Lit, Logic, Loop, Node, Not, Path, Seq, Step, Try
from swarm_core.model.problem import Problem
from swarm_core.model.walk import steps

_EITHER = frozenset({True, False})


def unreachable_steps(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield one problem for each part of the flow that is never reached and has steps in it."""
    waiting: list[tuple[str, Node]] = [("$.flow", blueprint.flow)]
    while waiting:
        path, node = waiting.pop()
        why = _closed(node)
        for field, child in reversed(below(node)):
            if field not in why:
                waiting.append((f"{path}.{field}", child))
            elif lost := list(steps(child, f"{path}.{field}")):
                yield _problem(lost, why[field])


def _problem(lost: list[tuple[str, Step]], why: str) -> Problem:
    path, step = lost[0]
    rest = f", nor are the {len(lost) - 1} after it" if len(lost) > 2 else ", nor is the one after it" * (len(lost) - 1)
    return Problem(
        code="unreachable_step",
        message=f"the step of {step.ref!r} is never reached{rest}: {why}",
        path=path,
        hint="mend the condition, or remove what is never reached",
    )


def _closed(node: Node) -> dict[str, str]:
    """Return the parts of a node that are never entered, each with the reason."""
    match node:
        case Branch():
            truth = outcomes(node.cond)
            parts = {True: ("then", "false"), False: ("else", "true")}
            return {
                part: f"the condition of its branch is always {word}"
                for value, (part, word) in parts.items()
                if value not in truth
            }
        case Loop() if node.max == 0:
            return {"body": "its loop has max 0"}
        case Loop() if True not in outcomes(node.cond):
            return {"body": "the condition of its loop is always false"}
        case Fanout() if isinstance(node.items, Lit) and node.items.value == []:
            return {"body": "its fan-out has no items"}
        case Try() if _is_empty(node.body):
            return {"catch": "there is nothing in the try that could fail"}
        case _:
            return {}


def outcomes(cond: Expr) -> frozenset[bool]:
    """Return what a condition may count as: true, false, or both where the document does not say."""
    if isinstance(cond, Not):
        return frozenset(not value for value in outcomes(cond.arg))
    if isinstance(cond, Logic):
        return _of_logic([outcomes(arg) for arg in cond.args], decisive=cond.op == "or")
    if not _is_constant(cond):
        return _EITHER
    try:
        value: Any = compile_expr(cond)(None)  # type: ignore[arg-type]  # what is constant reads no lane
    except FlowError:
        return _EITHER
    return frozenset({value is not None and value is not False})


def _of_logic(args: list[frozenset[bool]], *, decisive: bool) -> frozenset[bool]:
    if {decisive} in args:
        return frozenset({decisive})
    if all(arg == {not decisive} for arg in args):
        return frozenset({not decisive})
    return _EITHER


def _is_constant(expr: Expr) -> bool:
    waiting = [expr]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Path | CallExtern):
            return False
        waiting.extend(operands(one))
    return True


def _is_empty(node: Node) -> bool:
    """Tell whether a node is nothing but empty sequences."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, Seq):
            return False
        waiting.extend(one.children)
    return True
