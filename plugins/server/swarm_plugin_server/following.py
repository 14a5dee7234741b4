"""The events of runs as they come, for many listeners at once.

A run that somebody follows has one feed: it is read once, and each event is made into bytes once, however many listen.
A listener is a position among the feed's batches. Whoever falls so far behind that the feed no longer keeps what comes
next for it is told from where to go on, and let go; nothing is kept for it alone.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from attrs import frozen

from swarm_core.errors import SwarmError
from swarm_core.model.event import Event
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.problems import problem_of
from swarm_plugin_server.standing import is_here
from swarm_plugin_server.state import serving_of

KEPT_BYTES = 4 * 1024 * 1024
"""Of a feed, beside the newest batch; a listener that is further behind is let go."""

HEARTBEAT = 15.0
"""Seconds of silence after which listeners hear that the line is open."""

_BATCH = 64 * 1024  # bytes that are sent at once
_PAGE = 500  # rows of a journal that are read at once
_BACK = 2_000  # events that a new feed begins before the newest

_BEAT = b": nothing new\n\n"


@frozen(kw_only=True, eq=False)
class Batch:
    """Events of a run one after the other: `data` as they are sent, `starts` where each begins in it."""

    first: int
    last: int
    data: bytes
    starts: tuple[int, ...]

    def after(self, seq: int) -> bytes:
        """Return what is sent of the events that come after number `seq`."""
        return self.data if seq < self.first else self.data[self.starts[seq - self.first + 1] :]


class Feed:
    """What comes of one run, for whoever listens."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.batches: deque[Batch] = deque()
        self.dropped = 0
        self.end: bytes | None = None
        self.complete = False
        self.listeners = 0
        self.reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._size = 0
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._next = first
        self._flushing = False
        self._beat: asyncio.TimerHandle | None = None

    # what is read ----------------------------------------------------------------------------------------------

    def push(self, event: Event) -> None:
        """Take an event in; those that come without a pause between them are sent together."""
        data = encoded(event)
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size >= _BATCH:
            self.flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Let listeners have what was taken in."""
        self._flushing = False
        if not self._waiting:
            return
        pieces, self._waiting, self._waiting_size = self._waiting, [], 0
        starts, at = [], 0
        for piece in pieces:
            starts.append(at)
            at += len(piece)
        first, self._next = self._next, self._next + len(pieces)
        self.batches.append(Batch(first=first, last=self._next - 1, data=b"".join(pieces), starts=tuple(starts)))
        self._size += at
        while self._size > KEPT_BYTES and len(self.batches) > 1:
            self._size -= len(self.batches.popleft().data)
            self.dropped += 1
        self._tell()

    def close(self, end: bytes) -> None:
        """Let listeners end with this when they have had everything."""
        self.flush()
        self.end = end
        self._tell()

    def beat(self) -> None:
        """Let listeners be told now and then that the line is open."""
        self._tell()
        self._beat = asyncio.get_running_loop().call_later(HEARTBEAT, self.beat)

    def stop(self) -> None:
        """Read no more."""
        if self._beat is not None:
            self._beat.cancel()
        if self.reader is not None:
            self.reader.cancel()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    # what is heard ---------------------------------------------------------------------------------------------

    async def listen(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield what is sent of the events that come after number `after`, which the feed has had or will have."""
        number = self._number_of(after + 1)
        while True:
            while number < self.dropped + len(self.batches):
                if number < self.dropped:
                    yield said("lagged", {"after": after})
                    return
                batch = self.batches[number - self.dropped]
                number += 1
                if batch.last > after:
                    yield batch.after(after)
                    after = batch.last
            if self.end is not None:
                yield self.end
                return
            told = self.dropped + len(self.batches)
            await self._news.wait()
            if told == self.dropped + len(self.batches) and self.end is None:
                yield _BEAT

    def _number_of(self, seq: int) -> int:
        """Return which batch has an event, or will have it; the first that is kept, when it is no longer kept."""
        for place, batch in enumerate(self.batches):
            if seq <= batch.last:
                return self.dropped + place
        return self.dropped + len(self.batches)

    @property
    def oldest(self) -> int:
        """Return the number of the first event that it still has, or will have next."""
        return self.batches[0].first if self.batches else self._next


