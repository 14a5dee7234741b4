"""The steps of the orbit that are plain functions of its ctx: the patch is applied, the person's question is written,
and it is decided whether the change is to be kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

import yaml

from swarm_core.model.enhance import VerdictStatus
from swarm_plugin_enhance.patch import BadPatch, read_patch
from swarm_plugin_enhance.revision import revise

APPROVAL = "approval"
"""The axis under which a person's word stands among the verdicts."""

_LONGEST_DIFF = 20_000


def apply_patch(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Return the next version of the Blueprint; a patch that cannot be used is `error`, not a failed step."""
    before = yaml.safe_load(ctx["prev_bp_yaml"])
    try:
        patch = read_patch(ctx.get("patch"))
        revision = revise(before, patch)
    except BadPatch as error:
        return {"before": before, "error": str(error)}
    return {
        "before": before,
        "after": revision.document,
        "new_hash": revision.hash,
        "changed": revision.changed,
        "patch": patch.as_json(),
    }


def propose(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether all verdicts let the change through, and what a person is shown of it."""
    passed = not list(_reasons(ctx["verdicts"]))
    if not passed:
        return {"passed": False}
    applied = ctx["applied"]
    return {
        "passed": True,
        "shown": {
            "issue": ctx["issue"],
            "rationale": applied["patch"]["rationale"],
            "version": _label(applied["after"]),
            "diff": diff_of(applied["before"], applied["after"]),
        },
    }


def commit(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decision; that a change is denied is a result like any other, not a failed step."""
    verdicts = [*ctx["verdicts"], *_approval(ctx)]
    reasons = list(_reasons(verdicts))
    patch = ctx["applied"].get("patch", {})
    told = {"rationale": patch.get("rationale", ""), "bump": patch.get("bump"), "verdicts_summary": verdicts}
    if reasons:
        return {"committed": False, "reasons": reasons, **told}
    applied = ctx["applied"]
    return {"committed": True, **told, "new_version": applied["new_hash"], "new_bp_json": applied["after"]}


def diff_of(before: Any, after: Any) -> str:
    """Return what changed between two documents, as people read it."""
    old, new = (json.dumps(each, ensure_ascii=False, indent=2, sort_keys=True).splitlines() for each in (before, after))
    text = "\n".join(unified_diff(old, new, "before", "after", n=3, lineterm=""))
    return text if len(text) <= _LONGEST_DIFF else f"{text[:_LONGEST_DIFF]}\n... ({len(text):,} characters)"


def _approval(ctx: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if not ctx.get(APPROVAL) or not ctx.get("proposal", {}).get("passed"):
        return
    answer = ctx.get("answer") or {}
    note = answer.get("note") or ""
    if answer.get("approved") is True:
        yield {"axis": APPROVAL, "status": str(VerdictStatus.PASS), "evidence": note or "approved"}
    else:
        yield {"axis": APPROVAL, "status": str(VerdictStatus.DENY), "reason": note or "a person said no"}


def _reasons(verdicts: Any) -> Iterator[str]:
    for verdict in verdicts:
        if verdict.get("status") != VerdictStatus.PASS:
            yield f"{verdict.get('axis')}: {reason_text(verdict.get('reason'))}"


def reason_text(detail: Any) -> str:
    """Return why a verdict is what it is, as a sentence."""
    if isinstance(detail, Mapping) and isinstance(detail.get("reason"), str):
        return str(detail["reason"])
    return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)


def _label(document: Mapping[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("version_label") if isinstance(metadata, Mapping) else None
