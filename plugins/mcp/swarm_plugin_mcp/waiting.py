"""Staying with a run until there is something to say: its end, a question, work for this client, or a timeout."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

if TYPE_CHECKING:
    from swarm_plugin_mcp.backend import Backend, Json
    from swarm_plugin_mcp.home import Home
    from swarm_plugin_mcp.progress import Progress

_STOPPED = frozenset({*FINAL_RUN_STATUSES, RunStatus.INTERRUPTED})
_STOPS = frozenset({"run_ended", "run_waiting", "run_interrupted"})


class Why(StrEnum):
    """Why there is something to say."""

    STOPPED = "stopped"
    WORK = "work"
    TIMEOUT = "timeout"


async def stay(
    home: Home, backend: Backend, run_id: str, *, timeout: float, progress: Progress, after: int = 0
) -> tuple[Why, Json]:
    """Follow a run, and return why that ended and its record as it then is. The run goes on whatever happens here."""
    following = asyncio.ensure_future(_follow(home, backend, run_id, progress, after))
    working = asyncio.ensure_future(home.work())
    try:
        await asyncio.wait((following, working), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        why = Why.STOPPED if following.done() else Why.WORK if working.done() else Why.TIMEOUT
        if following.done():
            following.result()
    finally:
        await _end(following, working)
    return why, await backend.run(run_id)


async def _follow(home: Home, backend: Backend, run_id: str, progress: Progress, after: int) -> None:
    """Return when the run has stopped, for whatever reason; of one that has stopped already, tell what it did."""
    stopped = await _is_stopped(home, backend, run_id)
    last = (await backend.run(run_id))["last_seq"] if stopped else None
    if last is not None and after >= last:
        return
    while True:
        async for event in backend.follow(run_id, after):
            after = event["seq"]
            await progress.take(event)
            if after == last or (event["kind"] in _STOPS and await _is_stopped(home, backend, run_id)):
                return
        if await _is_stopped(home, backend, run_id):
            return


async def _is_stopped(home: Home, backend: Backend, run_id: str) -> bool:
    """Tell whether a run does nothing any more.

    One that waits is about to go on when somebody holds it and all its questions have their answers, or when one of
    them is work for a seat that was taken here.
    """
    record = await backend.run(run_id)
    if record["status"] != RunStatus.WAITING:
        return record["status"] in _STOPPED
    if record["owner"] is None:
        return True
    asked = await backend.questions(run_id, open_only=True)
    return bool(asked) and not (backend.carries(run_id) and any(_seat_of(each) in home.roles for each in asked))


def _seat_of(question: Json) -> str | None:
    """Return the seat that a question is work for, None when it is another question."""
    work = question["question"].get("work") if isinstance(question["question"], dict) else None
    return work.get("seat") if isinstance(work, dict) else None


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
