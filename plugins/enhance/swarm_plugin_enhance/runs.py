"""The runs of the orbit for one issue: at most one for each version of the target, whoever began it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from swarm_core.errors import RunEnded, RunOwned, SettingsError, SwarmError
from swarm_core.model.operator import OperatorKind, SessionRequest
from swarm_core.model.run import RunFilter, RunResult, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

if TYPE_CHECKING:
    from swarm_core.contracts import RunStore
    from swarm_core.serving import LiveRun, LiveSwarm

_LEFT = (RunStatus.WAITING, RunStatus.INTERRUPTED)
_ALL = 2**31


class StillOpen(Exception):
    """There is nothing to do for a run now: it waits for answers to `questions`, or a living engine carries it out."""

    def __init__(self, run_id: str, questions: tuple[str, ...] = ()) -> None:
        self.run_id, self.questions = run_id, questions
        super().__init__(run_id)


class OrbitRuns:
    """Launches the orbit, or takes it up where it was left; `most` bounds how often one run is taken up."""

    def __init__(self, swarm: LiveSwarm, issue_id: str, *, most: int) -> None:
        if swarm.store is None:
            hint = 'open the swarm with store="sqlite:///..." or "memory://"'
            raise SettingsError("the enhance loop needs a run store", hint=hint)
        self._swarm, self._most = swarm, most
        self._store: RunStore = swarm.store
        self._prefix = f"enhance/{issue_id}/"

    async def result(
        self, head: str, document: Callable[[], Awaitable[Any]], ctx: Mapping[str, Any], *, seconds: float
    ) -> RunResult:
        """Return how the orbit's run on a version of the target ended, or that it waits for answers.

        `document` gives the orbit. Raises: StillOpen; as `LiveSwarm.launch`.
        """
        key = self._key(head)
        known = await self._store.find(key)
        if known is None:
            await self._drop_others(key)
        elif (seen := await self._seen(known)) is not None:
            return seen
        try:
            if known is not None and known.status is RunStatus.INTERRUPTED:
                run = await self._swarm.resume(known.id)
            else:
                run = await self._launch(key, await document(), ctx, seconds)
        except RunOwned as error:
            raise StillOpen(error.run_id) from None
        except RunEnded as error:
            return await self._ended(await self._store.get(error.run_id))
        try:
            return await run.wait(or_waiting=True)
        except asyncio.CancelledError:
            run.request_interrupt("the enhance loop was stopped")
            await run.wait()  # whoever comes next finds it free
            raise

    async def _launch(self, key: str, orbit: Any, ctx: Mapping[str, Any], seconds: float) -> LiveRun:
        return await self._swarm.launch(
            orbit,
            init_ctx=ctx,
            key=key,
            operator_id="enhance",
            request=SessionRequest(operator_kind=OperatorKind.AUTOMATE),
            budget={"wall_time": seconds},
        )

    async def ended(self, head: str) -> RunResult | None:
        """Return how the orbit's run on a version of the target ended, None when there is none or it has not."""
        run = await self._store.find(self._key(head))
        return None if run is None or run.status not in FINAL_RUN_STATUSES else await self._ended(run)

    def _key(self, head: str) -> str:
        return f"{self._prefix}{head[:16]}"

    async def _seen(self, run: StoredRun) -> RunResult | None:
        """Return what can be said of a known run without carrying it out, None when there is something to do.

        Raises: StillOpen.
        """
        if run.status in FINAL_RUN_STATUSES:
            return await self._ended(run)
        if run.epoch > self._most and (await self._swarm.history.stands(run.id)).owner is None:
            cancelled = await self._swarm.history.ask_cancel(run.id, "enhance")
            error = {"message": f"it was begun {run.epoch} times and never came to an end"}
            return RunResult(run_id=run.id, status=cancelled.status, error=error)
        if run.status is not RunStatus.WAITING:
            return None
        now = self._swarm.engine.clock.time()
        asked = await self._store.questions(run.id, open_only=True)
        if asked and all(each.expires_at is None or each.expires_at > now for each in asked):
            raise StillOpen(run.id, tuple(each.key for each in asked))
        return None

    async def _ended(self, run: StoredRun) -> RunResult:
        final = await self._swarm.history.result(run.id) if run.status is RunStatus.DONE else None
        return RunResult(run_id=run.id, status=run.status, final_ctx=final, error=run.error)

    async def _drop_others(self, key: str) -> None:
        """Cancel what was begun for this issue on a version that is no longer the head: its question is nobody's."""
        for run in await self._store.runs(RunFilter(statuses=_LEFT, limit=_ALL)):
            if run.key is not None and run.key.startswith(self._prefix) and run.key != key:
                with suppress(SwarmError):
                    await self._swarm.history.ask_cancel(run.id, "enhance")
