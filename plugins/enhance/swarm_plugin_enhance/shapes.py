"""Issues and settings as JSON: what is printed, what is answered, what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.codec import structure
from swarm_core.contracts import BlueprintStore, IssueStore
from swarm_core.errors import BlueprintNotFound, DocumentError, VersionConflict
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.enhance import Applied, EnhanceSetting, IssuePayload, IssueStatus, Rejected
from swarm_core.model.problem import Problem
from swarm_core.model.version import CommitMetadata
from swarm_core.serving import LiveSwarm
from swarm_core.versions import canonical_text, version_of


def issue_json(issue: IssuePayload, status: IssueStatus) -> dict[str, Any]:
    """Return an issue and where it stands."""
    return {
        "issue_id": issue.issue_id,
        "status": status.kind,
        "blueprint_id": issue.blueprint_id,
        "intent": issue.intent,
        "reason": status.reason if isinstance(status, Rejected) else None,
        "new_version": status.new_version if isinstance(status, Applied) else None,
    }


async def issues_json(
    issues: IssueStore, *, blueprint_id: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Return the issues, the oldest first: all, or those for a Blueprint, or of a status."""
    found = []
    for issue_id, stands in await issues.list():
        if status in (None, stands.kind):
            issue = await issues.get(issue_id)
            if blueprint_id in (None, issue.blueprint_id):
                found.append(issue_json(issue, stands))
    return found


def read_setting(value: Mapping[str, Any]) -> tuple[EnhanceSetting, Any]:
    """Return the setting in a document, and the orbit that stands in it as `blueprint` in place of its id, or None.

    Raises: DocumentError.
    """
    told = dict(value)
    orbit = told.pop("blueprint", None)
    if orbit is not None:
        if "blueprint_id" in told:
            raise _both()
        told["blueprint_id"] = orbit.get("id") if isinstance(orbit, Mapping) else None
    return structure(told, EnhanceSetting), orbit


def _both() -> DocumentError:
    said = "a setting has a `blueprint` or a `blueprint_id`, not both"
    return DocumentError([Problem(code="bad_value", message=said, path="$.blueprint", hint="leave one of them out")])


async def keep_orbit(swarm: LiveSwarm, store: BlueprintStore, document: Any, *, by: str) -> None:
    """Keep an orbit that came with its setting, unless it is the newest version already.

    Raises: DocumentError, InvalidBlueprint, InvalidId, BlueprintArchived, StoreError.
    """
    blueprint: Blueprint = swarm.prepare(document).blueprint
    text = canonical_text(blueprint)
    said = CommitMetadata(rationale="came with an enhance setting", author=by)
    while True:
        try:
            head = (await store.read_head(blueprint.id))[1].version
        except BlueprintNotFound:
            head = None
        if head == version_of(text):
            return
        try:
            await store.write_new(blueprint.id, text, parent=head, metadata=said)
            return
        except VersionConflict:
            continue
