"""The life of a server: it takes up what earlier lives left, serves, and stops so that nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from swarm_core.errors import RunOwned, SwarmError
from swarm_core.model.run import RunFilter, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.serving import LiveSwarm
from swarm_plugin_server.operators.doorway import roster_of
from swarm_plugin_server.state import Serving

logger = logging.getLogger("swarm.server")

_AT_ONCE = 8  # runs that are taken up side by side
_LOOK = 0.02  # seconds between two looks at what is still under way
_LAST = 2.0  # seconds that answers may take once nothing is carried out any more
_UNDER_WAY = tuple(status for status in RunStatus if status not in FINAL_RUN_STATUSES)
_SIGNALS = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)


# the beginning -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def taking_up(swarm: LiveSwarm, serving: Serving) -> AsyncIterator[None]:
    """Go on with the runs that nobody holds, in the background; what cannot go on here is noted, not fatal."""
    if swarm.store is None or not serving.settings.resume:
        yield
        return
    work = asyncio.create_task(_take_up(swarm, serving))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait((work,))


async def _take_up(swarm: LiveSwarm, serving: Serving) -> None:
    left = [run for run in await swarm.history.runs(RunFilter(statuses=_UNDER_WAY, limit=2**31)) if run.owner is None]
    room = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for run in reversed(left):
            await room.acquire()
            group.create_task(_take_one(swarm, serving, run)).add_done_callback(lambda _: room.release())


async def _take_one(swarm: LiveSwarm, serving: Serving, run: StoredRun) -> None:
    try:
        await swarm.resume(run.id)
    except RunOwned:
        return
    except (SwarmError, ExceptionGroup) as error:
        serving.unresumed[run.id] = str(error)
        logger.warning("%s cannot go on here: %s", run.id, error)


# the end -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def stop_on_signal(serving: Serving) -> AsyncIterator[Callable[[], str]]:
    """Set `serving.stopping` at the first signal; the second one ends the process at once.

    Yields what tells the name of the signal that came.
    """
    loop, came = asyncio.get_running_loop(), ["a stop"]
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def on_signal(number: int, frame: object) -> None:
        came[0] = signal.Signals(number).name
        for each in _SIGNALS:
            signal.signal(each, _leave)
        loop.call_soon_threadsafe(serving.stopping.set)

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield lambda: came[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    os._exit(128 + number)


async def wind_up(swarm: LiveSwarm, serving: Serving, reason: str) -> None:
    """Stop taking work, let what is under way end for as long as the grace lasts, and interrupt the rest of it.

    Runs of which nothing is under way here, as they only wait for operators or answers, are interrupted at once. Those
    that are interrupted go on at the next start; whoever waits for one over HTTP hears that it was stopped.
    """
    serving.stopping.set()

    def over() -> bool:
        _interrupt(swarm, _waiting(swarm), reason)
        return not serving.in_flight and not _at_work(swarm)

    await _until(over, serving.settings.grace)
    serving.leaving.set()
    _interrupt(swarm, _at_work(swarm), reason)
    if ending := [run.done for run in _at_work(swarm)]:
        await asyncio.wait(ending, timeout=2 * swarm.settings.engine.cancel_grace)
    await _until(lambda: not serving.in_flight and not serving.streams and not serving.websockets, _LAST)


def _at_work(swarm: LiveSwarm) -> list[Any]:
    return [run for run in swarm.engine.state.runs.values() if not run.done.done()]


def _waiting(swarm: LiveSwarm) -> list[Any]:
    """Return the runs all of whose tasks wait for an answer, or for the reply of an operator who is elsewhere."""
    asked = roster_of(swarm).asked()
    return [run for run in _at_work(swarm) if (run.asking or asked[run.id]) and run.busy <= asked[run.id]]


def _interrupt(swarm: LiveSwarm, runs: Iterable[Any], reason: str) -> None:
    for run in runs:
        swarm.engine.interrupt_run(run.id, reason)


async def _until(over: Callable[[], bool], seconds: float) -> None:
    for _ in range(math.ceil(seconds / _LOOK)):
        if over():
            return
        await asyncio.sleep(_LOOK)
