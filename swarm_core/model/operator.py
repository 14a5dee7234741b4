"""Who stands behind a session: operator kinds and how they are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen


class OperatorKind(StrEnum):
    """How a session's operator takes part in an attempt."""

    MAIN_AI = "main_ai"
    AUTOMATE = "automate"
    COMPOSITE = "composite"


@frozen(kw_only=True)
class SessionRequest:
    """What a session is attached with; ids name what is or will be registered, and are resolved at each dispatch.

    `traceparent` is the trace that a run belongs to, as W3C Trace Context writes it.
    """

    operator_kind: OperatorKind | None = None
    agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    blueprint_agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    blueprint_kind: OperatorKind | None = None
    bridge_id: str | None = None
    hook_id: str | None = None
    operator_backend_id: str | None = None
    traceparent: str | None = None


def collapse_operator_kind(
    agent: str,
    *,
    launch_agents: Mapping[str, OperatorKind],
    launch_global: OperatorKind | None,
    blueprint_agents: Mapping[str, OperatorKind],
    blueprint_global: OperatorKind | None,
) -> OperatorKind:
    """Resolve the kind for one agent: the first tier that says anything wins, an explicit `automate` included."""
    for kind in (launch_agents.get(agent), launch_global, blueprint_agents.get(agent), blueprint_global):
        if kind is not None:
            return kind
    return OperatorKind.AUTOMATE
