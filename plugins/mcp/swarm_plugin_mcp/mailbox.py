"""What an operator session was sent and has not answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from attrs import define, field

from swarm_core.errors import SwarmError

REPLIES: Mapping[str, str] = {"ask": "answer", "hook_before": "hook_ack", "spawn": "spawn_ack"}
"""The kind of the reply that each type of frame wants; other types want none."""

_MOST = 10_000


@define(eq=False)
class Mailbox:
    """Frames in the order in which they came; those that want an answer are kept until they have it.

    `trouble` is why no more will come.
    """

    news: asyncio.Event = field(factory=asyncio.Event)
    trouble: SwarmError | None = None
    _unread: dict[str, Mapping[str, Any]] = field(factory=dict, init=False)
    _unanswered: dict[str, Mapping[str, Any]] = field(factory=dict, init=False)

    def put(self, frame: Mapping[str, Any]) -> None:
        """Take in a frame; one that was sent before is the same frame."""
        type_ = str(frame["type"])
        key = str(frame.get("req_id") or uuid4())
        if type_ in REPLIES:
            if key in self._unanswered:
                return
            self._unanswered[key] = frame
        self._unread[key] = frame
        for kept in (self._unread, self._unanswered):
            while len(kept) > _MOST:
                del kept[next(iter(kept))]
        self._note()

    def fail(self, error: SwarmError) -> None:
        """Note that no more will come."""
        self.trouble = error
        self._note()

    def drop(self, req_id: str) -> None:
        """Forget a frame: it has its answer, or nobody waits for one any more."""
        self._unread.pop(req_id, None)
        self._unanswered.pop(req_id, None)
        self._note()

    def again(self) -> None:
        """Put what has no answer yet before the reader once more."""
        self._unread = {**self._unanswered, **self._unread}
        self._note()

    async def take(self, timeout: float) -> Mapping[str, Any] | None:
        """Return the oldest frame that was not read, None when none came in time; raises `trouble`."""
        try:
            async with asyncio.timeout(timeout):
                await self.news.wait()
        except TimeoutError:
            return None
        if not self._unread:
            assert self.trouble is not None
            raise self.trouble
        frame = self._unread.pop(next(iter(self._unread)))
        self._note()
        return frame

    @property
    def unread(self) -> int:
        """How many frames were not read."""
        return len(self._unread)

    @property
    def unanswered(self) -> list[str]:
        """The frames that want an answer, by their `req_id`."""
        return list(self._unanswered)

    def frame(self, req_id: str) -> Mapping[str, Any] | None:
        """Return a frame that wants an answer."""
        return self._unanswered.get(req_id)

    def _note(self) -> None:
        if self._unread or self.trouble is not None:
            self.news.set()
        else:
            self.news.clear()
