"""Saying what came of an axis."""

from __future__ import annotations

from typing import Any

from swarm_core.model.enhance import AxisVerdict, VerdictStatus


def passed(axis: str, detail: Any = None) -> AxisVerdict:
    """Return the verdict that lets a change through; `detail` is any JSON."""
    return AxisVerdict(axis=axis, status=VerdictStatus.PASS, detail=detail)


def denied(axis: str, detail: Any) -> AxisVerdict:
    """Return the verdict that stops a change; `detail` is mostly a sentence."""
    return AxisVerdict(axis=axis, status=VerdictStatus.DENY, detail=detail)
