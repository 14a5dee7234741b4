"""Cancelling a run from outside: its owner is asked, and where there is none the run is ended here."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from swarm_core.engine.links import link_at
from swarm_core.engine.owners import end_workers_of, this_owner
from swarm_core.engine.recorded import read_events
from swarm_core.engine.rows import Entry, encode_entries, linked_row
from swarm_core.errors import EngineError, RunEnded, RunLost
from swarm_core.model.run import RunChange, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

if TYPE_CHECKING:
    from swarm_core.history.history import History

_ERROR = {"kind": "Cancelled", "message": "the run was cancelled"}


async def cancel(history: History, run_id: str, by: str, *, patience: float) -> StoredRun:
    """Cancel a run and return it as it ended; see `History.ask_cancel`."""
    until = history.clock.monotonic() + patience
    while True:
        version = await history.store.version()
        run = await history.stands(run_id)
        if run.status is RunStatus.CANCELLED:
            return run
        if run.status in FINAL_RUN_STATUSES:
            raise RunEnded(run_id, run.status)
        if run.cancel is None:
            await history.store.ask_cancel(run_id, by, history.clock.time())
        if run.owner is None:
            await _end(history, run)
            continue
        if history.clock.monotonic() > until:
            raise await _pending(history, run_id, patience)
        await history.changed(version)


async def _pending(history: History, run_id: str, patience: float) -> EngineError:
    owner = await history.holder(run_id)
    who = f"process {owner.pid} on {owner.host}" if owner else "its owner"
    return EngineError(
        f"run {run_id} has not ended after {patience:g} s: {who} holds it",
        hint=f"the wish is noted and holds; see what it does with: swarm watch {run_id}",
    )


async def _end(history: History, run: StoredRun) -> None:
    """End a run that nobody holds; when somebody takes it meanwhile, nothing is done."""
    store = history.store
    await _silence(history, run.id)
    me = this_owner(f"cancel-{random.getrandbits(64):016x}", history.clock)
    await store.enlist(me)
    try:
        claimed = await store.claim(run.id, me.id, run.epoch)
        await store.commit([await _last_write(history, claimed)])
    except RunLost:
        return
    finally:
        await store.leave(me.id)


async def _silence(history: History, run_id: str) -> None:
    """End what the run's owner has started when it hangs: the run is over, and nothing of it may go on."""
    left = (await history.store.get(run_id)).owner
    for owner in await history.store.owners():
        if owner.id == left:
            end_workers_of(owner)


async def _last_write(history: History, run: StoredRun) -> RunWrite:
    now = history.clock.time()
    recorded = read_events(await history.events(run.id))
    left = recorded.unfinished
    entries: list[Entry] = [("task_cancelled", now, task.id, task.attempts or None, {}) for task in left]
    entries.append(("run_ended", now, None, None, {"status": "cancelled", "error": _ERROR}))
    first, last = run.last_seq + 1, run.last_seq + len(entries)
    before = await link_at(history.store, run.id, run.last_seq)
    row = linked_row(run.id, before, first, last, encode_entries(entries))
    counts = {**recorded.counts, "cancelled": recorded.counts["cancelled"] + len(left)}
    questions = await history.store.questions(run.id, open_only=True)
    return RunWrite(
        run_id=run.id,
        epoch=run.epoch,
        rows=(row,),
        change=RunChange(
            updated_at=now, status=RunStatus.CANCELLED, ended_at=now, error=_ERROR, counts=counts, release=True
        ),
        closed=tuple(question.key for question in questions),
    )
