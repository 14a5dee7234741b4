"""Following a run's events over a connection that may break: what comes after is asked for, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from enum import Enum
from typing import Any

import httpx2
from tenacity import RetryCallState, Retrying, wait_random_exponential

from swarm_core.model.event import Event
from swarm_plugin_client import answers, asks
from swarm_plugin_client.errors import BadAnswer, ClientError, ServerRefused, refusal_of
from swarm_plugin_client.sending import AsyncSender, Reach, Sender, failed, refused

PATIENCE = 60.0  # seconds for which a server that was there may be away
_SILENCE = 50.0  # seconds: a server sends something every 15
_CONNECT = 5.0
_AWAY = (429, 502, 503, 504)
_LARGEST = 64 * 1024 * 1024
_WAIT = wait_random_exponential(multiplier=0.1, max=5.0)


class _Mark(Enum):
    """What a message can be beside an event."""

    END = "end"
    AGAIN = "again"
    NOTHING = "nothing"


class _Place:
    """How far a run was followed, and for how long its server may still be away."""

    def __init__(self, reach: Reach, run_id: str, after: int, patience: float) -> None:
        self.reach, self.run_id, self.after = reach, run_id, after
        self._patience, self._heard_at, self._failures, self._was_there = patience, time.monotonic(), 0, False

    def request(self) -> dict[str, Any]:
        """Return what the stream of events from here on is asked for with."""
        here = {"Last-Event-ID": str(self.after)} if self.after else {}
        return {
            "url": asks.stream_path(self.run_id),
            "headers": {**self.reach.headers(), **here},
            "timeout": httpx2.Timeout(self.reach.timeout, connect=_CONNECT, read=_SILENCE),
            "max_event_size": _LARGEST,
        }

    def take(self, message: httpx2.ServerSentEvent) -> Event | _Mark:
        """Return the event that a message brings, if it is new here."""
        self._heard_at, self._failures, self._was_there = time.monotonic(), 0, True
        if message.event == "end":
            return _Mark.END
        if message.event == "lagged":
            return _Mark.AGAIN
        if message.event == "error":
            raise refusal_of(500, _told(message))
        event = _event(message)
        if event.seq <= self.after:
            return _Mark.NOTHING
        self.after = event.seq
        return event

    def pause(self, error: ClientError | None) -> float:
        """Return how long to wait before the next try; raises the error when the server was away for too long."""
        self._failures += 1
        away = time.monotonic() - self._heard_at
        refusal = isinstance(error, ServerRefused)
        lasting = refusal and error.status not in _AWAY  # type: ignore[union-attr]
        at_first = not self._was_there and self._failures > self.reach.retries
        if error is not None and (lasting or at_first or away > self._patience):
            raise error
        asked = error.retry_after if isinstance(error, ServerRefused) else None
        return asked if asked is not None else self._longer()

    def _longer(self) -> float:
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self._failures
        return _WAIT(state)


def _event(message: httpx2.ServerSentEvent) -> Event:
    return answers.read_event(_told(message))


def _told(message: httpx2.ServerSentEvent) -> Any:
    try:
        return json.loads(message.data)
    except (ValueError, RecursionError):
        raise BadAnswer("an event of the server is no JSON") from None


async def follow(
    sender: AsyncSender, run_id: str, after: int = 0, *, patience: float = PATIENCE
) -> AsyncGenerator[Event, None]:
    """Yield the events of a run that come after number `after`, until the server says that no more will come."""
    place = _Place(sender.reach, run_id, after, patience)
    while True:
        problem: ClientError | None = None
        try:
            async with sender.http.sse(**place.request()) as source:
                if not source.response.is_success:
                    await source.response.aread()
                    raise refused(source.response)
                async for message in source:
                    taken = place.take(message)
                    if isinstance(taken, Event):
                        yield taken
                    elif taken is _Mark.END:
                        return
                    elif taken is _Mark.AGAIN:
                        break
        except httpx2.RequestError as error:
            problem = failed(sender.reach, error)
        except ServerRefused as error:
            problem = error
        await asyncio.sleep(place.pause(problem))


def follow_in_order(sender: Sender, run_id: str, after: int = 0, *, patience: float = PATIENCE) -> Iterator[Event]:
    """Yield events as `follow` does."""
    place = _Place(sender.reach, run_id, after, patience)
    while True:
        problem: ClientError | None = None
        try:
            with sender.http.sse(**place.request()) as source:
                if not source.response.is_success:
                    source.response.read()
                    raise refused(source.response)
                for message in source:
                    taken = place.take(message)
                    if isinstance(taken, Event):
                        yield taken
                    elif taken is _Mark.END:
                        return
                    elif taken is _Mark.AGAIN:
                        break
        except httpx2.RequestError as error:
            problem = failed(sender.reach, error)
        except ServerRefused as error:
            problem = error
        time.sleep(place.pause(problem))
