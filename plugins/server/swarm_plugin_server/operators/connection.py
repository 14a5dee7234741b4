"""One WebSocket connection of an operator's session: a reader, a writer, and what ends them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from attrs import define, field, frozen
from starlette.websockets import WebSocket, WebSocketDisconnect

from swarm_core.errors import TokenRevoked
from swarm_plugin_server.operators.frames import BadFrame, error_frame, read_reply, written
from swarm_plugin_server.operators.parked import Parked
from swarm_plugin_server.operators.session import Session

POLICY, TOO_FAST = 1008, 1013
_CLOSED = (None, "")


@frozen(kw_only=True)
class ConnectionLimits:
    """What one connection may do. `bad` frames end it; `rate` messages a second are read, `burst` at once.

    A client that does not take a message within `send_time` seconds, or lets `queue` frames pile up, is taken for gone.
    """

    bad: int = 10
    rate: float = 200.0
    burst: int = 1000
    send_time: float = 30.0
    queue: int = 5000


@define(eq=False)
class Connection:
    """Reads replies and writes frames until either side ends it."""

    _socket: WebSocket
    _session: Session
    _base_url: str
    _limits: ConnectionLimits = field(factory=ConnectionLimits)
    _queue: deque[Parked | dict[str, Any]] = field(factory=deque, init=False)
    _news: asyncio.Event = field(factory=asyncio.Event, init=False)
    _end: asyncio.Future[tuple[int | None, str]] = field(init=False)
    _bad: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._end = asyncio.get_running_loop().create_future()

    def put(self, parked: Parked) -> None:
        """Send a frame after those that were put before, unless nobody waits for it any more by then."""
        self._add(parked)

    def tell(self, frame: dict[str, Any]) -> None:
        """Send a frame that is of no use later."""
        self._add(frame)

    def _add(self, what: Parked | dict[str, Any]) -> None:
        self._queue.append(what)
        self._news.set()
        if len(self._queue) > self._limits.queue:
            self.end(TOO_FAST, "the client does not read")

    def end(self, code: int | None, reason: str = "") -> None:
        """Close the connection; the first reason counts."""
        if not self._end.done():
            self._end.set_result((code, reason))

    async def run(self) -> None:
        """Read and write until the end."""
        async with asyncio.TaskGroup() as group:
            both = (group.create_task(self._read()), group.create_task(self._write()))
            try:
                code, reason = await self._end
            finally:
                for one in both:
                    one.cancel()
        if code is not None:
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(self._limits.send_time):
                    await self._socket.close(code, reason)

    # reading -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        pace = _Pace(self._limits.rate, self._limits.burst)
        while not self._end.done():
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return self.end(*_CLOSED)
            if self._end.done():
                return None  # a newer connection has taken over: what came here late does not count
            if not pace.allows():
                return self.end(TOO_FAST, f"more than {self._limits.rate:g} messages a second")
            await self._receive(message)
        return None

    async def _receive(self, message: Any) -> None:
        text = message.get("text")
        try:
            if text is None:
                raise BadFrame("binary", "a frame is text, and this message is binary")
            self._session.take(read_reply(text))
        except BadFrame as error:
            await self._refuse(error)

    async def _refuse(self, error: BadFrame) -> None:
        """Tell what is wrong with a frame; a client that only sends what is wrong is shut out.

        It is sent here and not queued: who sends without reading is not read any further.
        """
        if error.reason != "stale_ack":
            self._bad += 1
        await self._send(error_frame(error.reason, error.message, req_id=error.req_id, hint=error.hint))
        if self._bad >= self._limits.bad:
            self.end(POLICY, f"{self._bad} frames that the protocol does not have")

    # writing -------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while not self._end.done():
            while self._queue:
                await self._write_one(self._queue.popleft())
            self._news.clear()
            await self._news.wait()

    async def _write_one(self, what: Parked | dict[str, Any]) -> None:
        if not isinstance(what, Parked):
            await self._send(what)
        elif self._session.waits(what):
            with suppress(TokenRevoked):  # the attempt has just ended
                if await self._send(what.make(what.req_id, self._base_url)):
                    self._session.was_sent(what)

    async def _send(self, frame: Any) -> bool:
        """Send a frame and tell whether it went out; a client that does not take it is taken for gone."""
        try:
            async with asyncio.timeout(self._limits.send_time):
                await self._socket.send_text(written(frame))
        except TimeoutError:
            self.end(TOO_FAST, "the client does not read")
            return False
        except (WebSocketDisconnect, RuntimeError):
            self.end(*_CLOSED)
            return False
        return True


@define(eq=False)
class _Pace:
    """A token bucket."""

    _rate: float
    _burst: float
    _left: float = field(init=False)
    _at: float = field(factory=time.monotonic, init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self._burst

    def allows(self) -> bool:
        """Take one token; tell whether there was one."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
