"""The way of runs to their store: what happened is gathered, and written in one transaction for all that is waiting.

There is one writer. While it writes, what happens is gathered for its next transaction, so concurrent lanes and runs
share their commits. What somebody waits for is written at once; what nobody waits for (a step has begun) goes along
with it, or is written a moment later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from attrs import asdict, evolve

from swarm_core.codec.row_text import first_link, link_after, with_link
from swarm_core.contracts import OutputStore, RunStore
from swarm_core.engine.crew import Crew
from swarm_core.engine.events import EventLog
from swarm_core.engine.links import link_at
from swarm_core.engine.offload import pack_entries, read_rows
from swarm_core.engine.rows import Entry
from swarm_core.errors import StoreError, StoreUnavailable
from swarm_core.model.event import Event
from swarm_core.model.run import JournalRow, Question, Refusal, RunChange, RunWrite, StoredRun

_MOMENT = 0.02
"""Seconds until what nobody waits for is written: short beside a step that anybody watches, long beside a commit."""

_PAGE = 500  # rows that are read at once
_BREATH = 8
"""Commits on the stack of steps between two turns of the event loop."""


class RunJournal:
    """What is still to be written of one run, and who waits for it."""

    __slots__ = (
        "_blobs",
        "_change",
        "_closed",
        "_created",
        "_expired",
        "_journal",
        "_opened",
        "_taken",
        "blueprints",
        "dead",
        "dirty",
        "epoch",
        "link",
        "log",
        "pending",
        "run_id",
        "sent",
        "waiters",
    )

    log: EventLog

    def __init__(self, journal: Journal, run_id: str, epoch: int, last_seq: int) -> None:
        self._journal, self.run_id, self.epoch = journal, run_id, epoch
        self.sent = last_seq
        self.link = "" if last_seq else first_link(run_id)
        self.pending: list[Entry] = []
        self.waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.blueprints: Mapping[str, str] = {}
        self.dirty = self.dead = False
        self._blobs: dict[str, bytes] = {}
        self._created: StoredRun | None = None
        self._change: RunChange | None = None
        self._opened: list[Question] = []
        self._closed: list[str] = []
        self._expired: list[str] = []
        self._taken: list[str] = []

    # what happens ----------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Let what is `pending` be written; called by the log, which puts events there."""
        self._journal.mark(self)

    async def recall(self, first: int, last: int) -> AsyncIterator[Event]:
        """Yield events that are committed, from number `first` to `last`, as the store has them; raises StoreError."""
        position = first
        while position <= last and (events := await self._journal.read(self.run_id, position - 1)):
            for event in events:
                if position <= event.seq <= last:
                    yield event
            position = events[-1].seq + 1

    def create(self, run: StoredRun, blueprints: Mapping[str, str]) -> None:
        """Let the run be there from the first commit on."""
        self._created, self.blueprints = run, blueprints

    def change(self, change: RunChange) -> None:
        """Change the run's record with the next commit; what an earlier change said and this does not, stays."""
        before = self._change
        if before is not None:
            now, earlier = asdict(change, recurse=False), asdict(before, recurse=False)
            change = evolve(change, **{name: value for name, value in earlier.items() if value and not now[name]})
        self._change = change

    def keep(self, blobs: Mapping[str, bytes]) -> None:
        """Keep large values before the next commit."""
        self._blobs.update(blobs)

    def opened(self, question: Question) -> None:
        """Keep a new question with the next commit."""
        self._opened.append(question)

    def closed(self, key: str) -> None:
        """Close a question that nobody waits for any more with the next commit."""
        self._closed.append(key)

    def expired(self, key: str) -> None:
        """Let a question's time be over with the next commit."""
        self._expired.append(key)

    def taken(self, key: str) -> None:
        """Note with the next commit that a question's answer is in the journal."""
        self._taken.append(key)

    # waiting ---------------------------------------------------------------------------------------------------

    async def committed(self, seq: int | None = None, *, alone: bool = False, sole: bool = False) -> None:
        """Wait until the events up to number `seq`, or all there are, are on disk.

        Who waits for less goes on before who waits for more: steps are answered in the order of their events. It waits
        for ever when they will never be on disk: the run is ended by whoever watches the journal. `alone` says that
        nobody else is at work in the run, so that nobody can share the commit; `sole` that nobody else can be: no lane
        was told of its answer just now and has not gone on yet.
        """
        at_once = alone and not self.waiters and self._journal.may_write_now
        if at_once:
            await self._journal.write_now()
        if seq is None or seq > self.log.visible:
            waiter = asyncio.get_running_loop().create_future()
            self.await_commit(waiter, seq)
            await waiter
        elif not (at_once and sole and self._journal.has_breath):
            await asyncio.sleep(0)  # others were told of theirs just now, and have not gone on yet

    def await_commit(self, waiter: asyncio.Future[None], seq: int | None = None) -> None:
        """Let a future be done when the events up to number `seq`, or all there are, are on disk."""
        self.waiters.append((self.log.last_seq if seq is None else seq, waiter))
        self._journal.hurry(self)

    # writing ---------------------------------------------------------------------------------------------------

    def gather(self, threshold: float) -> tuple[RunWrite, dict[str, bytes]]:
        """Return all that is to be written, which is the writer's from now on, and the large values it refers to."""
        self.dirty = False
        entries, self.pending = self.pending, []
        rows: tuple[JournalRow, ...] = ()
        blobs, self._blobs = self._blobs, {}
        if entries:
            body, large = pack_entries(entries, threshold)
            blobs.update(large)
            first, self.sent = self.sent + 1, self.sent + len(entries)
            self.link = link_after(self.link, first, self.sent, body)
            body = with_link(body, self.link)
            rows = (JournalRow(run_id=self.run_id, first_seq=first, last_seq=self.sent, body=body),)
        asked = self._opened or self._closed or self._expired or self._taken
        if self._change is None and self._created is None and not asked:
            return RunWrite(run_id=self.run_id, epoch=self.epoch, rows=rows), blobs
        write = RunWrite(
            run_id=self.run_id,
            epoch=self.epoch,
            create=self._created,
            blueprints=self.blueprints,
            rows=rows,
            change=self._change,
            opened=tuple(self._opened),
            closed=tuple(self._closed),
            expired=tuple(self._expired),
            taken=tuple(self._taken),
        )
        self._created = self._change = None
        self.blueprints = {}
        for gathered in (self._opened, self._closed, self._expired, self._taken):
            gathered.clear()
        return write, blobs

    def written(self) -> None:
        """Show what was written to the log's subscribers, and wake who waited for it, in the order of the events."""
        log, waiters = self.log, self.waiters
        log.committed(self.sent)
        if len(waiters) == 1 and waiters[0][0] <= self.sent:
            self.waiters = []
            _wake(waiters[0][1])
            return
        due = sorted((waiting for waiting in waiters if waiting[0] <= self.sent), key=lambda waiting: waiting[0])
        self.waiters = [waiting for waiting in waiters if waiting[0] > self.sent]
        for _, waiter in due:
            _wake(waiter)


