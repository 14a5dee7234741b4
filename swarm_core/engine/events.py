"""The one way out for events: a log per run that subscribers read at their own pace."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from swarm_core.model.event import EVENT_KINDS, Event

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
    longer kept, it is told the gap. Events are stored as plain tuples and made into `Event` when they are read.
    """

    def __init__(self, run_id: str | None, *, size: int, time: Callable[[], float]) -> None:
        self.run_id, self._time = run_id, time
        self._kept: deque[tuple[str, float, str | None, int | None, Mapping[str, Any]]] = deque(maxlen=size)
        self._waiting: list[asyncio.Future[None]] = []
        self.last_seq = 0
        self.closed = False

    def add(self, kind: str, task_id: str | None, attempt: int | None, data: Mapping[str, Any]) -> None:
        """Append one event; `data` is the log's from now on. A closed log takes no more: a run's end is its last."""
        if self.closed:
            return
        self.last_seq += 1
        self._kept.append((kind, self._time(), task_id, attempt, data))
        if self._waiting:
            self._wake()

    def close(self) -> None:
        """Let subscribers end when they have read what there is."""
        self.closed = True
        self._wake()

    def read(self, first: int = 1) -> list[Event]:
        """Return the kept events from `first` on, a gap in front when some are gone."""
        oldest = self.last_seq - len(self._kept) + 1
        start = max(first, oldest)
        missing = [self._gap(first, oldest - 1)] if first < oldest else []
        kept = [self._event(seq, self._kept[seq - oldest]) for seq in range(start, self.last_seq + 1)]
        return missing + kept

    async def follow(self, first: int = 1) -> AsyncIterator[Event]:
        """Yield events from `first` on, waiting for more until the log is closed."""
        position = first
        while True:
            for event in self.read(position):
                yield event
                position = event.data["last"] + 1 if event.kind == "gap" else event.seq + 1
            if position > self.last_seq:
                if self.closed:
                    return
                await self._more()

    def _gap(self, first: int, last: int) -> Event:
        return Event("gap", self.run_id, first, self._time(), None, None, {"first": first, "last": last})

    def _event(self, seq: int, kept: tuple[str, float, str | None, int | None, Mapping[str, Any]]) -> Event:
        kind, time, task_id, attempt, data = kept
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
