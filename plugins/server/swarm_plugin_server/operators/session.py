"""An operator's session: what it is to be told, which replies are awaited, and its connection, if it has one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol
from uuid import uuid4

from attrs import define, field

from swarm_core.errors import WorkerFailed
from swarm_plugin_server.operators.frames import BadFrame, Reply, type_of
from swarm_plugin_server.operators.parked import Make, OperatorGone, Parked

REPLACED, RELEASED = 4001, 4002


class Line(Protocol):
    """A connection, as far as a session knows it."""

    def put(self, parked: Parked) -> None:
        """Send a frame after those that were put before."""

    def tell(self, frame: dict[str, Any]) -> None:
        """Send a frame that is of no use later."""

    def end(self, code: int, reason: str) -> None:
        """Close the connection."""


@define(eq=False, kw_only=True)
class Session:
    """One operator. Frames wait here while it is away, and until their replies are there.

    `seats` are the ids that it serves: its own and its roles, each with the generation at which it got it. `sat` says
    that it has been connected, so that its roles reach it. `most` bounds what is kept; who wants to ask more waits.
    """

    sid: str
    digest: str = field(repr=False)
    created_at: float
    seen_at: float
    roles: dict[str, int] = field(factory=dict)
    sat: bool = False
    most: int = 1000
    reply_time: float | None = None
    ended: bool = False
    line: Line | None = None
    _parked: dict[str, Parked] = field(factory=dict, init=False)
    _asking: asyncio.Semaphore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._asking = asyncio.Semaphore(self.most)

    @property
    def connected(self) -> bool:
        """Tell whether it is connected just now."""
        return self.line is not None

    @property
    def pending(self) -> int:
        """Return how many frames wait to be sent or replied to."""
        return len(self._parked)

    def asked(self) -> Iterator[str]:
        """Yield the tasks that wait for a reply of its."""
        return (parked.task_id for parked in self._parked.values() if parked.wants is not None)

    # for the engine ------------------------------------------------------------------------------------------------

    async def ask(self, kind: str, seat: str, task_id: str, make: Make, wants: type[Reply]) -> Reply:
        """Send a frame about a task and return the reply to it; `make` gets the frame's req_id and the server's URL.

        While the operator is away the frame waits. Raises: OperatorGone, when it will not come back, or not in this
        role; WorkerFailed, when there was no reply in time.
        """
        async with self._asking:
            if self.ended:
                raise OperatorGone(self.sid)
            reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            req_id = self._req_id(kind)
            parked = Parked(req_id=req_id, seat=seat, task_id=task_id, make=make, wants=wants, reply=reply)
            self._park(parked)
            try:
                async with asyncio.timeout(self.reply_time):
                    return await reply
            except TimeoutError:
                raise WorkerFailed(
                    f"the operator {self.sid} gave no reply within {self.reply_time:g} s", kind="operator_timeout"
                ) from None
            finally:
                self._drop(parked)

    def tell(self, kind: str, seat: str, task_id: str, make: Make) -> None:
        """Send a frame about a task that needs no reply, once: now, or when the operator is back.

        Raises: OperatorGone; WorkerFailed, when too much waits for the operator.
        """
        if self.ended:
            raise OperatorGone(self.sid)
        if len(self._parked) >= 2 * self.most:
            raise WorkerFailed(f"too much waits for the operator {self.sid}, who is away", kind="operator_away")
        self._park(Parked(req_id=self._req_id(kind), seat=seat, task_id=task_id, make=make))

    def _park(self, parked: Parked) -> None:
        self._parked[parked.req_id] = parked
        if self.line is not None:
            self.line.put(parked)

    def _drop(self, parked: Parked) -> None:
        """Forget a frame; the operator is told when it works on what nobody waits for any more."""
        self._parked.pop(parked.req_id, None)
        answered = parked.reply is not None and parked.reply.done() and not parked.reply.cancelled()
        if parked.sent and not answered and self.line is not None:
            self.line.tell({"type": "withdrawn", "req_id": parked.req_id})

    def _req_id(self, kind: str) -> str:
        return f"{self.sid}-{kind}-{uuid4()}"

    # for the connection --------------------------------------------------------------------------------------------

    def connect(self, line: Line) -> None:
        """Let a connection take over: it gets all that waits, in order, and the one before it is closed."""
        if self.line is not None:
            self.line.end(REPLACED, "this session has connected anew")
        self.line = line
        for parked in self._parked.values():
            line.put(parked)

    def disconnect(self, line: Line) -> None:
        """Note that a connection is over."""
        if self.line is line:
            self.line = None

    def waits(self, parked: Parked) -> bool:
        """Tell whether a frame is still to be sent."""
        return parked.req_id in self._parked

    def was_sent(self, parked: Parked) -> None:
        """Note that a frame was sent; one that needs no reply is done with."""
        parked.sent = True
        if parked.wants is None:
            self._parked.pop(parked.req_id, None)

    def take(self, reply: Reply) -> None:
        """Give a reply to whoever waits for it; raises BadFrame when nobody does, or for another sort of reply."""
        parked = self._parked.get(reply.req_id)
        if parked is None or parked.reply is None or parked.wants is None or parked.reply.done():
            raise BadFrame(
                "stale_ack",
                "nobody waits for this reply: it was given before, the attempt is over, or it is another session's",
                req_id=reply.req_id[:120],
            )
        if not isinstance(reply, parked.wants):
            said, wanted = type_of(type(reply)), type_of(parked.wants)
            raise BadFrame("wrong_reply", f"this waits for {wanted}, not {said}", req_id=reply.req_id)
        parked.reply.set_result(reply)

    # for the roster ------------------------------------------------------------------------------------------------

    def give_up(self, seats: list[str], told: dict[str, Any]) -> None:
        """Let somebody else have seats: what was asked there is given up, and the operator is told."""
        for parked in [one for one in self._parked.values() if one.seat in seats]:
            parked.give_up(self.sid)
        if self.line is not None:
            self.line.tell(told)

    def end(self) -> None:
        """End the session; whoever waits for it is told."""
        self.ended = True
        for parked in list(self._parked.values()):
            parked.give_up(self.sid)
        self._parked.clear()
        if self.line is not None:
            self.line.end(RELEASED, "the session was ended")

    def all_seats(self) -> Iterator[str]:
        """Yield the ids that reach it now: its own, and its roles once it has been connected."""
        yield self.sid
        if self.sat:
            yield from self.roles
