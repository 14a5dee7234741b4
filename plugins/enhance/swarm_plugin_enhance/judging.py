"""Judging one axis: the verifier is found and asked, and what goes wrong with it denies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.errors import did_you_mean
from swarm_core.model.enhance import AxisVerdict, IssuePayload
from swarm_core.serving import LiveSwarm
from swarm_core.verifiers import Change, Verifier
from swarm_plugin_enhance.axes.verdicts import denied


async def judge(swarm: LiveSwarm, axis: str, ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict on an axis as the orbit tells it: `{axis, status, evidence}`, or `reason` where it denies."""
    verdict = await _verdict(swarm, axis, ctx)
    said = "evidence" if verdict.status == "pass" else "reason"
    return {"axis": verdict.axis, "status": str(verdict.status), said: verdict.detail}


async def _verdict(swarm: LiveSwarm, axis: str, ctx: Mapping[str, Any]) -> AxisVerdict:
    verifiers: Mapping[str, Verifier] = swarm.catalog.verifiers
    if axis not in verifiers:
        return denied(
            axis, f"no installed plugin judges this axis; {did_you_mean(axis, verifiers, otherwise='there are')}"
        )
    applied = ctx["applied"]
    if applied.get("error"):
        return denied(axis, f"the patch cannot be used: {applied['error']}" if axis == "des" else "there is no change")
    try:
        verdict = await verifiers[axis].verify(_change(swarm, ctx))
    except Exception as error:
        return denied(axis, f"it could not be judged: {type(error).__name__}: {error}"[:1000])
    if not isinstance(verdict, AxisVerdict) or verdict.axis != axis:
        return denied(axis, "the verifier of this axis gave no verdict on it")
    return verdict


def _change(swarm: LiveSwarm, ctx: Mapping[str, Any]) -> Change:
    applied = ctx["applied"]
    return Change(
        issue=IssuePayload(**{name: ctx["issue"][name] for name in ("issue_id", "blueprint_id", "intent")}),
        before=applied["before"],
        after=applied["after"],
        before_hash=ctx["prev_hash"],
        after_hash=applied["new_hash"],
        patch=applied["patch"],
        swarm=swarm,
    )
