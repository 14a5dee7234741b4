"""The axes on which this plugin judges changes of Blueprints; each is loaded when it is first asked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from attrs import frozen

from swarm_core.verifiers import Change, Verifier

if TYPE_CHECKING:
    from swarm_core.model.enhance import AxisVerdict


@frozen
class _Late:
    """A verifier's function, by the module and the name that it has here."""

    module: str
    name: str

    async def __call__(self, change: Change) -> AxisVerdict:
        """Judge a change."""
        verify = getattr(import_module(f"{__name__}.{self.module}"), self.name)
        return cast("AxisVerdict", await verify(change))


VERIFIERS = (
    Verifier(axis="des", verify=_Late("shape", "verify_des"), summary="it is a Blueprint, and still the same one"),
    Verifier(
        axis="canonical", verify=_Late("shape", "verify_canonical"), summary="its hash is what whoever made it says"
    ),
    Verifier(axis="noop", verify=_Late("shape", "verify_noop"), summary="something changed"),
    Verifier(axis="agent-ref", verify=_Late("shape", "verify_agent_ref"), summary="every step names an agent"),
    Verifier(
        axis="lint", verify=_Late("lint", "verify_lint"), summary="check finds no problem that was not there before"
    ),
    Verifier(axis="replay", verify=_Late("replay", "verify_replay"), summary="recorded runs still evaluate"),
    Verifier(axis="budget", verify=_Late("bound", "verify_budget"), summary="no more dispatches, unless it is said"),
)
AXES = tuple(verifier.axis for verifier in VERIFIERS)
