"""The Blueprint's budget: whether it can be one, and whether the flow can keep to it."""

from __future__ import annotations

from collections.abc import Iterator

from swarm_core.flow.bound import dispatch_bound
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.budget import budget_problems
from swarm_core.model.problem import Problem, Severity

_PLACE = "$.budget"


def check_budget(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield what is wrong with the run's budget; the agents' stand among the hints, and are checked there."""
    if blueprint.budget is None:
        return
    found = list(budget_problems(blueprint.budget, _PLACE, "invalid_budget"))
    yield from found or _out_of_reach(blueprint)


def _out_of_reach(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a doubt when the flow, whatever its data, may need more dispatches than it is given.

    Of a bound that depends on data only the part counts that does not: nobody knows the rest.
    """
    allowed = blueprint.budget.dispatches if blueprint.budget else None
    if allowed is None:
        return
    bound = dispatch_bound(blueprint.flow)
    most = bound.terms.get((), 0)
    if most > allowed:
        yield Problem(
            code="budget_below_bound",
            message=f"the flow can make {bound}, and its budget ends the run after {allowed:,}",
            path=f"{_PLACE}.dispatches",
            severity=Severity.WARNING,
            hint="lower `max` of its loops, or raise the budget, if a run shall always come to its end",
        )
