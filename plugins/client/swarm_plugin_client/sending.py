"""Sending calls and reading answers: over which connection, how long, how often."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from attrs import field, frozen
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from swarm_plugin_client.ask import Ask
from swarm_plugin_client.asks import made_whole, made_whole_by
from swarm_plugin_client.credentials import checked, find_token, is_loopback, server_url
from swarm_plugin_client.errors import BadAnswer, ClientError, ServerRefused, ServerUnreachable, refusal_of

T = TypeVar("T")

_AGAIN = (429, 502, 503, 504)  # statuses after which the same call may go through
_LONGEST_WAIT = 60.0  # seconds; a server that asks for more is left alone
_CONNECT = 5.0  # seconds
_WAIT = wait_random_exponential(multiplier=0.2, max=5.0)


@frozen(kw_only=True, eq=False)
class Reach:
    """How a server is reached.

    `timeout` is how many seconds an answer may take to begin, `retries` how often a call that may be repeated is
    repeated. `proxy` is a URL; None means what the environment says, and none for this machine. `verify` are what TLS
    certificates are checked against: a context, True for the system's.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    retries: int = 3
    proxy: str | None = field(default=None, repr=False)
    verify: Any = True

    @classmethod
    def to(cls, base_url: str, token: str | None, *, token_file: str | Path | None = None, **manner: Any) -> Reach:
        """Return how a server is reached at an address; raises SettingsError."""
        url = server_url(base_url)
        project = Path(".swarm", "server.token")
        found = checked(token, "token") if token else find_token(url, file=token_file, beside=project)
        return cls(url=url, token=found, **manner)

    @property
    def options(self) -> Mapping[str, Any]:
        """Return what httpx2's clients are opened with."""
        return {
            "base_url": self.url,
            "timeout": httpx2.Timeout(self.timeout, connect=_CONNECT),
            "proxy": self.proxy,
            "verify": self.verify if self.url.startswith("https:") else _trust_nobody(),
            # neither a proxy nor a .netrc of the environment has a say in what stays on this machine
            "trust_env": not is_loopback(self.url),
        }

    def headers(self, token: str | None = None) -> dict[str, str]:
        """Return the header that has the token; `token` takes the place of the client's own."""
        shown = self.token if token is None else checked(token, "token")
        return {} if shown is None else {"Authorization": f"Bearer {shown}"}

    def unreachable(self, error: Exception) -> ServerUnreachable:
        """Return the error for a connection that failed."""
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            message = f"no server answers at {self.url}: {_reason(error)}"
            return ServerUnreachable(
                message, hint="start one with `swarm serve`, or name another one with --server URL"
            )
        if isinstance(error, httpx2.TimeoutException):
            return ServerUnreachable(f"the server at {self.url} did not answer within {self.timeout:g} s")
        return ServerUnreachable(f"the connection to {self.url} broke: {_reason(error)}")


def _trust_nobody() -> ssl.SSLContext:
    """Return what TLS is checked against where there is none: reading the system's certificates takes 20 to 50 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _reason(error: Exception) -> str:
    """Return why a connection failed, from as deep below as something was said."""
    cause: BaseException | None = error
    said = ""
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
        said = str(cause) or said
        cause = cause.__cause__ or cause.__context__
    return said or type(error).__name__


# one call ----------------------------------------------------------------------------------------------------


def request_of(reach: Reach, ask: Ask[Any]) -> dict[str, Any]:
    """Return what httpx2 is asked to send."""
    body: dict[str, Any] = {} if ask.content is None else {"content": ask.content}
    if ask.body is not None:
        body = {"json": ask.body}
    timeout = {"timeout": httpx2.Timeout(reach.timeout, connect=_CONNECT, read=None)} if ask.held else {}
    return {
        "method": ask.method,
        "url": ask.path,
        "params": ask.query or None,
        "headers": {**reach.headers(ask.token), **ask.headers},
        **body,
        **timeout,
    }


def read_reply(reach: Reach, ask: Ask[T], reply: httpx2.Response) -> T:
    """Return what the server answered; raises ServerRefused, BadAnswer."""
    if reply.is_error:
        raise refused(reply)
    if not reply.is_success:
        message = f"{reach.url} answers {reply.status_code} {reply.reason_phrase}"
        raise BadAnswer(message, hint="is it the address of a swarm server?")
    return ask.read(_value(reply))


def refused(reply: httpx2.Response) -> ServerRefused:
    """Return the error for an answer that was read and is a refusal."""
    try:
        body = _value(reply)
    except BadAnswer:
        body = reply.text
    return refusal_of(reply.status_code, body, retry_after=_seconds(reply.headers.get("Retry-After")))


def _value(reply: httpx2.Response) -> Any:
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not reply.content:
        return None
    if media_type != "application/json" and not media_type.endswith("+json"):
        return reply.text
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        raise BadAnswer(f"{reply.url.host} answers with something that is no JSON") from None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None


# again -------------------------------------------------------------------------------------------------------


def _may_go_through(error: BaseException) -> bool:
    if isinstance(error, ServerRefused):
        # what speaks of a run is its outcome, not the server's state
        return error.status in _AGAIN and "run_id" not in error.document and (error.retry_after or 0) <= _LONGEST_WAIT
    return isinstance(error, ServerUnreachable)


def _pause(state: RetryCallState) -> float:
    """Return how long to wait: what the server asks for, else longer each time."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, ServerRefused) else None
    return _WAIT(state) if asked is None else asked


def _manner(reach: Reach, ask: Ask[Any]) -> dict[str, Any]:
    tries = 1 + (reach.retries if ask.repeatable else 0)
    return {
        "stop": stop_after_attempt(tries),
        "retry": retry_if_exception(_may_go_through),
        "wait": _pause,
        "reraise": True,
    }


class Sender:
    """Sends calls one after the other, and waits for each answer."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.http = httpx2.Client(**reach.options)

    def send(self, ask: Ask[T]) -> T:
        """Return the answer of a call; raises ClientError."""
        if (before := made_whole_by(ask)) is not None:
            ask = made_whole(ask, self.send(before))
        for attempt in Retrying(**_manner(self.reach, ask)):
            with attempt:
                return self._once(ask)
        raise AssertionError("the last attempt raises")

    def _once(self, ask: Ask[T]) -> T:
        try:
            reply = self.http.request(**request_of(self.reach, ask))
        except httpx2.RequestError as error:
            raise failed(self.reach, error) from None
        return read_reply(self.reach, ask, reply)


class AsyncSender:
    """Sends calls side by side."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.http = httpx2.AsyncClient(**reach.options)

    async def send(self, ask: Ask[T]) -> T:
        """Return the answer of a call; raises ClientError."""
        if (before := made_whole_by(ask)) is not None:
            ask = made_whole(ask, await self.send(before))
        async for attempt in AsyncRetrying(**_manner(self.reach, ask)):
            with attempt:
                return await self._once(ask)
        raise AssertionError("the last attempt raises")

    async def _once(self, ask: Ask[T]) -> T:
        try:
            reply = await self.http.request(**request_of(self.reach, ask))
        except httpx2.RequestError as error:
            raise failed(self.reach, error) from None
        return read_reply(self.reach, ask, reply)


def failed(reach: Reach, error: httpx2.RequestError) -> ClientError:
    """Return the error for a call that got no answer."""
    if isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.UnsupportedProtocol):
        return reach.unreachable(error)
    return BadAnswer(f"the answer of {reach.url} cannot be read: {type(error).__name__}")
