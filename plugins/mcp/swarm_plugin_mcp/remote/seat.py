"""An operator session at a server: frames come over its WebSocket for as long as this process lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from swarm_core.errors import SwarmError
from swarm_plugin_mcp.backend import Reply
from swarm_plugin_mcp.mailbox import Mailbox
from swarm_plugin_mcp.replies import answered

if TYPE_CHECKING:
    from swarm_plugin_client import OperatorSession


class RemoteSeat:
    """Keeps the promises of `SeatHeld`."""

    def __init__(self, session: OperatorSession) -> None:
        self._session = session
        self.sid, self.roles, self.mailbox = session.sid, session.roles, Mailbox()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for frame in self._session.frames():
                self.mailbox.put(frame.facts)
        except SwarmError as error:
            self.mailbox.fail(error)

    async def reply(self, req_id: str, reply: Reply) -> None:
        """Send the answer to a frame."""
        from swarm_plugin_client import Frame

        facts = answered(self.mailbox, req_id, reply)
        frame = Frame(facts["type"], req_id, facts)
        if reply.kind == "spawn_ack":
            await self._session.done(frame, reply.value, ok=reply.ok, error=reply.error)
        elif reply.kind == "answer":
            await self._session.answer(frame, reply.value)
        elif reply.ok:
            await self._session.allow(frame)
        else:
            await self._session.refuse(frame, reply.error or "refused by the operator")
        self.mailbox.drop(req_id)

    async def leave(self) -> None:
        """End the session, and the connection."""
        try:
            await self._session.leave()
        finally:
            self._listening.cancel()
            await asyncio.wait((self._listening,))
