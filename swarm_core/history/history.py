"""The runs of a store, as they stand and as they went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from swarm_core.contracts import Clock, OutputStore, RunStore
from swarm_core.engine.clock import SystemClock
from swarm_core.engine.offload import read_rows, unpack_text
from swarm_core.engine.owners import is_alive
from swarm_core.engine.recorded import read_events as recorded_in
from swarm_core.engine.rows import decode_row
from swarm_core.errors import RunNotFound
from swarm_core.model.event import Event
from swarm_core.model.run import JournalRow, Owner, Question, QuestionState, RunFilter, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

if TYPE_CHECKING:
    from swarm_core.codec.chain import Chain
    from swarm_core.history.health import Health
    from swarm_core.history.steps import StepRecord

POLL = 0.1  # seconds between two looks at a store that another process writes to
_RECHECK = 1.0  # seconds after which a silent store is asked again whether the owner lives
_PAGE = 1000
_NAMED = 10
_ALL = RunFilter()


class History:
    """What can be asked of a store of runs by whoever has no engine.

    A run is told as it stands: one whose owner is dead has no owner, and is interrupted when it was running. `lease` is
    how many seconds a silent owner counts as living. `place` says in errors where was looked.
    """

    def __init__(
        self, store: RunStore, outputs: OutputStore, *, lease: float = 15.0, clock: Clock | None = None
    ) -> None:
        self.store, self.outputs = store, outputs
        self.clock: Clock = clock or SystemClock()
        self.place = f"the store is {store.url}"
        self._lease = lease

    # runs ------------------------------------------------------------------------------------------------------

    async def runs(self, wanted: RunFilter = _ALL) -> list[StoredRun]:
        """Return the runs that the filter lets through, the newest first."""
        found: list[StoredRun] = []
        living = await self._living()
        async for run in self._each(_widened(wanted)):
            standing = _standing(run, living)
            if not wanted.statuses or standing.status in wanted.statuses:
                found.append(standing)
            if len(found) >= wanted.limit:
                break
        return found

    async def run(self, text: str) -> StoredRun:
        """Return the run that has this id, or whose id alone begins with it (`RUN-` may be left out).

        Raises: RunNotFound, with the runs that may have been meant.
        """
        wanted = text if text.startswith("RUN-") else f"RUN-{text}"
        try:
            return await self.stands(wanted)
        except RunNotFound as error:
            unknown = error
        alike = await self.ids(wanted)
        if len(alike) == 1:
            return await self.stands(alike[0])
        if not alike:
            raise RunNotFound(text, hint=f"{unknown.hint}; {self.place}" if unknown.hint else self.place)
        more = ", ..." if len(alike) > _NAMED else ""
        raise RunNotFound(text, hint=f"several begin with it: {', '.join(alike[:_NAMED])}{more}; write more of the id")

    async def stands(self, run_id: str) -> StoredRun:
        """Return the run with exactly this id; raises RunNotFound."""
        return _standing(await self.store.get(run_id), await self._living())

    async def ids(self, prefix: str) -> list[str]:
        """Return the ids of the newest runs that begin with a text, one more than are told to people at most."""
        found = []
        async for run in self._each(RunFilter(limit=_PAGE)):
            if run.id.startswith(prefix):
                found.append(run.id)
                if len(found) > _NAMED:
                    break
        return found

    async def holder(self, run_id: str) -> Owner | None:
        """Return the living owner of a run, None when nobody holds it."""
        return (await self._living()).get((await self.store.get(run_id)).owner or "")

    async def resumable(self) -> list[StoredRun]:
        """Return the runs that can go on now, the oldest first: interrupted ones, and those whose answers came."""
        statuses = (RunStatus.INTERRUPTED, RunStatus.WAITING)
        runs = [run for run in await self.runs(RunFilter(statuses=statuses, limit=2**31)) if run.owner is None]
        waiting = [run for run in runs if run.status is RunStatus.WAITING]
        ready = await self._answered() if waiting else frozenset()
        held_up = {run.id for run in waiting if run.id not in ready or not await self._is_ready(run.id)}
        return [run for run in reversed(runs) if run.id not in held_up]

    async def _answered(self) -> Collection[str]:
        """Return the runs that have questions which are no longer open, or whose time is over."""
        now = self.clock.time()
        return {question.run_id for question in await self.store.questions() if _is_over(question, now)}

    async def _is_ready(self, run_id: str) -> bool:
        """Tell whether one of the tasks that wait has its answer."""
        waited_for = {step.question for step in await self.steps(run_id) if step.question}
        now = self.clock.time()
        return any(_is_over(one, now) for one in await self.store.questions(run_id) if one.key in waited_for)

    async def _each(self, wanted: RunFilter) -> AsyncIterator[StoredRun]:
        """Yield the runs of a filter page by page, without an end of its own."""
        page = evolve(wanted, limit=min(max(wanted.limit, 1), _PAGE))
        while found := await self.store.runs(page):
            for run in found:
                yield run
            if len(found) < page.limit:
                return
            page = evolve(page, before=found[-1].id)

    def lives(self, owner: Owner) -> bool:
        """Tell whether an owner still holds its runs."""
        return is_alive(owner, now=self.clock.time(), mono=self.clock.monotonic(), lease=self._lease)

    async def _living(self) -> Mapping[str, Owner]:
        return {owner.id: owner for owner in await self.store.owners() if self.lives(owner)}

    # what happened ---------------------------------------------------------------------------------------------

    async def events(self, run_id: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """Return the events of a run that come after number `after`, `limit` of them at most, with all their values.

        Raises: RunNotFound; StoreUnreadable, naming what does not decode.
        """
        events = await read_rows(await self.store.rows(run_id, after, limit), self.outputs.load)
        return [event for event in events if event.seq > after][:limit]

    async def steps(self, run_id: str) -> list[StepRecord]:
        """Return the tasks of a run in the order in which they were begun; raises as `events`."""
        from swarm_core.history.steps import steps_of

        return steps_of(await self.events(run_id))

    async def counted(self, run: StoredRun) -> StoredRun:
        """Return a run with the counts that its journal has; the record's own are as old as its last change of status.

        Raises: StoreUnreadable.
        """
        if run.status in FINAL_RUN_STATUSES:
            return run
        rows = await self.store.rows(run.id)
        return evolve(run, counts=recorded_in(event for row in rows for event in decode_row(row)).counts)

    async def result(self, run_id: str) -> Any:
        """Return the final ctx of a run, None when it has none; raises RunNotFound, StoreUnreadable."""
        text = await self.store.result(run_id)
        return None if text is None else await unpack_text(text, self.outputs.load)

    async def chain(self, run_id: str, *, head: str | None = None) -> Chain:
        """Tell whether the journal of a run is the one that was written, and its record agrees with it.

        `head` is a link that one of the run's rows must have (64 hex digits, as a `Chain` has it). Raises: RunNotFound;
        ValueError, for a head that is none.
        """
        from swarm_core.codec.row_text import link_from_hex
        from swarm_core.history.chain import chain_of

        return await chain_of(self, run_id, head=None if head is None else link_from_hex(head))

    async def rows(self, run_id: str) -> AsyncIterator[JournalRow]:
        """Yield the rows of a run's journal as they stand; raises RunNotFound, StoreUnreadable."""
        from swarm_core.history.chain import rows_of

        async for row in rows_of(self, await self.store.get(run_id)):
            yield row

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of a run as they come, until the run has ended or nobody holds it any more."""
        while True:
            version = await self.store.version()
            run = await self.stands(run_id)
            events = await self.events(run_id, after)
            for event in events:
                yield event
                after = event.seq
            if run.status in FINAL_RUN_STATUSES or (run.owner is None and not events):
                return
            if not events:
                await self.changed(version)

    async def changed(self, version: object) -> None:
        """Wait until the store is no longer at a version, or for a second."""
        until = self.clock.monotonic() + _RECHECK
        while self.clock.monotonic() < until:
            await asyncio.sleep(POLL)
            if await self.store.version() != version:
                return

    # what is done ----------------------------------------------------------------------------------------------

    async def ask_cancel(self, run_id: str, by: str, *, patience: float = 30.0) -> StoredRun:
        """Cancel a run and return it as it ended, whoever holds it.

        A living owner is asked and waited for, `patience` seconds at most; a run that nobody holds is ended here.
        Raises: RunNotFound; RunEnded, when it had ended otherwise; EngineError, when its owner did not do it in time.
        """
        from swarm_core.history.cancelling import cancel

        return await cancel(self, run_id, by, patience=patience)

    async def collect(self, older_than: float, *, keep_failed: bool = False, dry_run: bool = False) -> list[StoredRun]:
        """Remove the runs that ended more than `older_than` seconds ago, with all they left; return them.

        `keep_failed` keeps those that failed. With `dry_run` nothing is removed.
        """
        kept = {RunStatus.FAILED} if keep_failed else set()
        statuses = tuple(status for status in RunStatus if status in FINAL_RUN_STATUSES - kept)
        before = self.clock.time() - older_than
        runs = await self.runs(RunFilter(statuses=statuses, ended_before=before, limit=2**31))
        for run in () if dry_run else runs:
            await self.remove(run.id)
        return runs

    async def remove(self, run_id: str) -> None:
        """Remove a run, its journal, its questions and what its workers said; raises RunNotFound."""
        await self.store.delete(run_id)
        await self.outputs.forget_run(run_id)

    def export(self, run_id: str) -> AsyncIterator[str]:
        """Yield a run as lines of JSON, see `import_`; raises RunNotFound, StoreUnreadable."""
        from swarm_core.history.outgoing import lines_of

        return lines_of(self, run_id)

    async def import_(self, lines: Iterable[bytes]) -> StoredRun:
        """Keep the run that the lines of an export tell of, and return its record.

        A run that was under way is interrupted here, and nobody holds it. Raises: DocumentError, with the line that is
        wrong, or when the run is here already.
        """
        from swarm_core.history.incoming import keep

        return await keep(self, lines)

    async def health(self) -> Health:
        """Return how the store is, who holds runs of it, and which of them wait for somebody."""
        from swarm_core.history.health import look

        return await look(self)


def _standing(run: StoredRun, living: Mapping[str, Owner]) -> StoredRun:
    """Return a run as it stands when of all owners only the living count."""
    if run.owner is not None and run.owner in living:
        return run
    left = run.status is RunStatus.RUNNING
    return evolve(run, owner=None, status=RunStatus.INTERRUPTED if left else run.status)


def _widened(wanted: RunFilter) -> RunFilter:
    """Return a filter that also lets those through which may turn out to be interrupted."""
    if RunStatus.INTERRUPTED not in wanted.statuses or RunStatus.RUNNING in wanted.statuses:
        return wanted
    return evolve(wanted, statuses=(*wanted.statuses, RunStatus.RUNNING))


def _is_over(question: Question, now: float) -> bool:
    """Tell whether nobody can answer a question any more."""
    return question.state is not QuestionState.OPEN or (question.expires_at is not None and question.expires_at <= now)
