"""Going on with runs that are in the store: as they are, from an earlier step, or with another Blueprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from swarm_core.codec.row_text import first_link
from swarm_core.engine.engine import Engine
from swarm_core.engine.holding import Holding
from swarm_core.engine.links import link_at
from swarm_core.engine.migration import Migration, judge
from swarm_core.engine.offload import pack_entries, pack_text, unpack_text
from swarm_core.engine.program import Pinned, Program
from swarm_core.engine.recorded import read_events
from swarm_core.engine.rerun import failed_steps, shared_events
from swarm_core.engine.rows import linked_row
from swarm_core.engine.state import RunRecord
from swarm_core.errors import InvalidTransition, RunEnded, RunLost, SettingsError
from swarm_core.model.event import Event
from swarm_core.model.ids import RunId, new_id
from swarm_core.model.run import RunChange, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.pinning import stored_request

if TYPE_CHECKING:
    from swarm_core.contracts import OutputStore, RunStore

ProgramOf = Callable[[StoredRun, str], Program]
"""Makes the program of a run ready again, from its record and its Blueprint as canonical JSON text."""


class Resuming:
    """Takes runs up from a store and hands them to an engine."""

    def __init__(self, engine: Engine, store: RunStore, outputs: OutputStore, program_of: ProgramOf) -> None:
        assert engine.holding is not None
        self._engine, self._store, self._outputs = engine, store, outputs
        self._holding: Holding = engine.holding
        self._program_of = program_of

    async def resume(self, run_id: str) -> RunRecord:
        """Go on with a run that nobody holds; see `Swarm.resume`."""
        stored = await self._store.get(run_id)
        if stored.status in FINAL_RUN_STATUSES:
            raise RunEnded(stored.id, stored.status)
        program = await self._program(stored)  # what cannot be compiled here is left to whoever can
        claimed, events = await self._holding.claim(run_id)
        return await self._go_on(claimed, events, program)

    async def _program(self, stored: StoredRun) -> Program:
        return self._program_of(stored, await self._store.blueprint(stored.blueprint_hash))

    async def _go_on(self, claimed: StoredRun, events: Sequence[Event], program: Program) -> RunRecord:
        past = await self._holding.past_of(claimed, events)
        ctx = await self._ctx_of(claimed)
        operator = claimed.launch.get("operator_id", "api")
        record = self._engine.go_on(past, program, ctx, operator_id=operator, request=stored_request(claimed))
        await self._engine.committed(record)
        return record

    async def _ctx_of(self, stored: StoredRun) -> Any:
        return await unpack_text(stored.launch["ctx"], self._outputs.load)

    # rerun -----------------------------------------------------------------------------------------------------

    async def rerun(self, run_id: str, start: Iterable[str]) -> RunRecord:
        """Begin a new run that shares what a recorded one did before some of its steps; see `Swarm.rerun`."""
        stored = await self._store.get(run_id)
        program = await self._program(stored)
        events = await self._holding.read(run_id)
        addresses = [*start] or failed_steps(read_events(events).steps)
        if not addresses:
            raise InvalidTransition(f"no step of run {run_id} has failed", hint="say from where: --from ADDRESS")
        shared = shared_events(events, addresses)
        await self._holding.enlist()
        begun = await self._begin_with(
            stored, shared, {"rerun_of": stored.id, "from": addresses, "shared": len(shared)}
        )
        own = await self._holding.read(begun.id)
        return await self._go_on(begun, own, program)

    async def _begin_with(self, stored: StoredRun, shared: Sequence[Event], origin: dict[str, Any]) -> StoredRun:
        """Write a new run whose journal begins with some events of another one, and return its record."""
        engine = self._engine
        now = engine.clock.time()
        run_id = RunId(new_id("RUN-", engine.random_bits))
        facts = {"blueprint": stored.blueprint_id, "blueprint_hash": stored.blueprint_hash, **origin}
        entries = [
            ("run_started", now, None, None, facts),
            *((event.kind, event.time, event.task_id, event.attempt, event.data) for event in shared),
        ]
        threshold = engine.settings.offload_threshold
        body, blobs = pack_entries(entries, threshold)
        ctx, large = pack_text(await self._ctx_of(stored), threshold)
        if blobs or large:
            await self._outputs.keep(run_id, {**blobs, **large})
        begun = StoredRun(
            id=run_id,
            blueprint_id=stored.blueprint_id,
            blueprint_hash=stored.blueprint_hash,
            launch={**stored.launch, "ctx": ctx},
            status=RunStatus.RUNNING,
            created_at=now,
            updated_at=now,
            owner=self._holding.owner_id,
            parent=stored.id,
        )
        row = linked_row(run_id, first_link(run_id), 1, len(entries), body)
        text = await self._store.blueprint(stored.blueprint_hash)
        write = RunWrite(run_id=run_id, epoch=1, create=begun, blueprints={stored.blueprint_hash: text}, rows=(row,))
        await self._store.commit([write])
        return evolve(begun, last_seq=len(entries))

    # migrate ---------------------------------------------------------------------------------------------------

    async def plan(self, run_id: str, program: Program, pinned: Pinned, *, ended: bool = False) -> Migration:
        """Tell what becomes of a run's recorded steps with another Blueprint; see `Swarm.plan_migration`.

        One that has `ended` is refused unless it is only to be compared; see `Swarm.compare`.
        """
        stored = await self._store.get(run_id)
        if stored.status in FINAL_RUN_STATUSES and not ended:
            raise RunEnded(stored.id, stored.status)
        events = await self._holding.read(run_id)
        verdict = await judge(program, await self._ctx_of(stored), read_events(events))
        return Migration(
            run_id=run_id,
            epoch=stored.epoch,
            last_seq=stored.last_seq,
            blueprint_id=program.blueprint_id,
            blueprint=pinned.blueprint,
            digest=pinned.digest,
            before=stored.blueprint_hash,
            verdict=verdict,
            launch=pinned.launch,
        )

    async def migrate(self, plan: Migration) -> StoredRun:
        """Do what was planned, unless the run went on meanwhile; see `Swarm.migrate`."""
        claimed, events = await self._holding.claim(plan.run_id)
        now, seq = self._engine.clock.time(), (events[-1].seq if events else 0) + 1
        moved = claimed.epoch != plan.epoch + 1 or claimed.last_seq != plan.last_seq
        void = [] if moved else list(plan.verdict.void)
        facts = {"from": plan.before, "to": plan.digest, "dropped": void}
        kind = "run_interrupted" if moved else "run_migrated"
        data = {"reason": "a migration came too late"} if moved else facts
        body, _ = pack_entries([(kind, now, None, None, data)], float("inf"))
        row = linked_row(plan.run_id, await link_at(self._store, plan.run_id, seq - 1), seq, seq, body)
        change = RunChange(
            updated_at=now,
            status=RunStatus.INTERRUPTED,
            release=True,
            blueprint_hash=None if moved else plan.digest,
        )
        write = RunWrite(
            run_id=plan.run_id,
            epoch=claimed.epoch,
            blueprints={} if moved else {plan.digest: plan.blueprint},
            rows=(row,),
            change=change,
        )
        await self._store.commit([write])
        if moved:
            raise RunLost(plan.run_id)
        return await self._store.get(plan.run_id)


def without_store(what: str) -> SettingsError:
    """Return the error of a swarm that keeps no runs and is asked for one."""
    return SettingsError(f"{what} needs a run store", hint='open the swarm with store="sqlite:///..." or `[store] url`')
