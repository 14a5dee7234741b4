"""What an engine does for the runs that it holds in a store: signs of life, and an ear for what others ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.journal import Journal
from swarm_core.engine.links import link_at
from swarm_core.engine.offload import read_rows, unpack_text
from swarm_core.engine.owners import end_workers_of, is_alive, seen_now, this_owner
from swarm_core.engine.parts import Parts
from swarm_core.engine.program import Past
from swarm_core.engine.recorded import read_events
from swarm_core.engine.rows import encode_entries, linked_row
from swarm_core.engine.state import RunRecord, Stop
from swarm_core.errors import RunEnded, RunLost, RunOwned, StoreError
from swarm_core.model.event import Event
from swarm_core.model.run import Owner, RunChange, RunFilter, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

if TYPE_CHECKING:
    from swarm_core.engine.runs import Runs

_EAR = 0.1
_ROUNDS = 10  # of listening between two looks at the answers that are not in the output store yet
_ALL = 10**9
_UNDER_WAY = (RunStatus.RUNNING, RunStatus.WAITING)


class Holding:
    """Claims runs, keeps them, and lets go of them."""

    def __init__(
        self, parts: Parts, journal: Journal, runs: Runs, dispatch: Dispatch, *, owner_id: str, owner: Owner | None
    ) -> None:
        self._parts, self._journal, self._runs, self._dispatch = parts, journal, runs, dispatch
        self._store = journal.store
        self._owner = owner or this_owner(owner_id, parts.clock)
        self._begun = self._enlisted = False
        self.go_on: Callable[..., RunRecord] = runs.start
        self._waking: dict[str, bool] = {}

    @property
    def owner_id(self) -> str:
        """Return the id under which this engine holds runs."""
        return self._owner.id

    # claiming --------------------------------------------------------------------------------------------------

    async def enlist(self) -> None:
        """Make this engine known in the store, once."""
        if not self._enlisted:
            self._owner = seen_now(self._owner, self._parts.clock)
            await self._store.enlist(self._owner)
            self._enlisted = True

    def begin(self) -> None:
        """Give signs of life from now on, and listen to what others ask."""
        if not self._begun:
            self._begun = True
            self._dispatch.crew.start(self._beat())
            self._dispatch.crew.start(self._listen())

    async def claim(self, run_id: str) -> tuple[StoredRun, list[Event]]:
        """Take a run that nobody holds, and return it with its events.

        Raises: RunNotFound, RunEnded, RunOwned, RunLost, StoreError.
        """
        await self.enlist()
        stored = await self._store.get(run_id)
        if stored.status in FINAL_RUN_STATUSES:
            raise RunEnded(stored.id, stored.status)
        await self._check_free(stored)
        events = await self.read(run_id)
        claimed = await self._store.claim(run_id, self._owner.id, stored.epoch)
        if claimed.last_seq != (events[-1].seq if events else 0):  # its last owner wrote on meanwhile
            events = await self.read(run_id)
        return claimed, events

    async def _check_free(self, stored: StoredRun) -> None:
        """Raise RunOwned when a living engine holds the run; end what a hung one of this machine left running."""
        if stored.owner is None:
            return
        if stored.owner == self._owner.id:
            raise RunOwned(stored.id, "this engine")
        owner = next((owner for owner in await self._store.owners() if owner.id == stored.owner), None)
        if owner is None:
            return
        if self._lives(owner):
            raise RunOwned(stored.id, f"process {owner.pid} on {owner.host}")
        end_workers_of(owner)

    def _lives(self, owner: Owner) -> bool:
        clock = self._parts.clock
        return is_alive(owner, now=clock.time(), mono=clock.monotonic(), lease=self._parts.settings.lease)

    async def read(self, run_id: str) -> list[Event]:
        """Return the events of a run as its journal has them, large values in their places."""
        return await read_rows(await self._store.rows(run_id), self._parts.outputs.load)

    async def past_of(self, stored: StoredRun, events: Sequence[Event]) -> Past:
        """Return what a claimed run starts from."""
        questions = await self._store.questions(stored.id)
        return Past(stored=stored, recorded=read_events(events), events=events, questions=tuple(questions))

    async def sweep(self) -> list[str]:
        """Mark the runs whose engines are gone as interrupted, and return their ids; no other run is touched."""
        found = await self._store.runs(RunFilter(statuses=_UNDER_WAY, limit=_ALL))
        if not any(run.owner or run.status is RunStatus.RUNNING for run in found):
            return []
        # read after the runs: who has enlisted since is not judged here, and neither are the runs that it took since
        owners = await self._store.owners()
        gone = [owner for owner in owners if owner.id != self._owner.id and not self._lives(owner)]
        living = {owner.id for owner in owners} - {owner.id for owner in gone} | {self._owner.id}
        left = [run for run in found if run.owner not in living and (run.owner or run.status is RunStatus.RUNNING)]
        writes = [self._orphan(run, await link_at(self._store, run.id, run.last_seq)) for run in left]
        refused = await self._store.commit(writes) if writes else {}
        for owner in gone:
            end_workers_of(owner)
            await self._store.leave(owner.id)
        return [run.id for run in left if run.id not in refused]

    def _orphan(self, run: StoredRun, link: str) -> RunWrite:
        now, seq = self._parts.clock.time(), run.last_seq + 1
        facts = {"reason": "the engine that held the run is gone"}
        body = encode_entries([("run_interrupted", now, None, None, facts)])
        status = RunStatus.INTERRUPTED if run.status is RunStatus.RUNNING else RunStatus.WAITING
        return RunWrite(
            run_id=run.id,
            epoch=run.epoch,
            rows=(linked_row(run.id, link, seq, seq, body),),
            change=RunChange(updated_at=now, status=status, release=True),
        )

    # keeping ---------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Renew the sign of life; see whether what is held here is still held."""
        lease = self._parts.settings.lease
        while True:
            with suppress(StoreError):  # the next commit tells whoever has to know
                self._owner = seen_now(self._owner, self._parts.clock)
                await self._store.enlist(self._owner)
                self._enlisted = True
                await self._let_go_of_lost()
            await asyncio.sleep(lease / 3)

    async def _let_go_of_lost(self) -> None:
        """Stop the runs that another engine took over while this one was silent."""
        state = self._parts.state
        # Before the store is read: what is committed or let go of meanwhile is not among what it tells.
        held = [run for run in state.runs.values() if run.journal is not None and run.acknowledged and not run.over]
        parked = list(state.parked.items())
        if not held and not parked:
            return
        mine = {run.id for run in await self._store.runs(RunFilter(owner=self._owner.id, limit=_ALL))}
        for run in held:
            if run.id not in mine and not run.over:
                self._runs.halt(run, Stop("lost", error=RunLost(run.id)))
        for run_id, gone in parked:
            if run_id not in mine and state.parked.get(run_id) is gone:
                del state.parked[run_id]
                for waiter in gone.waiters:
                    waiter.set_exception(RunLost(run_id))

    async def _listen(self) -> None:
        """Hear what other processes ask of the runs that are held here, and what time brings."""
        for round in count():
            await asyncio.sleep(_EAR)
            if round % _ROUNDS == 0:
                await self._dispatch.finals.write()
            try:
                asked = await self._store.asked(self._owner.id, self._parts.clock.time())
            except StoreError:
                continue
            if asked is None:
                continue
            for run_id in asked.cancelled:
                self._cancel(run_id)
            for question in asked.answered:
                self._dispatch.requests.asking.deliver(question)
                self.wake(question.run_id)
            for question in asked.due:
                self.wake(question.run_id)

    def _cancel(self, run_id: str) -> None:
        run = self._parts.state.runs.get(run_id)
        if run is not None:
            self._runs.cancel(run)
        else:
            self.wake(run_id, cancel=True)

    def is_waking(self, run_id: str) -> bool:
        """Tell whether a parked run is about to go on."""
        return run_id in self._waking

    def wake(self, run_id: str, *, cancel: bool = False) -> None:
        """Go on with a parked run; one that is not parked is not touched."""
        if run_id in self._parts.state.parked and not self._parts.state.closed:
            waking = run_id in self._waking
            self._waking[run_id] = cancel or self._waking.get(run_id, False)
            if not waking:
                self._dispatch.crew.start(self._wake(run_id))

    async def _wake(self, run_id: str) -> None:
        parked = self._parts.state.parked[run_id]
        try:
            stored = await self._store.get(run_id)
            events = await self.read(run_id)
            past = await self.past_of(stored, events)
            ctx = await unpack_text(stored.launch["ctx"], self._parts.outputs.load)
        except StoreError:
            return  # asked again, it is tried again
        finally:
            cancel = self._waking.pop(run_id)
        if self._parts.state.parked.pop(run_id, None) is None:
            return
        run = self.go_on(past, parked.program, ctx, operator_id=parked.operator_id, request=parked.request)
        if (before := parked.before()) is not None:
            before.successor = run
        for waiter in parked.waiters:
            if not waiter.done():
                waiter.set_result(run)
        if cancel:
            self._runs.cancel(run)

    # letting go ------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Write what is left to write, and leave the store: what is still held has no owner then."""
        if self._journal.broken is None:
            await self._dispatch.finals.write()
        await self._journal.flush()
        if self._enlisted and self._journal.broken is None:
            with suppress(StoreError):  # others see that this process is gone
                await self._store.leave(self._owner.id)