class Feeds:
    """The feeds of a server, each for as long as somebody listens."""

    def __init__(self, swarm: LiveSwarm) -> None:
        self._swarm = swarm
        self._by_run: dict[str, Feed] = {}

    async def listen(self, run_id: str, last: int, after: int) -> AsyncGenerator[bytes, None]:
        """Yield what is sent of a run's events after number `after`; `last` is the newest that is known.

        It ends with an event `end` that says how the run stands when it has ended or nobody holds it; without one when
        the server leaves; or with `lagged` or `error`.
        """
        with self._feed(run_id, last) as feed:
            while after + 1 < feed.oldest:  # what came before the feed is read for this listener alone
                page = await self._swarm.history.events(run_id, after, _PAGE)
                if not page:
                    break
                yield b"".join(encoded(event) for event in page)
                after = page[-1].seq
            async with aclosing(feed.listen(after)) as pieces:
                async for piece in pieces:
                    yield piece

    @contextmanager
    def _feed(self, run_id: str, last: int) -> Iterator[Feed]:
        feed = self._by_run.get(run_id)
        if feed is None or (feed.end is not None and not feed.complete):
            feed = self._by_run[run_id] = Feed(max(1, last - _BACK))
            feed.reader = asyncio.ensure_future(self._read(run_id, feed))
            feed.beat()
        feed.listeners += 1
        try:
            yield feed
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.stop()
                if self._by_run.get(run_id) is feed:
                    del self._by_run[run_id]

    async def _read(self, run_id: str, feed: Feed) -> None:
        try:
            status = await self._follow(run_id, feed)
        except SwarmError as error:
            feed.close(said("error", problem_of(error)))
        except Exception as error:  # listeners must hear of it, whatever it is
            feed.close(said("error", {"code": "internal", "error": type(error).__name__}))
        else:
            feed.complete = status in FINAL_RUN_STATUSES
            goes_on = not feed.complete and serving_of(self._swarm).stopping.is_set()
            feed.close(b"" if goes_on else said("end", {"run_id": run_id, "status": str(status)}))

    async def _follow(self, run_id: str, feed: Feed) -> RunStatus:
        """Take in all that comes, until the run has ended or nobody holds it; return how it stands then."""
        position = feed.first
        while True:
            begin = position
            async with aclosing(self._source(run_id, position)) as events:
                async for event in events:
                    feed.push(event)
                    position = event.seq + 1
            run = await self._swarm.history.stands(run_id)
            over = run.status in FINAL_RUN_STATUSES or run.owner is None
            if over and (run.last_seq < position or position == begin):
                return run.status

    async def _source(self, run_id: str, first: int) -> AsyncGenerator[Event, None]:
        """Yield events from number `first` on, from the engine's memory where the run is here."""
        if not is_here(self._swarm, run_id):
            async for event in self._swarm.history.follow(run_id, first - 1):
                yield event
            return
        position = first
        if run_id in self._swarm.engine.state.parked:  # the engine tells what comes when it goes on
            for each in await self._swarm.history.events(run_id, first - 1):
                yield each
                position = each.seq + 1
        async with aclosing(self._swarm.engine.follow(run_id, position)) as live:
            async for event in live:
                yield event


def feeds_of(swarm: LiveSwarm) -> Feeds:
    """Return the feeds of the server that serves a swarm."""
    feeds: Feeds = swarm.services.setdefault(Feeds, Feeds(swarm))
    return feeds


def encoded(event: Event) -> bytes:
    """Return an event as it is sent: its number as id, its kind as the event's name, all of it as data."""
    return f"id: {event.seq}\n".encode() + said(event.kind, event.as_json())


def said(kind: str, data: Any) -> bytes:
    """Return one server-sent event without an id."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