class Journal:
    """The one writer of an engine's runs.

    `refused(run_id, refusal)` is called for a run that is no longer this engine's, `broken(error)` when the store
    failed: from then on nothing is written, so nothing is acknowledged, until the store is opened anew.
    """

    def __init__(self, store: RunStore, outputs: OutputStore, crew: Crew, *, threshold: float) -> None:
        self.store, self._outputs, self._crew, self._threshold = store, outputs, crew, threshold
        self.refused: Callable[[str, Refusal], None] = _unheard
        self.broken_off: Callable[[StoreError], None] = _unheard
        self.broken: StoreError | None = None
        self.runs = 0
        self._dirty: dict[str, RunJournal] = {}
        self._writing = False
        self._unbroken = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    def of_run(self, run_id: str, epoch: int, last_seq: int = 0) -> RunJournal:
        """Return the journal of a run that this engine holds, until it says that it holds it no more (`leave`)."""
        self.runs += 1
        return RunJournal(self, run_id, epoch, last_seq)

    def leave(self) -> None:
        """Note that one run is no longer driven here."""
        self.runs -= 1

    @property
    def may_write_now(self) -> bool:
        """Tell whether the only run there is may write at once, on the stack of the step that waits for it."""
        return self.runs == 1 and not self._writing and self.broken is None

    @property
    def has_breath(self) -> bool:
        """Tell whether a step may go on without a turn of the event loop; now and then the loop has its turn."""
        self._unbroken = (self._unbroken + 1) % _BREATH
        return self._unbroken != 0

    async def read(self, run_id: str, after: int) -> Sequence[Event]:
        """Return some of the events of a run that come after number `after`, none at its end."""
        return await read_rows(await self.store.rows(run_id, after, _PAGE), self._outputs.load)

    async def write_now(self) -> None:
        """Write all there is to write."""
        await self._write_safely()
        if self._dirty:
            self._kick_now()

    def check(self) -> None:
        """Raise StoreUnavailable when the store has failed."""
        if self.broken is not None:
            hint = "what was acknowledged is safe; open the swarm anew when the cause is gone"
            raise StoreUnavailable(f"the run store has failed and takes no more: {self.broken.message}", hint=hint)

    def mark(self, run: RunJournal) -> None:
        """Write what a run has to be written, in a moment at the latest."""
        if run.dead:
            return
        run.dirty = True
        self._dirty[run.run_id] = run
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_MOMENT, self._kick)

    def hurry(self, run: RunJournal) -> None:
        """Write what a run has to be written, now."""
        if not run.dirty:
            self.mark(run)
        self._kick_now()

    def forget(self, run: RunJournal) -> None:
        """Write nothing more of a run."""
        run.dead = True
        self._dirty.pop(run.run_id, None)

    async def flush(self) -> None:
        """Wait until all there is to write is written, or can't be."""
        while self._dirty and self.broken is None:
            waiter = asyncio.get_running_loop().create_future()
            run = next(iter(self._dirty.values()))
            run.await_commit(waiter)
            await waiter

    def _kick(self) -> None:
        self._timer = None
        if self._dirty:
            self._kick_now()

    def _kick_now(self) -> None:
        if self._writer is None:
            self._writer = self._crew.start(self._write_on())
        elif self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def _write_on(self) -> None:
        while True:
            while self._dirty and self.broken is None and not self._writing:
                await self._write_safely()
            self._wanted = asyncio.get_running_loop().create_future()
            await self._wanted

    async def _write_safely(self) -> None:
        self._writing = True
        try:
            await self._write()
        except StoreError as error:
            self._break_off(error)
        except Exception as error:  # a store that raises what its contract does not know has failed as well
            self._break_off(StoreUnavailable(f"{type(error).__name__}: {error}"))
        finally:
            self._writing = False

    async def _write(self) -> None:
        runs, self._dirty = self._dirty, {}
        writes: list[RunWrite] = []
        for run in runs.values():
            if not run.link:  # it is resumed
                run.link = await link_at(self.store, run.run_id, run.sent)
            write, blobs = run.gather(self._threshold)
            writes.append(write)
            if blobs:
                await self._outputs.keep(run.run_id, blobs)
        refused = await self.store.commit(writes)
        for run_id, run in runs.items():
            if run.dead:
                continue
            if run_id in refused:
                self.forget(run)
                self.refused(run_id, refused[run_id])
            else:
                run.written()

    def _break_off(self, error: StoreError) -> None:
        self.broken = error
        self._dirty.clear()
        self.broken_off(error)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _unheard(*facts: object) -> None:
    """Hear nothing: whoever makes the journal says who shall."""
