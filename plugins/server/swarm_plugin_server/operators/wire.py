"""WebSockets on the wire: a peer that is gone, or reads nothing, is not waited for."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_LAST = 5.0  # seconds that a closed connection has to take what is still to be sent


class ClosingProtocol(WebSocketsSansIOProtocol):
    """A WebSocket whose end is the end of its connection.

    A transport that is closed goes on waiting until its buffer is sent: for ever, when the peer reads nothing.
    """

    def keepalive_timeout(self) -> None:
        """Give up a peer that does not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    async def run_asgi(self) -> None:
        """Serve the connection, and see to it that it ends with that."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(_LAST, self.transport.abort)
