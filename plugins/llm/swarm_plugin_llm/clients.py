"""The connections to the providers of models: one client each, opened when it is first used."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from swarm_plugin_llm.keys import key_of
from swarm_plugin_llm.settings import Provider

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

RETRIES = "swarm_plugin_llm.retries"
"""Under this name a request's extensions tell how often it was made before."""

_SENT = frozenset({"accept", "connection", "content-length", "content-type", "host", "transfer-encoding"})
_MOST_BYTES = 64  # bytes on the wire for each character that an answer may have: each piece comes in an envelope


class TooLarge(Exception):
    """A server sends more than any answer may be."""


@frozen(kw_only=True)
class Connection:
    """A client of one provider, and the key that it sends, which is there to be hidden in texts."""

    client: AsyncOpenAI
    key: str | None = field(repr=False)
    turns: asyncio.Semaphore


@define(eq=False)
class Clients:
    """The clients of one swarm, by provider and key."""

    _open: dict[tuple[str, str, str | None], Connection] = field(factory=dict, repr=False)

    async def connection(self, provider: Provider, *, most: int) -> Connection:
        """Return the connection to a provider whose answers have `most` characters; raises SpawnFailed."""
        key = await key_of(provider)
        known = (provider.name, provider.base_url, key)
        if known not in self._open:
            await asyncio.to_thread(importlib.import_module, "openai")  # a second, in which other work goes on
        if known not in self._open:
            client = _client(provider, key, most)
            turns = asyncio.Semaphore(provider.concurrency)
            self._open[known] = Connection(client=client, key=key, turns=turns)
        return self._open[known]

    async def close(self) -> None:
        """Close all connections."""
        while self._open:
            await self._open.popitem()[1].client.close()


@asynccontextmanager
async def open_clients(services: MutableMapping[type, Any]) -> AsyncIterator[None]:
    """Put the clients where spawners find them, and close them in the end."""
    clients = services[Clients] = Clients()
    try:
        yield
    finally:
        await clients.close()


def _client(provider: Provider, key: str | None, most: int) -> AsyncOpenAI:
    """Return a client of the SDK, which is not told the key: only what goes out to this server has it."""
    import httpx2
    from openai import AsyncOpenAI

    allowance = max(most, 16_384) * _MOST_BYTES

    async def before(request: httpx2.Request) -> None:
        request.extensions = {**request.extensions, RETRIES: request.headers.get("x-stainless-retry-count", "0")}
        kept = [(name, value) for name, value in request.headers.multi_items() if name.lower() in _SENT]
        own = [("user-agent", "swarm-plugin-llm"), ("accept-encoding", "identity")]
        signed = [] if key is None else [("authorization", f"Bearer {key}")]
        request.headers = httpx2.Headers([*kept, *own, *signed])

    async def after(response: httpx2.Response) -> None:
        response.stream = _bounded(response.stream, allowance)

    http = httpx2.AsyncClient(
        event_hooks={"request": [before], "response": [after]},
        follow_redirects=False,  # whoever is redirected to would be sent the key
        timeout=httpx2.Timeout(provider.timeout, connect=min(provider.timeout, 30.0)),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=provider.concurrency),
    )
    return AsyncOpenAI(
        api_key="sent by the request hook",
        admin_api_key="",
        organization="",
        project="",
        base_url=provider.base_url,
        timeout=http.timeout,
        max_retries=provider.max_retries,
        http_client=http,
    )


def _bounded(stream: Any, allowance: int) -> httpx2.AsyncByteStream:
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        """A body that ends with an error when it is too long."""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = allowance
            async for part in stream:
                left -= len(part)
                if left < 0:
                    raise TooLarge
                yield part

        async def aclose(self) -> None:
            await stream.aclose()

    return Bounded()
