"""The events of a run that are there now, read page by page."""

from __future__ import annotations

from collections.abc import Sequence

from swarm_core.model.event import Event
from swarm_plugin_client import asks
from swarm_plugin_client.sending import AsyncSender, Sender

_PAGE = 1000


async def recorded(sender: AsyncSender, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[Event]:
    """Return the events that come after number `after`, the first `limit` of them."""
    found: list[Event] = []
    at: int | None = after
    while at is not None and (size := _size(limit, len(found))):
        page = await sender.send(asks.events(run_id, at, size))
        found += page.events
        at = page.next
    return found


def recorded_in_order(sender: Sender, run_id: str, after: int = 0, limit: int | None = None) -> Sequence[Event]:
    """Return events as `recorded` does."""
    found: list[Event] = []
    at: int | None = after
    while at is not None and (size := _size(limit, len(found))):
        page = sender.send(asks.events(run_id, at, size))
        found += page.events
        at = page.next
    return found


def _size(limit: int | None, found: int) -> int:
    """Return how many events to ask for, 0 when there are enough."""
    return _PAGE if limit is None else max(0, min(_PAGE, limit - found))
