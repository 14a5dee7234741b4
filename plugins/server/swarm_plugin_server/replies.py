"""Answers on their way out: JSON, text, problem documents, and streams that end when either side goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swarm_core.codec import unstructure
from swarm_core.codec.compact import compact
from swarm_core.endpoints import Endpoint, HttpReply
from swarm_core.errors import SwarmError
from swarm_plugin_server.bodies import until_gone
from swarm_plugin_server.problems import MEDIA_TYPE, Refused, problem_of
from swarm_plugin_server.state import Serving

logger = logging.getLogger("swarm.server")

JSON = "application/json"

_ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_LAST = {"type": "http.response.body", "body": b"", "more_body": False}


def response_of(endpoint: Endpoint, reply: HttpReply, serving: Serving) -> Response | Stream:
    """Return what is sent for an endpoint's reply."""
    given = {name.lower(): value for name, value in reply.headers.items()}
    declared = endpoint.answers.get(reply.status)
    media_type = given.pop("content-type", None) or (declared.media_type if declared else None) or JSON
    headers = {**_ALWAYS, **given}
    if reply.stream is not None:
        return Stream(reply.stream, reply.status, {**headers, "content-type": media_type}, serving)
    if reply.value is None and (declared is None or declared.media_type is None):
        return Response(status_code=reply.status, headers=headers)
    return Response(_bytes_of(reply.value, media_type), reply.status, {**headers, "content-type": media_type})


def refusal_of(error: SwarmError) -> Response:
    """Return a refusal as a problem document."""
    document = problem_of(error)
    headers = {**_ALWAYS, **(error.headers if isinstance(error, Refused) else {}), "content-type": MEDIA_TYPE}
    return Response(_bytes_of(document, MEDIA_TYPE), document["status"], headers)


def _bytes_of(value: Any, media_type: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and not media_type.startswith((JSON, MEDIA_TYPE)):
        return value.encode("utf-8", "surrogatepass")
    return json_bytes(value)


def json_bytes(value: Any) -> bytes:
    """Return a JSON value, or a model, or a container of models, as compact JSON text."""
    try:
        return compact(value).encode()
    except TypeError:
        return compact(unstructure(value)).encode()


class Stream:
    """A response that is sent piece by piece, until it is at its end, the client goes, or the server leaves."""

    def __init__(self, pieces: AsyncIterator[bytes], status: int, headers: Mapping[str, str], serving: Serving) -> None:
        self.status_code = status
        self._pieces, self._headers, self._serving = pieces, headers, serving
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything; an asynchronous generator is closed whatever happens."""
        self._serving.streams += 1
        sending = asyncio.ensure_future(self._send(send, with_body=scope["method"] != "HEAD"))
        gone = asyncio.ensure_future(until_gone(receive))
        leaving = asyncio.ensure_future(self._serving.leaving.wait())
        try:
            await asyncio.wait((sending, gone, leaving), return_when=asyncio.FIRST_COMPLETED)
            at_its_end = sending.done()
            sending.cancel()
            await asyncio.wait((sending,))
            if not at_its_end and not gone.done() and self._begun:
                await send(_LAST)
        finally:
            self._serving.streams -= 1
            for each in (sending, gone, leaving):
                each.cancel()
        if not sending.cancelled() and (error := sending.exception()) is not None:
            logger.error("%s broke off: %s", scope["path"], type(error).__name__, exc_info=error)

    async def _send(self, send: Send, *, with_body: bool) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers.items()]
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
            self._begun = True
            if with_body:
                async for piece in self._pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    await asyncio.sleep(0)  # sending waits for nothing when the client has gone, or takes all at once
            await send(_LAST)
        finally:
            if isinstance(self._pieces, AsyncGenerator):
                await self._pieces.aclose()
