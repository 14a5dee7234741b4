"""Connections that cost no more than they may: bounded heads, time for them and for answers, and a bounded number."""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from swarm_plugin_server.settings import ServerSettings

LARGEST_HEAD = 32 * 1024

_MOST_HEADERS = 100


class BoundedProtocol(HttpToolsProtocol):
    """HTTP over one connection.

    The head of a request is bounded in size and in time. A client that for some time takes nothing of what is sent to
    it is cut off. When there are too many connections, the one that has been idle the longest makes room; when none is
    idle, the new one is closed.
    """

    settings: ServerSettings

    _head = 0
    _head_timer: asyncio.TimerHandle | None = None
    _idle = True
    _idle_since = 0.0
    _stall_timer: asyncio.TimerHandle | None = None
    _unsent = 0

    @classmethod
    def bounded_by(cls, settings: ServerSettings) -> type[BoundedProtocol]:
        """Return the protocol for a server with these settings."""
        return type("BoundedBySettings", (cls,), {"settings": settings})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, if there is room."""
        full = len(self.connections) >= self.settings.max_connections
        if full and not self._make_room():
            transport.abort()
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # whatever the system does not take at once is noticed
        self._await_head()

    def _make_room(self) -> bool:
        # a set keeps no order: among thousands of idle ones the longest idle is found by looking at each
        idle = [each for each in self.connections if isinstance(each, BoundedProtocol) and each._idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda each: each._idle_since)
        oldest.transport.close()
        self.connections.discard(oldest)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_is_here()
        self._goes_on()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on: WebSockets have their own limits."""
        self._goes_on()
        self.transport.set_write_buffer_limits()
        super().handle_websocket_upgrade()

    # a client that does not read -----------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent to it."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on: it has taken everything."""
        self._goes_on()
        super().resume_writing()

    def _watch(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(self.settings.stall, self._look)

    def _look(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch()
        else:
            self.transport.abort()

    def _goes_on(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    # the head of a request -----------------------------------------------------------------------------------

    def _await_head(self) -> None:
        self._idle_since = self.loop.time()
        self._head_timer = self.loop.call_later(self.settings.header_time, self._too_slow)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self._idle:
            self._refuse(408, "the head of the request came too slowly")
        elif not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        super().on_message_begin()
        self._head, self._idle = 0, False
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.settings.header_time, self._too_slow)

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the head was refused."""
        self._head_is_here()
        if self.transport.is_closing():
            return
        if not self.url.startswith((b"/", b"*")):
            self._put_target_in_place_of_host()
        super().on_headers_complete()

    def _put_target_in_place_of_host(self) -> None:
        """Let a target such as `http://name/path` say whom the request is for (RFC 9112, 3.2.2)."""
        target = httptools.parse_url(self.url)
        port = b"" if target.port is None else b":%d" % target.port
        self.headers[:] = [each for each in self.headers if each[0] != b"host"]
        self.headers.append((b"host", (target.host or b"") + port))

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle, self._idle_since = not self.pipeline, self.loop.time()
        super().on_response_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LARGEST_HEAD or len(self.headers) > _MOST_HEADERS:
            self._refuse(431, f"the head of a request has at most {LARGEST_HEAD} bytes and {_MOST_HEADERS} headers")

    def _refuse(self, status: int, why: str) -> None:
        if self.transport.is_closing():
            return
        body = why.encode()
        head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
