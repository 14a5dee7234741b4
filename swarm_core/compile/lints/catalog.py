"""The lints that there are: what each one looks for, and how it is told where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from swarm_core.model.problem import Severity
from swarm_core.model.shown import shown

SEVERITIES: Mapping[str, Severity | None] = {
    "allow": None,
    "note": Severity.NOTE,
    "warn": Severity.WARNING,
    "deny": Severity.ERROR,
}
"""How a lint of a level is told; `note` is a default only, the other three can be asked for."""


@frozen(kw_only=True, eq=False)
class Lint:
    """One lint: `level` is its default, one of SEVERITIES; `fixable` tells whether `swarm check --fix` can mend it."""

    __repr__ = shown

    code: str
    level: str
    summary: str
    advice: str
    fixable: bool = False

    @property
    def anchor(self) -> str:
        """Return where the reference tells more."""
        return f"docs/reference/lints.md#{self.code}"


_ALL = (
    Lint(
        code="verdict_value_not_in_contract",
        level="deny",
        summary="a condition compares an agent's verdict with a value that the agent's contract does not have",
        advice="write one of the contract's values, or add the value to agents[].verdict.values",
        fixable=True,
    ),
    Lint(
        code="verdict_value_unhandled",
        level="warn",
        summary="conditions look for some values of an agent's verdict, and two or more of the others go the same way",
        advice="compare with the values that are left, or take them out of the contract",
    ),
    Lint(
        code="verdict_never_read",
        level="note",
        summary="an agent has a verdict contract, and nothing in the flow reads its verdict",
        advice="branch on the verdict, or drop the contract",
    ),
    Lint(
        code="unreachable_step",
        level="warn",
        summary="no data can lead to a step",
        advice="mend the condition, or remove the step",
    ),
    Lint(
        code="output_never_read",
        level="warn",
        summary="what a step wrote is always overwritten before anything reads it",
        advice="write one of the two somewhere else, or read the first before the second",
    ),
    Lint(
        code="loop_condition_fixed",
        level="warn",
        summary="nothing in a loop changes what its condition looks at",
        advice="let the condition look at what the body writes, or compare with the counter",
    ),
    Lint(
        code="lane_write_lost",
        level="warn",
        summary="a step after a fan-out reads a path that only the fan-out's lanes write",
        advice="read it from the value that the join writes at the fan-out's `out`",
    ),
    Lint(
        code="dispatch_bound_high",
        level="warn",
        summary="the flow can make more than 10,000 dispatches, and no budget bounds them",
        advice="lower `max` of its loops, or set budget.dispatches",
    ),
    Lint(
        code="dispatch_bound_open",
        level="allow",
        summary="how many dispatches the flow makes depends on data, and no budget bounds them",
        advice="set budget.dispatches",
        fixable=True,
    ),
    Lint(
        code="agent_never_used",
        level="note",
        summary="no step names an agent",
        advice="remove it, unless a worker starts it as a task of its own",
        fixable=True,
    ),
    Lint(
        code="operator_never_used",
        level="note",
        summary="no agent names an operator's seat",
        advice="remove it, or name it in the spec.operator_ref of an agent",
        fixable=True,
    ),
    Lint(
        code="template_never_used",
        level="note",
        summary="no agent names a command of subprocesses[]",
        advice="remove it, or name it in the spec.template of an agent",
        fixable=True,
    ),
    Lint(
        code="agent_bound_twice",
        level="note",
        summary="hints bind an agent to one kind and the launch binds it to another",
        advice="the launch counts; drop the hint if that is what is meant",
    ),
    Lint(
        code="description_missing",
        level="allow",
        summary="the Blueprint does not say what it is for",
        advice="write metadata.description",
    ),
)

LINTS: Mapping[str, Lint] = {lint.code: lint for lint in _ALL}
