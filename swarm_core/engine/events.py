"""The one way out for events: a log per run that subscribers read at their own pace."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swarm_core.model.event import EVENT_KINDS, Event

if TYPE_CHECKING:
    from swarm_core.contracts import EventListener
    from swarm_core.engine.journal import RunJournal
    from swarm_core.engine.rows import Entry

_OWN_KIND = r"[a-z][a-z0-9_]{0,63}\Z"


def check_own_kind(kind: str) -> None:
    """Raise ValueError unless a plugin may publish events of this kind."""
    if kind in EVENT_KINDS:
        raise ValueError(f"event kind {kind!r} is the engine's own; publish a kind of your own")
    if not re.match(_OWN_KIND, kind):
        raise ValueError(f"event kind {kind!r} is no snake_case name of at most 64 characters")


class EventLog:
    """Keeps the newest `size` events and wakes whoever waits for more.

    A subscriber is a position in the log, so a slow one costs nothing and stalls nobody; when what it wants next is no
    longer kept, it is read from the journal, and without one the subscriber is told the gap. Events are stored as plain
    tuples and made into `Event` when they are read. With a journal, nobody sees an event before it is committed: what
    was seen once is there after every crash.
    """

    def __init__(
        self,
        run_id: str | None,
        *,
        size: int,
        time: Callable[[], float],
        journal: RunJournal | None = None,
        last_seq: int = 0,
        listeners: Sequence[EventListener] = (),
    ) -> None:
        self.run_id, self._time, self._journal, self._listeners = run_id, time, journal, listeners
        self._kept: deque[Entry] = deque(maxlen=size)
        self._waiting: list[asyncio.Future[None]] = []
        self.last_seq = last_seq
        self._committed = last_seq
        self.closed = self._sealed = False

    @property
    def visible(self) -> int:
        """Return the number of the newest event that subscribers may see."""
        return self.last_seq if self._journal is None else self._committed

    def add(self, kind: str, task_id: str | None, attempt: int | None, data: Mapping[str, Any]) -> None:
        """Append one event; `data` is the log's from now on. A closed log takes no more: a run's end is its last."""
        if self._sealed:
            return
        self.last_seq += 1
        entry = (kind, self._time(), task_id, attempt, data)
        self._kept.append(entry)
        journal = self._journal
        if journal is not None:
            journal.pending.append(entry)
            if not journal.dirty:
                journal.mark()
        elif self._waiting:
            self._wake()
        if self._listeners:
            self._tell(self._event(self.last_seq, entry))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener.hear(event)
            except Exception as error:
                told = {"message": f"a listener failed at event {event.seq} of {event.run_id}", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)

    def seal(self) -> None:
        """Take no more events but the one that `add_last` brings."""
        self._sealed = True

    def add_last(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event that belongs to no task, then take no more, whatever was sealed before."""
        if not self.closed:
            self._sealed = False
            self.add(kind, None, None, data)
            self.close()

    def close(self) -> None:
        """Let subscribers end when they have read what there is."""
        self.closed = self._sealed = True
        if self._journal is None:
            self._wake()

    def cut(self) -> None:
        """Close the log where it is committed: what comes after that is not so."""
        while self.last_seq > self._committed:
            self.last_seq -= 1
            if self._kept:
                self._kept.pop()
        self.closed = self._sealed = True
        self._wake()

    def committed(self, seq: int) -> None:
        """Show subscribers the events up to number `seq`."""
        self._committed = seq
        if self._waiting:
            self._wake()

    def read(self, first: int = 1) -> list[Event]:
        """Return the kept events from `first` on, a gap in front when some are gone."""
        oldest = self.last_seq - len(self._kept) + 1
        start = max(first, oldest)
        missing = [self._gap(first, min(oldest - 1, self.visible))] if first < oldest and first <= self.visible else []
        kept = [self._event(seq, self._kept[seq - oldest]) for seq in range(start, self.visible + 1)]
        return missing + kept

    async def follow(self, first: int = 1) -> AsyncIterator[Event]:
        """Yield events from `first` on, waiting for more until the log is closed."""
        position = first
        while True:
            for event in self.read(position):
                if event.kind == "gap" and self._journal is not None:
                    async for past in self._journal.recall(position, event.data["last"]):
                        yield past
                        position = past.seq + 1
                    if position > event.seq:
                        break  # what came meanwhile may have gone as well
                yield event
                position = event.data["last"] + 1 if event.kind == "gap" else event.seq + 1
            if position > self.visible:
                if self.closed and position > self.last_seq:
                    return
                await self._more()

    def _gap(self, first: int, last: int) -> Event:
        return Event("gap", self.run_id, first, self._time(), None, None, {"first": first, "last": last})

    def _event(self, seq: int, entry: Entry) -> Event:
        kind, time, task_id, attempt, data = entry
        return Event(kind, self.run_id, seq, time, task_id, attempt, data)

    async def _more(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
