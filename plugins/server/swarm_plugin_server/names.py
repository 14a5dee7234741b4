"""Whom the server answers: requests to its own names, from pages that it knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from ipaddress import ip_address

from attrs import frozen
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from swarm_plugin_server.problems import Refused
from swarm_plugin_server.replies import refusal_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?))(?::([0-9]{1,5}))?\Z")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str, allowed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names that a server at `host` answers to."""
    own = LOOPBACK if is_loopback(host) or host in ("0.0.0.0", "::") else ()
    return tuple(dict.fromkeys((host, *own, *(name.lower() for name in allowed))))


@frozen(eq=False)
class OwnNames:
    """Answers only requests to the server's own names (421), and only pages of known origins (403)."""

    app: ASGIApp
    names: Collection[str]
    origins: Collection[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refused = self.refusal(scope["headers"]) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal_of(refused))
        else:
            await refusal_of(refused)(scope, receive, send)

    def refusal(self, headers: Sequence[tuple[bytes, bytes]]) -> Refused | None:
        """Return why a request with these headers is not answered, None when it is."""
        hosts = [value.decode("latin-1").strip().lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            hint = "reach the server by its own name, or start it with --allow-host NAME"
            return Refused(421, "wrong_host", "this server does not answer to that name", hint=hint)
        origins = [value.decode("latin-1").strip().lower() for name, value in headers if name == b"origin"]
        known = {f"http://{hosts[0]}", f"https://{hosts[0]}", *(origin.lower() for origin in self.origins)}
        if any(origin not in known for origin in origins):
            hint = "start the server with --allow-origin ORIGIN"
            return Refused(403, "wrong_origin", "this server does not answer pages of that origin", hint=hint)
        return None

    def _is_own(self, host: str) -> bool:
        found = _HOST.match(host)
        if found is None or (found[3] is not None and not 0 < int(found[3]) <= 65535):
            return False
        return (found[1] or found[2]) in self.names or host in self.names
