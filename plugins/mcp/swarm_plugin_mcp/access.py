"""Who may call the MCP server over HTTP: whoever has its token, under one of its own names."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from swarm_core.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SHORTEST = 32
_LARGEST = 4096


def token_in(file: Path) -> str:
    """Return the token that is kept in a file, made now when there is none; raises SettingsError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _kept(file)
    except OSError as error:
        raise SettingsError(f"the token cannot be kept: {error.strerror}", where=str(file)) from None
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{token}\n")
    return token


def _kept(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read(_LARGEST).decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"the token cannot be read: {error.strerror}", where=str(file)) from None
    if mode & 0o077:
        hint = f"chmod 600 {file}, and change the token if others may have read it: remove the file"
        raise SettingsError("the token can be read by others", where=str(file), hint=hint)
    if len(text) < _SHORTEST or not text.isprintable() or " " in text:
        hint = "remove the file, and a new token is made"
        raise SettingsError(f"this is no token: {_SHORTEST} characters at least, no blanks", where=str(file), hint=hint)
    return text


@frozen(eq=False)
class TokenNeeded:
    """An ASGI application that lets calls through which bring the token as `Authorization: Bearer`."""

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._allowed(scope)):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _allowed(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or given[0][:7].lower() != b"bearer ":
            return False
        return hmac.compare_digest(given[0][7:], self.token.encode())


async def _refuse(send: Send) -> None:
    hint = "send the token of the token file as Authorization: Bearer"
    body = json.dumps({"error": "unauthenticated", "code": "unauthenticated", "hint": hint}).encode()
    headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
