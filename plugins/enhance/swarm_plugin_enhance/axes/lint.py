"""The axis `lint`: checking the new version finds no problem that the old one has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import evolve

from swarm_core.codec import structure_blueprint
from swarm_core.model.enhance import AxisVerdict
from swarm_core.model.problem import Problem, Severity
from swarm_core.model.version import Fixed, IdRef
from swarm_core.selecting import ref_json
from swarm_core.verifiers import Change
from swarm_plugin_enhance.axes.verdicts import denied, passed

_TOLD = 10


async def verify_lint(change: Change) -> AxisVerdict:
    """Deny a change with problems of its own: errors, and what is doubtful; notes pass."""
    ref = IdRef(id=change.issue.blueprint_id, version=Fixed(value=change.before_hash))
    document = await change.swarm.fetch(ref_json(ref))
    after = evolve(document, blueprint=structure_blueprint(change.after), kept=None)
    new = _new(change.swarm.check(document), change.swarm.check(after))
    if new:
        return denied("lint", "; ".join(f"{problem.path}: {problem.message}" for problem in new[:_TOLD]))
    return passed("lint")


def _new(before: Iterable[Problem], after: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are more than before; where they stand does not count, for items move."""
    known = Counter((problem.code, problem.message) for problem in before)
    new = []
    for problem in after:
        if problem.severity is Severity.NOTE:
            continue
        known[problem.code, problem.message] -= 1
        if known[problem.code, problem.message] < 0:
            new.append(problem)
    return new
