"""What an operator is to be told, and, where a reply is awaited, what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from swarm_core.errors import WorkerFailed
from swarm_plugin_server.operators.frames import Reply

Make = Callable[[str, str], Mapping[str, Any]]
"""Makes a frame with a req_id for a client that reaches the server at a base URL."""


class OperatorGone(WorkerFailed):
    """An operator's session ended, or gave up the role, before it replied."""

    def __init__(self, sid: str) -> None:
        self.sid = sid
        super().__init__(f"the operator {sid} left before it replied", kind="operator_gone")


@define(eq=False, kw_only=True)
class Parked:
    """A frame that is kept until it is sent, or, when it asks for a reply of class `wants`, until that is there.

    `seat` is the id under which the operator was asked: its own, or that of a role; `task_id` is what it is about.
    """

    req_id: str
    seat: str
    task_id: str
    make: Make
    wants: type[Reply] | None = None
    sent: bool = False
    reply: asyncio.Future[Reply] | None = field(default=None)

    def give_up(self, sid: str) -> None:
        """Tell whoever waits for the reply that none will come."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(OperatorGone(sid))
