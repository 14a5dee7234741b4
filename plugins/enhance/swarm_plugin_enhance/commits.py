"""What the orbit decided, as its ctx has it under `$.commit`, checked before anything is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.codec import structure, structure_blueprint
from swarm_core.errors import DocumentError, SwarmError
from swarm_core.model.enhance import AxisVerdict, EnhanceSetting, VerdictStatus
from swarm_core.versions import canonical_text, version_of
from swarm_plugin_enhance.steps import APPROVAL


class CommitShape(SwarmError):
    """What the orbit left under `$.commit` is no decision, or one that must not be followed."""

    code = "commit_shape"

    def __init__(self, message: str) -> None:
        super().__init__(f"commit shape: {message}", hint="look at the orbit's run: swarm show RUN")


@frozen(kw_only=True)
class VerdictSaid:
    """One verdict as the orbit tells it: `evidence` of a pass, `reason` of a deny."""

    axis: str
    status: VerdictStatus
    evidence: Any = None
    reason: Any = None


@frozen(kw_only=True)
class CommitSaid:
    """The decision as the orbit tells it; `new_bp_json` is the new Blueprint, as a value or as JSON text."""

    committed: bool
    rationale: str = ""
    verdicts_summary: tuple[VerdictSaid, ...] = ()
    new_version: str | None = None
    bump: str | None = None
    new_bp_json: Any = None
    reasons: tuple[str, ...] = ()


@frozen(kw_only=True, eq=False)
class Decision:
    """What is to be done: `text` is the new Blueprint as canonical JSON, None when the change was denied."""

    rationale: str
    verdicts: tuple[AxisVerdict, ...]
    reasons: tuple[str, ...] = ()
    text: str | None = field(default=None, repr=False)


def read_decision(ctx: Any, setting: EnhanceSetting, target: str) -> Decision:
    """Return the decision in an orbit's last ctx.

    One to keep the change must have a hash that is the document's, the target's id, and a pass on every axis of the
    setting. Raises: CommitShape.
    """
    said = _said(ctx)
    verdicts = tuple(_verdict(each) for each in said.verdicts_summary)
    if not said.committed:
        if not said.reasons:
            raise CommitShape("it is not committed, and there are no reasons")
        return Decision(rationale=said.rationale, verdicts=verdicts, reasons=said.reasons)
    _require_passes(verdicts, setting)
    return Decision(rationale=said.rationale, verdicts=verdicts, text=_text(said, target))


def verdicts_in(ctx: Any) -> tuple[AxisVerdict, ...]:
    """Return the verdicts in an orbit's last ctx; raises CommitShape."""
    return tuple(_verdict(each) for each in _said(ctx).verdicts_summary)


def _said(ctx: Any) -> CommitSaid:
    commit = ctx.get("commit") if isinstance(ctx, Mapping) else None
    if not isinstance(commit, Mapping):
        raise CommitShape("there is none in $.commit")
    try:
        return structure(dict(commit), CommitSaid, path="$.commit")
    except DocumentError as error:
        raise CommitShape("; ".join(str(problem) for problem in error.problems[:3])) from None


def _verdict(said: VerdictSaid) -> AxisVerdict:
    detail = said.evidence if said.status is VerdictStatus.PASS else said.reason
    return AxisVerdict(axis=said.axis, status=said.status, detail=detail)


def _require_passes(verdicts: tuple[AxisVerdict, ...], setting: EnhanceSetting) -> None:
    passed = {verdict.axis for verdict in verdicts if verdict.status is VerdictStatus.PASS}
    wanted = {*setting.verifier_axes, *((APPROVAL,) if setting.approval else ())}
    if missing := sorted(wanted - passed):
        raise CommitShape(f"it is committed without a pass on {', '.join(missing)}")
    if any(verdict.status is VerdictStatus.DENY for verdict in verdicts):
        raise CommitShape("it is committed although an axis denied it")


def _text(said: CommitSaid, target: str) -> str:
    value = said.new_bp_json
    try:
        blueprint = structure_blueprint(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError, DocumentError) as error:
        raise CommitShape(f"new_bp_json is no Blueprint: {error}"[:1000]) from None
    if blueprint.id != target:
        raise CommitShape(f"new_bp_json is Blueprint {blueprint.id!r}, and the issue is for {target!r}")
    text = canonical_text(blueprint)
    if version_of(text) != said.new_version:
        raise CommitShape(f"new_bp_json has the hash {version_of(text)[:12]}, and {said.new_version!r} was said")
    return text
