"""Carrying a run of this process to where it stops, and telling how: shared by the commands that run something."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol, Self

from attrs import frozen

from swarm_core.cli import outcome, stores, wording
from swarm_core.cli.asking import waiting_lines
from swarm_core.cli.interrupt import on_first_signal
from swarm_core.cli.progress import Progress, progress_for
from swarm_core.errors import SettingsError
from swarm_core.history import History
from swarm_core.model.event import Event
from swarm_core.model.run import Durability, Question
from swarm_core.model.task import RunStatus
from swarm_core.remote import Asked, FollowedRun, Runs
from swarm_core.swarm import Launched, RunResult, Swarm

_DRAIN = 1.0  # seconds for the last events of a run that waits to be shown


@frozen(kw_only=True)
class Settled:
    """Where a run stopped: how, how many of its steps were run, and what it waits for.

    `by_itself` tells that it goes on without us once it has its answers: a server carries it out.
    """

    result: RunResult
    ran: int
    questions: Sequence[Question] = ()
    by_itself: bool = False

    @property
    def code(self) -> int:
        """Return the exit code."""
        return wording.exit_code(self.result.status, self.result.error)


class Carries(Protocol):
    """A swarm here or at a server, as far as what is shown of its runs goes."""

    @property
    def store(self) -> Asked | None:
        """What its runs wait to be told."""


def keeps(swarm: Swarm) -> bool:
    """Tell whether runs outlive this process, so that an interrupted one can be resumed."""
    return swarm.store is not None and swarm.store.durability is not Durability.NONE


class Interruption:
    """Takes runs, and interrupts them at the first Ctrl-C; where nothing is kept it cancels them.

    The second one kills this program. `name` is that of the signal, None as long as there was none.
    """

    def __init__(self, swarm: Swarm) -> None:
        self.name: str | None = None
        self._kept = keeps(swarm)
        self._held: list[Launched] = []

    def __enter__(self) -> Self:
        self._take_back = on_first_signal(self._stop)
        return self

    def __exit__(self, *args: object) -> None:
        self._take_back()

    def hold(self, launched: Launched) -> None:
        """Take a run: it is interrupted with the others, at once when the signal has come already."""
        self._held.append(launched)
        if self.name is not None:
            self._end(launched, self.name)

    def _stop(self, name: str) -> None:
        self.name = name
        verb = "interrupting" if self._kept else "cancelling"
        what = "the run" if len(self._held) < 2 else f"{len(self._held)} runs"
        outcome.say(f"{verb} {what} (again to quit at once)")
        for launched in self._held:
            self._end(launched, name)

    def _end(self, launched: Launched, name: str) -> None:
        if self._kept:
            launched.request_interrupt(name)
        else:
            launched.request_cancel()


async def settle(
    swarm: Carries,
    launched: FollowedRun,
    *,
    quiet: bool = False,
    patient: bool = False,
    first: int = 1,
    known: Iterable[Event] = (),
) -> Settled:
    """Show a run until it has ended or was interrupted, or until it waits for answers and we are not `patient`.

    `known` are the events before number `first`, which are not shown again.
    """
    tally = _Tally()
    with nullcontext() if quiet else progress_for(launched.id, sys.stderr) as progress:
        if progress is not None:
            progress.recall(known)
        async with asyncio.TaskGroup() as group:
            shower = group.create_task(tally.follow(launched.events(first), progress))
            result = await launched.wait(or_waiting=not patient)
            if result.status is RunStatus.WAITING:
                await tally.drained()
                shower.cancel()
    return await settled(swarm, result, ran=len(tally.ran))


async def settle_unseen(swarm: Carries, launched: FollowedRun, *, patient: bool = False) -> Settled:
    """Wait as `settle` does, without looking at what happens."""
    return await settled(swarm, await launched.wait(or_waiting=not patient))


async def settle_resumed(
    swarm: Carries, history: Runs, launched: FollowedRun, *, quiet: bool = False, patient: bool = False
) -> Settled:
    """Show a run as `settle` does, from where it goes on; what its journal told before is not shown again."""
    before = await history.events(launched.id)
    first = max((event.seq for event in before if event.kind == "run_resumed"), default=1)
    known = [event for event in before if event.seq < first]
    return await settle(swarm, launched, quiet=quiet, patient=patient, first=first, known=known)


def history_of(swarm: Swarm) -> History:
    """Return what can be asked of an open swarm's store."""
    if swarm.store is None:
        raise SettingsError("no store is open", hint="name one with --store URL")
    return History(swarm.store, swarm.outputs, lease=swarm.settings.engine.lease)


async def settled(swarm: Carries, result: RunResult, *, ran: int = 0) -> Settled:
    """Return where a run stopped, with the questions that it waits for."""
    questions: Sequence[Question] = ()
    if swarm.store is not None and result.status is RunStatus.WAITING:
        questions = await swarm.store.questions(result.run_id, open_only=True)
    return Settled(result=result, ran=ran, questions=questions, by_itself=not isinstance(swarm, Swarm))


class _Tally:
    """Takes a run's events, shows them, and notes which steps were run."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self._waits = asyncio.Event()

    async def follow(self, events: AsyncIterator[Event], progress: Progress | None) -> None:
        async for event in events:
            if progress is not None:
                progress.take(event)
            if event.kind == "task_attempt_started" and event.task_id is not None:
                self.ran.add(event.task_id)
            if event.kind == "run_waiting":
                self._waits.set()
            else:
                self._waits.clear()

    async def drained(self) -> None:
        """Wait until a run that waits has shown that it does, so that nothing of it is cut off."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                await self._waits.wait()


def report(end: Settled, store: str | None, *, as_json: bool) -> int:
    """Tell on stdout what came of a run, and on stderr why there is no more; return the exit code."""
    if as_json:
        outcome.print_json(end.result.as_json())
    elif end.result.status is RunStatus.DONE:
        outcome.print_json(end.result.final_ctx)
    else:
        for line in lines_of(end, store):
            outcome.say(line)
    return end.code


def report_resumed(end: Settled, store: str | None, *, as_json: bool, quiet: bool) -> int:
    """Tell what came of a run as `report` does, and how much of it was not run again."""
    if as_json:
        outcome.print_json(resumed_json(end))
        return end.code
    if not quiet:
        outcome.say(f"{end.result.run_id} {share_of(end)}")
    return report(end, store, as_json=False)


def resumed_json(end: Settled) -> dict[str, Any]:
    """Return the result as data, with how many steps were reused and how many were run."""
    return {**end.result.as_json(), "reused": end.result.reused, "again": end.result.again, "ran": end.ran}


def share_of(end: Settled) -> str:
    """Say how many steps came from the journal and how many were run."""
    return f"{wording.counted(end.result.reused, 'step')} reused, {end.ran} run"


def lines_of(end: Settled, store: str | None) -> list[str]:
    """Return what is said of a run that is not done: why, and what to do next."""
    result, suffix = end.result, stores.suffix(store)
    if result.status is RunStatus.INTERRUPTED:
        return wording.interrupted_lines(result.run_id, result.error, suffix)
    if result.status is RunStatus.WAITING:
        return list(waiting_lines(result.run_id, end.questions, suffix, by_itself=end.by_itself))
    return [f"{result.status}: {wording.error_text(result.error or {})}"]
