"""Runs as they stand, wherever they are carried out, and waiting for their end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from swarm_core.endpoints import HttpRequest
from swarm_core.errors import RunNotFound, StoreUnreadable
from swarm_core.model.run import RunResult, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.bodies import ClientGone
from swarm_plugin_server.state import serving_of

_BEGINNING = re.compile(r"(RUN-)?[0-9a-f]{1,15}\Z", re.ASCII)
_SHOWN = 80
_PAGE = 500  # rows of a journal that are looked at at once
_RESUMED = '"run_resumed"'  # as it stands in a row; what only looks like it is sorted out when that is read


async def run_of(swarm: LiveSwarm, text: str) -> StoredRun:
    """Return the run that has this id, or whose id alone begins with it, `RUN-` left out or not.

    Raises: RunNotFound.
    """
    if _BEGINNING.match(text):
        return await swarm.history.run(text)
    try:
        return await swarm.history.stands(text)
    except RunNotFound as error:
        raise RunNotFound(text[:_SHOWN], hint=error.hint) from None


async def run_json(swarm: LiveSwarm, run: StoredRun) -> dict[str, Any]:
    """Return a run as data, with the counts of now; those of a journal that cannot be read are left as they were."""
    counts = _counts_here(swarm, run)
    if counts is not None:
        return {**run.as_json(), "counts": counts}
    try:
        return (await swarm.history.counted(run)).as_json()
    except StoreUnreadable:
        return run.as_json()


def is_here(swarm: LiveSwarm, run_id: str) -> bool:
    """Tell whether this server's engine carries a run out, keeps it while it waits, or still knows how it ended."""
    state = swarm.engine.state
    record = state.runs.get(run_id)
    if record is None:
        return run_id in state.parked
    return not record.over or record.status in FINAL_RUN_STATUSES


def _counts_here(swarm: LiveSwarm, run: StoredRun) -> Mapping[str, int] | None:
    """Return a run's counts where they need not be read from its journal."""
    state = swarm.engine.state
    if run.status in FINAL_RUN_STATUSES or run.id in state.parked:
        return run.counts
    return dict(state.runs[run.id].counts) if is_here(swarm, run.id) else None


async def result_of(swarm: LiveSwarm, run: StoredRun) -> RunResult:
    """Return how a run ended, or where it stands."""
    if run.status not in FINAL_RUN_STATUSES and is_here(swarm, run.id):
        standing: RunResult = swarm.engine.status(run.id)
        return evolve(standing, counts=_counts_here(swarm, run) or standing.counts)
    final_ctx = await swarm.history.result(run.id) if run.status is RunStatus.DONE else None
    reused, again = await _known_before(swarm, run.id)
    return RunResult(
        run_id=run.id,
        status=run.status,
        final_ctx=final_ctx,
        error=run.error,
        counts=run.counts,
        reused=reused,
        again=again,
    )


async def _known_before(swarm: LiveSwarm, run_id: str) -> tuple[int, int]:
    """Return how many steps were known when a run was begun or last resumed, and how many were under way then."""
    if is_here(swarm, run_id):
        standing: RunResult = swarm.engine.status(run_id)
        return standing.reused, standing.again
    found, after = None, 0
    while rows := await swarm.history.store.rows(run_id, after, _PAGE):
        found = next((row for row in reversed(rows) if _RESUMED in row.body), found)
        after = rows[-1].last_seq
    if found is None:
        return 0, 0
    events = await swarm.history.events(run_id, found.first_seq - 1, found.last_seq - found.first_seq + 1)
    facts = next((event.data for event in reversed(events) if event.kind == "run_resumed"), {})
    return facts.get("reused", 0), facts.get("again", 0)


async def end_of(request: HttpRequest, run_id: str, *, seconds: float) -> RunResult | None:
    """Wait until a run has ended, or nobody holds it any more; None when that takes longer, or the server leaves.

    Raises: ClientGone, when whoever called does not wait for it any more.
    """
    ending = asyncio.ensure_future(_end_of(request.swarm, run_id))
    leaving = asyncio.ensure_future(serving_of(request.swarm).leaving.wait())
    gone = asyncio.ensure_future(request.gone())
    every = (ending, leaving, gone)
    try:
        await asyncio.wait(every, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return ending.result()
        if gone.done():
            raise ClientGone
        return None
    finally:
        for each in every:
            each.cancel()
        await asyncio.wait(every)


async def _end_of(swarm: LiveSwarm, run_id: str) -> RunResult:
    while True:
        if is_here(swarm, run_id):
            result: RunResult = await swarm.engine.wait(run_id)
            return result
        run = await swarm.history.stands(run_id)
        if run.status in FINAL_RUN_STATUSES or run.owner is None:
            return await result_of(swarm, run)
        async for _ in swarm.history.follow(run_id, run.last_seq):
            if is_here(swarm, run_id):
                break
