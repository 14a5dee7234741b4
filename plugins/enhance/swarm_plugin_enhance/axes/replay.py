"""The axis `replay`: runs that came to a good end are gone over with the new version, on what their steps answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from swarm_core.codec import structure_blueprint
from swarm_core.model.enhance import AxisVerdict
from swarm_core.model.run import RunFilter, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.model.version import Fixed, IdRef
from swarm_core.selecting import ref_json
from swarm_core.verifiers import Change
from swarm_plugin_enhance.axes.verdicts import denied, passed
from swarm_plugin_enhance.options import read_options

_TOLD = 20
"""Steps of one run that are named."""


async def verify_replay(change: Change) -> AxisVerdict:
    """Deny a change with which the flow of a run that was done fails on its own record; tell what else differs.

    Only what is recorded is answered: a step that is new, or is given another input, ends the look at that lane.
    """
    swarm = change.swarm
    ref = IdRef(id=change.issue.blueprint_id, version=Fixed(value=change.before_hash))
    document = await swarm.fetch(ref_json(ref))
    prepared = swarm.prepare(evolve(document, blueprint=structure_blueprint(change.after), kept=None))
    report = []
    for run in await _runs(change):
        try:
            report.append(_told(run, await swarm.compare(run.id, prepared)))
        except Exception as error:  # a record that cannot be read says nothing about the change
            report.append({"run_id": run.id, "unreadable": type(error).__name__})
    failing = [entry for entry in report if entry.get("fails")]
    if failing:
        said = "; ".join(f"{entry['run_id']} was done, and fails now: {entry['fails']}" for entry in failing[:3])
        return denied("replay", {"reason": said, "runs": report})
    return passed("replay", {"runs": report})


async def _runs(change: Change) -> list[StoredRun]:
    """Return the newest runs of the Blueprint that were done, at most as many as the settings say."""
    wanted = RunFilter(
        statuses=(RunStatus.DONE,),
        blueprint_id=change.issue.blueprint_id,
        limit=read_options(change.swarm.settings).replay_runs,
    )
    return list(await change.swarm.history.runs(wanted))


def _told(run: StoredRun, plan: Any) -> dict[str, Any]:
    facts = {"run_id": run.id, "same": plan.ended and not plan.again and not plan.dropped, "kept": len(plan.kept)}
    return {**facts, **dict(_differences(plan))}


def _differences(plan: Any) -> Iterator[tuple[str, Any]]:
    if plan.failure is not None:
        yield "fails", plan.failure
    for name, notes in (("again", plan.again), ("dropped", plan.dropped)):
        if notes:
            yield name, [f"{note.address} ({note.agent}): {note.reason}" for note in notes[:_TOLD]]
