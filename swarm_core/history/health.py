"""How a store is: whether it is whole, where its runs stand, who holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from swarm_core.model.run import Durability, Owner, RunFilter
from swarm_core.model.shown import shown
from swarm_core.model.task import RunStatus

if TYPE_CHECKING:
    from swarm_core.history.history import History

_MOST_NAMED = 20


@frozen(kw_only=True)
class Health:
    """What is known of a store.

    `problems` are sentences, none when the store is whole. `counts` are runs by status as they stand: what a dead owner
    left counts as interrupted. `owners` has each engine that is enlisted, and whether it lives. `interrupted` and
    `waiting` are ids, the newest first, 20 at most.
    """

    __repr__ = shown

    url: str
    durability: Durability
    problems: tuple[str, ...] = ()
    counts: Mapping[RunStatus, int] = field(factory=dict)
    owners: tuple[tuple[Owner, bool], ...] = ()
    interrupted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the facts as data."""
        return {
            "url": self.url,
            "durability": str(self.durability),
            "problems": list(self.problems),
            "runs": {str(status): count for status, count in self.counts.items()},
            "owners": [
                {"id": owner.id, "host": owner.host, "pid": owner.pid, "seen_at": owner.seen_at, "alive": alive}
                for owner, alive in self.owners
            ],
            "interrupted": list(self.interrupted),
            "waiting": list(self.waiting),
        }


async def look(history: History) -> Health:
    """Return how the store of a history is."""
    store = history.store
    return Health(
        url=store.url,
        durability=store.durability,
        problems=tuple(await store.problems()),
        counts=await _counts(history),
        owners=tuple((owner, history.lives(owner)) for owner in await store.owners()),
        interrupted=await _newest(history, RunStatus.INTERRUPTED),
        waiting=await _newest(history, RunStatus.WAITING),
    )


async def _counts(history: History) -> dict[RunStatus, int]:
    counts = dict.fromkeys(RunStatus, 0) | dict(await history.store.count())
    stored = await history.store.runs(RunFilter(statuses=(RunStatus.RUNNING,), limit=2**31))
    running = await history.runs(RunFilter(statuses=(RunStatus.RUNNING,), limit=2**31))
    counts[RunStatus.RUNNING] -= (left := len(stored) - len(running))
    counts[RunStatus.INTERRUPTED] += left
    return counts


async def _newest(history: History, status: RunStatus) -> tuple[str, ...]:
    return tuple(run.id for run in await history.runs(RunFilter(statuses=(status,), limit=_MOST_NAMED)))
