"""Who stands behind a session: operator kinds and how they are resolved."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class OperatorKind(StrEnum):
    """How a session's operator takes part in an attempt."""

    MAIN_AI = "main_ai"
    AUTOMATE = "automate"
    COMPOSITE = "composite"


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
