"""Axes that look at the document alone: `des`, `canonical`, `noop`, `agent-ref`."""

from __future__ import annotations

from swarm_core.codec import structure_blueprint
from swarm_core.errors import DocumentError, did_you_mean
from swarm_core.model.enhance import AxisVerdict
from swarm_core.model.walk import steps
from swarm_core.verifiers import Change
from swarm_plugin_enhance.axes.verdicts import denied, passed
from swarm_plugin_enhance.revision import hash_of

_TOLD = 5


async def verify_des(change: Change) -> AxisVerdict:
    """Deny what is no Blueprint, or another one than the issue is for."""
    try:
        blueprint = structure_blueprint(change.after)
    except DocumentError as error:
        return denied("des", "; ".join(str(problem) for problem in error.problems[:_TOLD]))
    if blueprint.id != change.issue.blueprint_id:
        return denied("des", f"its id is {blueprint.id!r}, and the issue is for {change.issue.blueprint_id!r}")
    return passed("des", {"agents": len(blueprint.agents)})


async def verify_canonical(change: Change) -> AxisVerdict:
    """Deny a document that has another hash than whoever made it says."""
    digest = hash_of(change.after)
    if digest != change.after_hash:
        return denied("canonical", f"its hash is {digest[:12]}, and {change.after_hash[:12] or 'none'} was said")
    return passed("canonical", digest)


async def verify_noop(change: Change) -> AxisVerdict:
    """Deny what changes nothing."""
    if change.after_hash == change.before_hash or change.after == change.before:
        return denied("noop", "nothing changed")
    return passed("noop")


async def verify_agent_ref(change: Change) -> AxisVerdict:
    """Deny a flow with a step for an agent that the Blueprint does not have."""
    blueprint = structure_blueprint(change.after)
    names = {agent.name for agent in blueprint.agents}
    unknown = [(path, step.ref) for path, step in steps(blueprint.flow, "$.flow") if step.ref not in names]
    if not unknown:
        return passed("agent-ref")
    said = [f"{path} names agent {ref!r}, {did_you_mean(ref, names, otherwise='there are')}" for path, ref in unknown]
    return denied("agent-ref", "; ".join(said[:_TOLD]))
