"""The watch over sessions: who gives no sign of life for too long is detached, and nothing of what he began ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from swarm_core.engine.events import EventLog
from swarm_core.engine.sessions import Sessions

_BREATH = 0.01


class SilenceWatch:
    """Detaches silent sessions: one timer for all of them, and none when there is nobody to watch.

    `longest` gives the seconds without a sign of life after which a session counts as gone.
    """

    def __init__(self, sessions: Sessions, events: EventLog, *, longest: Callable[[], float]) -> None:
        self._sessions, self._events, self._longest = sessions, events, longest
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        sessions.on_watched = self.begin

    def begin(self) -> None:
        """Watch from now on, when there is somebody to watch."""
        if self._timer is None and not self._closed:
            self._arm()

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def detach_silent(self) -> list[str]:
        """Detach the sessions that were silent for too long, and forget those whose time is over; return the first."""
        silent = self._sessions.silent(self._longest())
        for session in silent:
            self._sessions.detach(session, self._events)
        self._sessions.drop_expired(self._events)
        return [session.id for session in silent]

    def _arm(self) -> None:
        left = self._sessions.until_silent(self._longest())
        if left is not None:
            self._timer = asyncio.get_running_loop().call_later(max(left, _BREATH), self._look)

    def _look(self) -> None:
        self._timer = None
        self.detach_silent()
        self._arm()
