"""The orbit's own steps as functions by name; what they need is loaded when one is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.factories import Function


def apply_patch(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Apply the patch; see `steps.apply_patch`."""
    from swarm_plugin_enhance import steps

    return steps.apply_patch(ctx)


def propose(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a person is shown; see `steps.propose`."""
    from swarm_plugin_enhance import steps

    return steps.propose(ctx)


def commit(ctx: Mapping[str, Any]) -> dict[str, Any]:
    """Decide; see `steps.commit`."""
    from swarm_plugin_enhance import steps

    return steps.commit(ctx)


FUNCTIONS = (
    Function("enhance.apply", apply_patch),
    Function("enhance.propose", propose),
    Function("enhance.commit", commit),
)
