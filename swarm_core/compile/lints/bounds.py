"""How many dispatches a flow can make when no budget bounds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from swarm_core.flow.bound import Bound, dispatch_bound
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

HIGH = 10_000
"""Dispatches above which a flow should have a budget."""


def unbounded_dispatches(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem when a flow without a budget of dispatches or attempts can make many, or any number."""
    budget = blueprint.budget
    if budget is not None and (budget.dispatches is not None or budget.attempts is not None):
        return
    bound = dispatch_bound(blueprint.flow)
    if bound.terms.get((), 0) > HIGH:
        yield _problem("dispatch_bound_high", bound, "lower `max` of its loops, or set budget.dispatches")
    if bound.total is None:
        yield _problem("dispatch_bound_open", bound, "set budget.dispatches", _fix(blueprint))


def _problem(code: str, bound: Bound, hint: str, fix: tuple[Mapping[str, Any], ...] | None = None) -> Problem:
    message = f"the flow can make {bound}, and no budget bounds them"
    return Problem(code=code, message=message, path="$.flow", hint=hint, fix=fix)


def _fix(blueprint: Blueprint) -> tuple[Mapping[str, Any], ...]:
    if blueprint.budget is None:
        return ({"op": "add", "path": "/budget", "value": {"dispatches": HIGH}},)
    return ({"op": "add", "path": "/budget/dispatches", "value": HIGH},)
