"""Writing down what became of an issue: the log first, then the issue itself, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarm_core.contracts import BlueprintStore, EnhanceStores
from swarm_core.errors import BlueprintNotFound, EnhanceLogConflict, EnhanceLogNotFound
from swarm_core.model.enhance import Applied, AxisVerdict, EnhanceLogEntry, EnhanceLogStatus, Rejected
from swarm_core.model.version import BlueprintVersion
from swarm_plugin_enhance.commits import Decision
from swarm_plugin_enhance.lease import Lease
from swarm_plugin_enhance.outcome import APPLIED, REJECTED, TickOutcome

_SEARCHED = 1000
"""Newest versions of the target among which an earlier commit for the issue is looked for."""


def author_of(issue_id: str) -> str:
    """Return who a version is by that was kept for an issue."""
    return f"enhance {issue_id}"


class Record:
    """What is kept of one issue."""

    def __init__(
        self, stores: EnhanceStores, blueprints: BlueprintStore, lease: Lease, *, now: Callable[[], float]
    ) -> None:
        self._stores, self._blueprints, self._lease, self._now = stores, blueprints, lease, now
        self._issue = lease.taken.issue

    def now_ms(self) -> int:
        """Return the time as Unix milliseconds."""
        return int(self._now() * 1000)

    async def logged(self) -> EnhanceLogEntry | None:
        """Return what an earlier owner wrote down, None when that is nothing."""
        try:
            return await self._stores.log.get(self._issue.issue_id)
        except EnhanceLogNotFound:
            return None

    async def kept(self) -> BlueprintVersion | None:
        """Return the version that an earlier owner kept for the issue, None when it kept none."""
        try:
            entries = await self._blueprints.history(self._issue.blueprint_id, _SEARCHED)
        except BlueprintNotFound:
            return None
        author = author_of(self._issue.issue_id)
        return next((entry for entry in entries if entry.metadata.author == author), None)

    def applied(self, kept: BlueprintVersion, verdicts: Sequence[AxisVerdict]) -> EnhanceLogEntry:
        """Return the entry for a version that was kept."""
        return EnhanceLogEntry(
            issue_id=self._issue.issue_id,
            blueprint_id=self._issue.blueprint_id,
            prev_hash=kept.parents[0] if kept.parents else "",
            new_hash=kept.version,
            intent=self._issue.intent,
            rationale=kept.metadata.rationale,
            verdicts=tuple(verdicts),
            status=EnhanceLogStatus.APPLIED,
            ts_ms=self.now_ms(),
        )

    async def reject(
        self, reason: str, *, prev: str = "", decision: Decision | None = None, run_id: str | None = None
    ) -> TickOutcome:
        """Write down that the issue led to nothing, and why; raises IssueLost, StoreError."""
        entry = EnhanceLogEntry(
            issue_id=self._issue.issue_id,
            blueprint_id=self._issue.blueprint_id,
            prev_hash=prev,
            intent=self._issue.intent,
            rationale="" if decision is None else decision.rationale,
            verdicts=() if decision is None else decision.verdicts,
            status=EnhanceLogStatus.REJECTED,
            reasons=(reason,),
            ts_ms=self.now_ms(),
        )
        await self._lease.renew()
        return await self.finish(entry, run_id=run_id)

    async def finish(self, entry: EnhanceLogEntry, *, run_id: str | None = None) -> TickOutcome:
        """Write the entry, and give the issue the status that it says; the entry that was there first counts."""
        try:
            await self._stores.log.append(entry)
        except EnhanceLogConflict:
            entry = await self._stores.log.get(entry.issue_id)
        applied = entry.status is EnhanceLogStatus.APPLIED
        reason = None if applied else "; ".join(entry.reasons)
        status = Applied(new_version=entry.new_hash) if applied else Rejected(reason=reason or "")
        await self._stores.issues.update_status(entry.issue_id, status, taken=self._lease.taken)
        return TickOutcome(
            issue_id=entry.issue_id,
            blueprint_id=entry.blueprint_id,
            status=APPLIED if applied else REJECTED,
            new_version=entry.new_hash or None,
            reason=reason,
            run_id=run_id,
        )
