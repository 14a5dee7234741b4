"""What a request carries: bounded, read strictly, and made into what the endpoint asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from swarm_core.codec import Limits, load_json, structure
from swarm_core.codec.json_schema import misfit
from swarm_core.endpoints import Endpoint
from swarm_core.errors import DocumentError
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.settings import ServerSettings

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Sequence[tuple[bytes, bytes]]

NAME = "body"

_MOST_ON_THE_LOOP = 64 * 1024  # bytes of JSON that are read without a thread; 64 KiB take about a millisecond


class ClientGone(Exception):
    """Whoever called has gone before everything had come, or before there was an answer."""


async def until_gone(receive: Receive) -> None:
    """Wait until whoever called has gone; what still comes is thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def body_of(endpoint: Endpoint, headers: Headers, receive: Receive, settings: ServerSettings) -> Any:
    """Return a request's body as the endpoint declares it; None without one.

    Raises: Refused: 400 for what is no JSON, 408 for what comes too slowly, 413 for what is too large, 415 for another
    media type or encoding, 422 for other fields than the endpoint's; ClientGone.
    """
    raw = endpoint.body is bytes
    most = settings.max_raw_body if raw else settings.max_body
    said = _said_length(headers, most)
    if endpoint.body is None:
        if said:
            await _drain(receive, most, settings)
        return None
    if _header(headers, b"content-encoding") not in (None, "identity"):
        raise Refused(415, "encoded_body", "compressed bodies are not read", hint="leave Content-Encoding out")
    data = await _gather(receive, most, settings)
    if raw:
        return data
    if not data and endpoint.optional_body:
        return None
    _check_media_type(_header(headers, b"content-type"))
    value = await _value_of(data, most)
    return _made(value, endpoint.body, endpoint.wrong_fields)


def _said_length(headers: Headers, most: int) -> int | None:
    """Return what a request says of its length, whether it is chunked (None), or 0."""
    if _header(headers, b"transfer-encoding") is not None:
        return None
    text = _header(headers, b"content-length") or "0"
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "bad_length", "Content-Length is no number")
    if len(text) > len(str(most)) or int(text) > most:
        raise _too_large(most)
    return int(text)


async def _gather(receive: Receive, most: int, settings: ServerSettings) -> bytes:
    pieces, size = [], 0
    try:
        async with asyncio.timeout(settings.body_time):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                piece = message.get("body", b"")
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        text = f"the body did not arrive within {settings.body_time:g} seconds"
        raise Refused(408, "slow_body", text, headers={"connection": "close"}) from None


async def _drain(receive: Receive, most: int, settings: ServerSettings) -> None:
    if await _gather(receive, most, settings):
        raise Refused(400, "unexpected_body", "this call takes no body", hint="leave the body out")


def _check_media_type(text: str | None) -> None:
    media_type, *parameters = (text or "").lower().split(";")
    charsets = [part.strip() for part in parameters if part.strip().startswith("charset=")]
    if media_type.strip() != "application/json" or any(each not in _CHARSETS for each in charsets):
        hint = "send the header Content-Type: application/json"
        raise Refused(415, "media_type", "the body must be JSON in UTF-8", hint=hint)


_CHARSETS = ("charset=utf-8", 'charset="utf-8"', "charset=utf8")


async def _value_of(data: bytes, most: int) -> Any:
    limits = Limits(size=most)
    try:
        if len(data) <= _MOST_ON_THE_LOOP:
            return load_json(data, name=NAME, limits=limits).value
        return (await asyncio.to_thread(load_json, data, name=NAME, limits=limits)).value
    except DocumentError as error:
        raise _unreadable(400, error) from None


def _made(value: Any, body: type | Mapping[str, Any], status: int) -> Any:
    """Return a JSON value as an instance of the endpoint's model, or as it is when it fits the endpoint's schema."""
    if isinstance(body, type):
        try:
            return structure(value, body)
        except DocumentError as error:
            raise _unreadable(status, error) from None
    wrong = misfit(body, value)
    if wrong is not None:
        raise Refused(status, "bad_body", wrong)
    return value


def _unreadable(status: int, error: DocumentError) -> Refused:
    return Refused(status, "bad_body", error.message, hint=error.hint, problems=error.problems)


def _header(headers: Headers, name: bytes) -> str | None:
    return next((value.decode("latin-1").strip() for each, value in headers if each == name), None)


def _too_large(most: int) -> Refused:
    text = f"the body has more than {most:,} bytes"
    return Refused(413, "too_large", text, headers={"connection": "close"})
