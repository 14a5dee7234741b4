"""The work on one issue: the orbit is run, and what it decides is done; once, however often somebody begins with it."""

from __future__ import annotations

from attrs import frozen

from swarm_core.contracts import EnhanceStores
from swarm_core.errors import (
    BlueprintArchived,
    BlueprintNotFound,
    DocumentError,
    EnhanceSettingNotFound,
    InvalidId,
    InvalidSemver,
    NoMatchingVersion,
    VersionConflict,
)
from swarm_core.model.enhance import EnhanceLogEntry, EnhanceSetting
from swarm_core.model.run import RunResult
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.model.version import BlueprintVersion, CommitMetadata, EpochId
from swarm_core.serving import LiveSwarm
from swarm_plugin_enhance.commits import CommitShape, Decision, read_decision, verdicts_in
from swarm_plugin_enhance.lease import Lease
from swarm_plugin_enhance.names import SETTING
from swarm_plugin_enhance.options import EnhanceOptions
from swarm_plugin_enhance.orbit import blueprints_of, first_ctx, orbit_of
from swarm_plugin_enhance.outcome import HELD, WAITING, TickOutcome
from swarm_plugin_enhance.patch import BadPatch, read_patch
from swarm_plugin_enhance.record import Record, author_of
from swarm_plugin_enhance.runs import OrbitRuns, StillOpen

_NOT_THERE = (
    *(BlueprintNotFound, BlueprintArchived, NoMatchingVersion, InvalidSemver, InvalidId),
    *(EnhanceSettingNotFound, DocumentError, CommitShape),
)
"""What says that the work cannot be begun; an error of a store is another thing, and ends nothing."""

_ROUNDS = 2


@frozen(kw_only=True, eq=False)
class Start:
    """What a round begins with: the setting, and the head of the target."""

    setting: EnhanceSetting
    text: str
    head: BlueprintVersion


class Work:
    """One issue, from its taking to its end."""

    def __init__(self, swarm: LiveSwarm, stores: EnhanceStores, options: EnhanceOptions, lease: Lease) -> None:
        self._swarm, self._stores, self._lease = swarm, stores, lease
        self._issue = lease.taken.issue
        self._blueprints = blueprints_of(swarm)
        self._runs = OrbitRuns(swarm, self._issue.issue_id, most=options.max_attempts)
        self._record = Record(stores, self._blueprints, lease, now=swarm.engine.clock.time)

    async def carry_out(self) -> TickOutcome:
        """Do what is left to do for the issue; raises IssueLost, StoreError."""
        if self._lease.taken.attempt > 1 and (entry := await self._found()) is not None:
            return await self._record.finish(entry)
        for _ in range(_ROUNDS):
            try:
                return await self._round()
            except VersionConflict:
                if (entry := await self._found()) is not None:
                    return await self._record.finish(entry)
        said = (
            "dispatch failed: the Blueprint changed while the work was going on, and once more while it was done anew"
        )
        return await self._record.reject(said)

    async def _found(self) -> EnhanceLogEntry | None:
        """Return what an earlier owner did: what it wrote down, or what is to be written for the version it kept."""
        entry = await self._record.logged()
        if entry is not None or (kept := await self._record.kept()) is None:
            return entry
        result = await self._runs.ended(kept.parents[0]) if kept.parents else None
        try:
            verdicts = () if result is None else verdicts_in(result.final_ctx)
        except CommitShape:
            verdicts = ()
        return self._record.applied(kept, verdicts)

    async def _round(self) -> TickOutcome:
        """Run the orbit on the head and follow its decision; raises VersionConflict, when the head is another then."""
        prev = ""
        try:
            text, head = await self._blueprints.read_head(self._issue.blueprint_id)
            prev = head.version
            start = Start(setting=await self._stores.settings.get(SETTING), text=text, head=head)
            result = await self._run(start)
        except StillOpen as still:
            return self._open(still.run_id, still.questions, worked=False)
        except _NOT_THERE as error:
            return await self._record.reject(f"dispatch failed: {error}", prev=prev)
        if result.status not in FINAL_RUN_STATUSES:
            return self._open(result.run_id, result.questions, worked=True)
        if result.status is not RunStatus.DONE:
            return await self._record.reject(f"dispatch failed: {_failure(result)}", prev=prev, run_id=result.run_id)
        return await self._follow(start, result)

    async def _run(self, start: Start) -> RunResult:
        epoch = {
            "blueprint_id": self._issue.blueprint_id,
            "start_version": start.head.version,
            "started_at_ms": self._record.now_ms(),
        }
        ctx = first_ctx(self._issue.as_json(), start.text, epoch, start.setting)
        return await self._runs.result(
            start.head.version, lambda: orbit_of(self._swarm, start.setting), ctx, seconds=start.setting.ttl_secs
        )

    async def _follow(self, start: Start, result: RunResult) -> TickOutcome:
        """Do what the orbit decided."""
        prev, run_id = start.head.version, result.run_id
        try:
            decision = read_decision(result.final_ctx, start.setting, self._issue.blueprint_id)
        except CommitShape as error:
            return await self._record.reject(str(error.message), prev=prev, run_id=run_id)
        if decision.text is None:
            said = f"verifier deny: {'; '.join(decision.reasons)}"
            return await self._record.reject(said, decision=decision, prev=prev, run_id=run_id)
        entry = await self._commit(start, decision, result)
        return await self._record.finish(entry, run_id=run_id)

    async def _commit(self, start: Start, decision: Decision, result: RunResult) -> EnhanceLogEntry:
        """Keep the change on top of the head that it was made from; raises VersionConflict, IssueLost."""
        assert decision.text is not None
        said = CommitMetadata(
            rationale=decision.rationale,
            author=author_of(self._issue.issue_id),
            patch_hash=_patch_hash(result),
            epoch_id=EpochId(
                blueprint_id=self._issue.blueprint_id,
                start_version=start.head.version,
                started_at_ms=self._record.now_ms(),
            ),
        )
        await self._lease.renew()
        kept = await self._blueprints.write_new(
            self._issue.blueprint_id, decision.text, parent=start.head.version, metadata=said
        )
        return self._record.applied(kept, decision.verdicts)

    def _open(self, run_id: str, questions: tuple[str, ...], *, worked: bool) -> TickOutcome:
        """Return that the run has not ended: it waits for answers, or somebody else carries it out."""
        return TickOutcome(
            issue_id=self._issue.issue_id,
            blueprint_id=self._issue.blueprint_id,
            status=WAITING if questions else HELD,
            run_id=run_id,
            questions=questions,
            worked=worked,
        )


def _failure(result: RunResult) -> str:
    error = result.error or {}
    return f"run {result.run_id} {result.status}: {error.get('message') or error.get('kind') or 'no reason was given'}"


def _patch_hash(result: RunResult) -> str | None:
    """Return the hash of the patch that the orbit's ctx has, None when an orbit of another form has none."""
    try:
        return read_patch(result.final_ctx.get("patch")).hash
    except BadPatch:
        return None
