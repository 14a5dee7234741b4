"""The loop: issues in, new versions or reasons out."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from swarm_core.errors import IssueEnded, IssueLost, StoreError
from swarm_core.model.enhance import IssuePayload, Pending, TakenIssue
from swarm_core.model.ids import check_blueprint_id, new_id
from swarm_plugin_enhance.lease import Lease
from swarm_plugin_enhance.options import read_options
from swarm_plugin_enhance.orbit import blueprints_of, seed
from swarm_plugin_enhance.outcome import LOST, TickOutcome
from swarm_plugin_enhance.work import Work

if TYPE_CHECKING:
    from swarm_core.contracts import EnhanceStores
    from swarm_core.serving import LiveSwarm

T = TypeVar("T")


class EnhanceApplication:
    """Works on issues of a swarm's store; any number of processes may do so on one store.

    The swarm needs a run store, a store of Blueprints, and the stores of the loop.
    """

    def __init__(self, swarm: LiveSwarm, *, owner: str | None = None) -> None:
        self._swarm, self._options = swarm, read_options(swarm.settings)
        self._owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stores: EnhanceStores | None = None

    async def handle(self, blueprint_id: str, intent: str) -> IssuePayload:
        """Keep a new issue and return it; raises InvalidId; DocumentError, when the intent is empty; StoreError."""
        stores = await self._swarm.enhance_stores()
        issue_id = new_id("h-", secrets.randbits)
        issue = IssuePayload(issue_id=issue_id, blueprint_id=check_blueprint_id(blueprint_id), intent=intent)
        await stores.issues.create(issue)
        return issue

    async def tick(self) -> TickOutcome | None:
        """Work on the oldest issue that there is something to do for; None when there is no issue at all.

        Where all wait for answers or are held elsewhere, the first of them is returned. Raises: StoreError,
        SettingsError; the issue is then pending again.
        """
        aside: list[tuple[TakenIssue, TickOutcome]] = []
        try:
            while (taken := await self._pop()) is not None:
                outcome = await self._work_on(taken)
                if not outcome.ended:
                    aside.append((taken, outcome))
                if outcome.worked:
                    return outcome
        finally:
            await self._give_back(taken for taken, _ in aside)
        return aside[0][1] if aside else None

    async def run_forever(self, *, follow: bool = True) -> AsyncIterator[TickOutcome]:
        """Work on issues and yield what came of each; without `follow` until nothing is left to do.

        An issue that waits is yielded when it begins to.
        """
        waiting: dict[str, TickOutcome] = {}
        while True:
            outcome = await self.tick()
            if outcome is not None and outcome != waiting.get(outcome.issue_id):
                if not outcome.ended:
                    waiting[outcome.issue_id] = outcome
                yield outcome
            if outcome is None or not outcome.worked:
                if not follow:
                    return
                await asyncio.sleep(self._options.poll_seconds)

    async def _pop(self) -> TakenIssue | None:
        stores = await self._ready()
        now = self._now()
        return await stores.issues.pop_pending(self._owner, now=now, until=now + self._options.lease_seconds)

    async def _ready(self) -> EnhanceStores:
        """Return the stores; before the first issue the orbit and the default setting are seeded."""
        if self._stores is None:
            stores = await self._swarm.enhance_stores()
            if self._options.seed:
                await seed(blueprints_of(self._swarm), stores.settings)
            self._stores = stores
        return self._stores

    async def _work_on(self, taken: TakenIssue) -> TickOutcome:
        stores = await self._ready()
        lease = Lease(stores.issues, taken, seconds=self._options.lease_seconds, now=self._now)
        try:
            return await _while(lease, Work(self._swarm, stores, self._options, lease).carry_out())
        except IssueLost:
            issue = taken.issue
            return TickOutcome(issue_id=issue.issue_id, blueprint_id=issue.blueprint_id, status=LOST)
        except BaseException:
            await asyncio.shield(self._give_back([taken]))
            raise

    async def _give_back(self, taken: Iterable[TakenIssue]) -> None:
        """Let others have issues that have not ended; where that fails, their leases run out."""
        for each in taken:
            with suppress(IssueLost, IssueEnded, StoreError):
                stores = await self._ready()
                await stores.issues.update_status(each.issue.issue_id, Pending(), taken=each)

    def _now(self) -> float:
        now: float = self._swarm.engine.clock.time()
        return now


async def _while(lease: Lease, work: Awaitable[T]) -> T:
    """Do something while an issue is held; it is cancelled when the issue is lost."""

    async def done() -> T:
        try:
            return await work
        finally:
            keeper.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(lease.keep())
            worker = group.create_task(done())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return worker.result()
