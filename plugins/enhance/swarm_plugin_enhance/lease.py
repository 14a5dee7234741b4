"""Holding an issue for as long as the work on it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from swarm_core.contracts import IssueStore
from swarm_core.errors import StoreUnavailable
from swarm_core.model.enhance import TakenIssue


class Lease:
    """An issue in this owner's hands; `taken` is as it was renewed last."""

    def __init__(self, issues: IssueStore, taken: TakenIssue, *, seconds: float, now: Callable[[], float]) -> None:
        self._issues, self._seconds, self._now = issues, seconds, now
        self.taken = taken

    async def renew(self) -> None:
        """Hold the issue for another while; raises IssueLost, when somebody took it up."""
        self.taken = await self._issues.renew(self.taken, until=self._now() + self._seconds)

    async def keep(self) -> None:
        """Renew it for as long as this runs; a store that cannot be reached for a moment is asked again."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self.renew()
            except StoreUnavailable:
                continue
