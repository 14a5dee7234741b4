"""What is to be run at a server, and how, as it is told to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.codec import blueprint_json
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.operator import SessionRequest
from swarm_core.model.version import Fixed, IdRef
from swarm_core.selecting import SCHEME, parse_ref, parse_source, ref_json

Source = str | Mapping[str, Any] | Blueprint
"""A Blueprint: the document, a BlueprintRef, or `bp:NAME[@SELECTOR]` for one that the server keeps."""

_DIGITS = 64  # of a whole version


@frozen(kw_only=True, eq=False, repr=False)
class Order:
    """What is to be run, and how."""

    source: Source
    init_ctx: Any = None
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str | None = None
    budget: Mapping[str, Any] | None = None
    request: SessionRequest | None = None
    operator_sid: str | None = None
    operator_id: str | None = None
    ttl_secs: int | None = None
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the body of the call."""
        facts = {
            "bind": dict(self.bind),
            "layer_set": self.layer_set,
            "budget": self.budget,
            "operator": _operator(self.request, self.operator_id),
            "operator_sid": self.operator_sid,
            "ttl_secs": self.ttl_secs,
        }
        told = {name: value for name, value in facts.items() if value not in (None, {})}
        return {"blueprint": blueprint_ref(self.source), "init_ctx": self.init_ctx, **told}

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that say under which key it is launched."""
        return {} if self.key is None else {"Idempotency-Key": self.key}


def _operator(request: SessionRequest | None, operator_id: str | None) -> dict[str, Any]:
    given = request or SessionRequest()
    facts = {
        "id": operator_id,
        "kind": None if given.operator_kind is None else str(given.operator_kind),
        "per_agent_kinds": {agent: str(kind) for agent, kind in given.agent_kinds.items()},
        "senior_bridge_id": given.bridge_id,
        "spawn_hook_id": given.hook_id,
        "operator_backend_id": given.operator_backend_id,
    }
    return {name: value for name, value in facts.items() if value not in (None, {})}


def blueprint_ref(source: Source) -> dict[str, Any]:
    """Return the BlueprintRef for what a Blueprint is given as; raises DocumentError, InvalidId, InvalidSemver."""
    if isinstance(source, str) and source.startswith(SCHEME):
        return ref_json(parse_source(source))
    if isinstance(source, Blueprint):
        return {"kind": "inline", "value": blueprint_json(source)}
    if not isinstance(source, Mapping):
        raise TypeError(f"a Blueprint is a document or 'bp:NAME', not {type(source).__name__}")
    if "kind" in source and "flow" not in source:
        ref = parse_ref(source)
        return ref_json(ref) if isinstance(ref, IdRef) else {"kind": "inline", "value": ref.value}
    return {"kind": "inline", "value": dict(source)}


def shortened(source: Source) -> IdRef | None:
    """Return the Blueprint that is named with the first digits of a version, None for what is named otherwise."""
    if not isinstance(source, str) or not source.startswith(SCHEME):
        return None
    ref = parse_source(source)
    return ref if isinstance(ref.version, Fixed) and len(ref.version.value) < _DIGITS else None
