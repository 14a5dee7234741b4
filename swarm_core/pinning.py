"""What a run is bound to when it is launched, and how that is made ready again when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from swarm_core.codec import structure_blueprint
from swarm_core.documents import Document
from swarm_core.errors import DocumentError, StoreUnreadable
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_core.versions import canonical_text, version_of

if TYPE_CHECKING:
    from swarm_core.model.run import StoredRun

_NAMED = ("bridge_id", "hook_id", "operator_backend_id", "traceparent")


def canonical(blueprint: Blueprint) -> tuple[str, str]:
    """Return a Blueprint as canonical JSON text (sorted keys, no blanks), and the SHA-256 of that in 64 hex digits."""
    text = canonical_text(blueprint)
    return text, version_of(text)


def launch_facts(
    document: Document,
    *,
    bind: Mapping[str, str] | None,
    layer_set: str,
    operator_id: str,
    request: SessionRequest | None,
    budget: Mapping[str, Any] | None,
    plugins: Mapping[str, str],
) -> dict[str, Any]:
    """Return what a run is launched with, as JSON, but for its ctx."""
    kept = {} if document.kept is None else {"kept": dict(document.kept)}
    return {
        "bind": dict(bind or {}),
        "layer_set": layer_set,
        "operator_id": operator_id,
        "request": _request_json(request),
        "budget": None if budget is None else dict(budget),
        "directory": str(document.base.absolute()) if document.base is not None else None,
        "plugins": dict(plugins),
        **kept,
    }


def pinned_document(stored: StoredRun, text: str) -> Document:
    """Return the Blueprint that a run is bound to, with the functions beside its file if that is still there.

    Raises: StoreUnreadable, when it is not the Blueprint that was kept; DocumentError, when this version cannot read
    it any more.
    """
    if sha256(text.encode()).hexdigest() != stored.blueprint_hash:
        reason = f"the Blueprint of run {stored.id} is not the one that was kept ({stored.blueprint_hash[:12]}...)"
        raise StoreUnreadable(reason, hint="the store was changed from outside; restore a backup of it")
    try:
        blueprint = structure_blueprint(json.loads(text), name=f"the Blueprint of {stored.id}")
    except DocumentError as error:
        raise DocumentError(error.problems, source=f"run {stored.id}") from None
    directory = stored.launch.get("directory")
    if directory is None:
        return Document(blueprint=blueprint)
    from pathlib import Path

    from swarm_core.builtin.swarmfile import functions_beside

    base = Path(directory)
    return Document(blueprint=blueprint, base=base, functions=functions_beside(base) if base.is_dir() else ())


def stored_request(stored: StoredRun) -> SessionRequest | None:
    """Return what a run's session is attached with."""
    facts = stored.launch.get("request")
    if facts is None:
        return None
    kind = facts.get("operator_kind")
    return SessionRequest(
        operator_kind=None if kind is None else OperatorKind(kind),
        agent_kinds={name: OperatorKind(each) for name, each in facts.get("agent_kinds", {}).items()},
        **{name: facts.get(name) for name in _NAMED},
    )


def _request_json(request: SessionRequest | None) -> dict[str, Any] | None:
    if request is None or request == SessionRequest():
        return None
    return {
        "operator_kind": None if request.operator_kind is None else str(request.operator_kind),
        "agent_kinds": {name: str(kind) for name, kind in request.agent_kinds.items()},
        **{name: getattr(request, name) for name in _NAMED},
    }
