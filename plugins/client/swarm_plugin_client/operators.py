"""A seat at a server: work comes as frames over a WebSocket, and is answered over it."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from attrs import frozen
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import process_exception
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from swarm_plugin_client import asks
from swarm_plugin_client.answers import mapping
from swarm_plugin_client.credentials import is_loopback
from swarm_plugin_client.errors import BadAnswer, SeatTaken, ServerUnreachable, refusal_of
from swarm_plugin_client.sending import AsyncSender

_TAKEN = 4001
_LARGEST = 16 * 1024 * 1024
_DELAYS = (0.1, 0.3, 1.0, 3.0)  # seconds between tries to connect again; the last one stays
_SECRETS = ("capability_token", "worker_handle", "directive")  # the directive names the handle

_logger = logging.getLogger(__name__)
_logger.setLevel(logging.INFO)  # below that the library writes headers, and with them the token


@frozen(eq=False, repr=False)
class Frame:
    """What the server puts before an operator.

    `type` is `spawn` (work: task_id, agent, attempt, capability_token, worker_handle, directive), `ask` (a question for
    a senior: task_id, question), `hook_before` or `hook_after`, or a kind that came later. `facts` has all its fields.
    """

    type: str
    req_id: str
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def __repr__(self) -> str:
        told = {name: value for name, value in self.facts.items() if name not in (*_SECRETS, "type")}
        return f"Frame({self.type!r}, {told})"


class OperatorSession:
    """An operator that is registered at a server; it sits at its seats while somebody iterates over `frames()`.

    It outlives connections: keep `sid` and `token` to come back to it with `client.operators.session(sid, token)`.
    """

    def __init__(self, sender: AsyncSender, sid: str, token: str, roles: tuple[str, ...] = ()) -> None:
        self._sender = sender
        self._connection: ClientConnection | None = None
        self._was_there = self._left = False
        self.sid, self.token, self.roles = sid, token, roles

    @classmethod
    def of(cls, sender: AsyncSender, told: Mapping[str, Any]) -> OperatorSession:
        """Return the session that a server has begun."""
        sid, token, roles = told.get("sid"), told.get("token"), told.get("roles") or ()
        if not isinstance(sid, str) or not isinstance(token, str):
            raise BadAnswer("the server does not say which session it has begun")
        return cls(sender, sid, token, tuple(map(str, roles)))

    def __repr__(self) -> str:
        return f"OperatorSession({self.sid!r}, roles={self.roles!r})"

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what the server puts before this operator, as it comes; when the connection breaks, connect again.

        Raises: SeatTaken, when another connection of this session takes its place; ServerRefused, when the session is
        over or the token is not its own; ServerUnreachable, when no server answers at first.
        """
        try:
            made = cast(AsyncGenerator[ClientConnection, None], aiter(self._connections()))
            async with aclosing(made) as connections:
                async for connection in connections:
                    self._connection, self._was_there = connection, True
                    async for frame in self._frames_of(connection):
                        yield frame
                    if self._left:
                        return
                    if connection.close_code == _TAKEN:
                        raise SeatTaken(f"another connection of operator {self.sid} has taken its place")
        except InvalidStatus as error:
            raise _refused(error) from None
        except (OSError, WebSocketException) as error:
            what = f"no server answers at {self._sender.reach.url}: {error}"
            raise ServerUnreachable(what, hint="start one with `swarm serve`") from None

    async def _frames_of(self, connection: ClientConnection) -> AsyncIterator[Frame]:
        try:
            async for text in connection:
                yield _frame(text)
        except ConnectionClosed:
            pass
        finally:
            if self._connection is connection:
                self._connection = None

    async def done(self, frame: Frame, value: Any = None, *, ok: bool = True, error: str | None = None) -> None:
        """Tell that the work of a `spawn` frame is done; a result that was submitted with its handle counts first."""
        told = {} if error is None else {"error": error}
        await self._send({"type": "spawn_ack", "req_id": frame.req_id, "value": value, "ok": ok, **told})

    async def answer(self, frame: Frame, value: Any) -> None:
        """Answer an `ask` frame."""
        await self._send({"type": "answer", "req_id": frame.req_id, "value": value})

    async def allow(self, frame: Frame) -> None:
        """Let the attempt of a `hook_before` frame begin."""
        await self._send({"type": "hook_ack", "req_id": frame.req_id, "ok": True})

    async def refuse(self, frame: Frame, reason: str) -> None:
        """Do not let the attempt of a `hook_before` frame begin."""
        await self._send({"type": "hook_ack", "req_id": frame.req_id, "ok": False, "reason": reason})

    async def acquire(self, roles: Iterable[str]) -> None:
        """Sit down at more seats, whoever sits there."""
        wanted = tuple(roles)
        await self._sender.send(asks.acquire(self.sid, wanted, self.token))
        self.roles = tuple(dict.fromkeys((*self.roles, *wanted)))

    async def leave(self) -> None:
        """End the session and leave its seats to others."""
        await self._sender.send(asks.leave(self.sid, self.token))
        self._left = True
        if self._connection is not None:
            await self._connection.close()

    def _connections(self) -> connect:
        """Return connections, each made when the one before is gone."""
        reach = self._sender.reach
        secure = reach.url.startswith("https:") and not isinstance(reach.verify, bool)
        return connect(
            _ws_url(reach.url, self.sid),
            additional_headers=reach.headers(self.token),
            process_exception=self._fatal,
            reconnect_delays=_delays,
            max_size=_LARGEST,
            proxy=None if is_loopback(reach.url) else reach.proxy or True,
            logger=_logger,
            **({"ssl": reach.verify} if secure else {}),
        )

    def _fatal(self, error: Exception) -> Exception | None:
        """Return an error that ends the trying: what is lasting, and anything when nothing has answered yet."""
        if self._left or not self._was_there:
            return error
        return process_exception(error)

    async def _send(self, told: Mapping[str, Any]) -> None:
        if self._connection is None:
            hint = "frames() connects again; the frame comes anew then"
            raise ServerUnreachable("there is no connection to answer over", hint=hint)
        try:
            await self._connection.send(json.dumps(told, ensure_ascii=False, allow_nan=False))
        except ConnectionClosed:
            hint = "frames() connects again; the frame comes anew then"
            raise ServerUnreachable("the connection broke before the answer was sent", hint=hint) from None


def _delays() -> Generator[float]:
    for delay in _DELAYS:
        yield delay * random.uniform(0.5, 1.0)
    while True:
        yield _DELAYS[-1] * random.uniform(0.5, 1.0)


def _ws_url(url: str, sid: str) -> str:
    parts = urlsplit(url)
    path = f"{parts.path}/v1/operators/{sid}/ws"
    return urlunsplit(("wss" if parts.scheme == "https" else "ws", parts.netloc, path, "", ""))


def _frame(text: str | bytes) -> Frame:
    try:
        facts = mapping(json.loads(text))
    except (ValueError, RecursionError):
        raise BadAnswer("a frame of the server is no JSON") from None
    return Frame(str(facts.get("type", "")), str(facts.get("req_id", "")), facts)


def _refused(error: InvalidStatus) -> Exception:
    reply = error.response
    try:
        body = json.loads(reply.body or b"")
    except ValueError:
        body = ""
    return refusal_of(reply.status_code, body)
