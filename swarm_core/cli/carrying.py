"""Who carries a run out that a command goes on with: a swarm of this process, or a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import click

from swarm_core.cli import outcome, stores
from swarm_core.cli.interrupt import on_first_signal
from swarm_core.cli.remote import There, connected, server_of
from swarm_core.cli.watching import Carries, Interruption, history_of
from swarm_core.remote import FollowedRun, RemoteSwarm, Runs
from swarm_core.settings import Settings, store_url
from swarm_core.swarm import Launched, Swarm


class Carrier(Protocol):
    """What goes on with runs, until a signal comes; `name` is then that of the signal."""

    @property
    def swarm(self) -> Carries:
        """Where the runs are carried out."""

    @property
    def history(self) -> Runs:
        """What can be asked of its runs."""

    @property
    def name(self) -> str | None:
        """The signal that came."""

    async def resume(self, run_id: str) -> FollowedRun:
        """Go on with a run where it was stopped."""

    async def rerun(self, run_id: str, start: Iterable[str]) -> FollowedRun:
        """Begin a run that shares what a recorded one did."""

    async def answered(self, run_id: str) -> FollowedRun:
        """Go on with a run whose answers were given."""


@asynccontextmanager
async def carrying(settings: Settings, store: str | None) -> AsyncIterator[Carrier]:
    """Open the swarm, or reach the server, that carries the runs of a store out.

    A signal interrupts the runs of a swarm here. A server's go on, and the command ends.
    """
    server = server_of(settings, store)
    if server is not None:
        async with connected(settings, server) as there:
            with Leaving(there.swarm, stores.suffix(store)) as leaving:
                yield _There(there, leaving)
        return
    async with Swarm.open(settings, store=store_url(settings, store)) as swarm:
        with Interruption(swarm) as interruption:
            yield _Here(swarm, interruption)


class _Here:
    """A swarm of this process."""

    def __init__(self, swarm: Swarm, interruption: Interruption) -> None:
        self.swarm, self.history, self._interruption = swarm, history_of(swarm), interruption

    @property
    def name(self) -> str | None:
        return self._interruption.name

    async def resume(self, run_id: str) -> Launched:
        return self._held(await self.swarm.resume(run_id))

    async def rerun(self, run_id: str, start: Iterable[str]) -> Launched:
        return self._held(await self.swarm.rerun(run_id, start))

    async def answered(self, run_id: str) -> Launched:
        return await self.resume(run_id)

    def _held(self, launched: Launched) -> Launched:
        self._interruption.hold(launched)
        return launched


class _There:
    """A server; it goes on by itself with a run whose answers have come."""

    def __init__(self, there: There, leaving: Leaving) -> None:
        self.swarm, self.history, self._leaving = there.swarm, there.swarm.history, leaving

    @property
    def name(self) -> str | None:
        return self._leaving.name

    async def resume(self, run_id: str) -> FollowedRun:
        return self._leaving.watch(await self.swarm.resume(run_id))

    async def rerun(self, run_id: str, start: Iterable[str]) -> FollowedRun:
        return self._leaving.watch(await self.swarm.rerun(run_id, start))

    async def answered(self, run_id: str) -> FollowedRun:
        return self._leaving.watch(self.swarm.following(run_id))


class Leaving:
    """Watches runs of a server; at the first Ctrl-C it ends the command, and tells how to come back to them."""

    def __init__(self, swarm: RemoteSwarm, suffix: str) -> None:
        self.name: str | None = None
        self._url, self._suffix = swarm.url, suffix
        self._watched: list[str] = []

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._take_back = on_first_signal(self._stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, *args: Any) -> None:
        self._take_back()
        if self.name is None or kind is None or not issubclass(kind, asyncio.CancelledError):
            return
        if self._task is not None:
            self._task.uncancel()
        for run_id in self._watched:
            outcome.say(f"{run_id} goes on at {self._url}")
            outcome.say(f"  see it with: swarm watch {run_id}{self._suffix}")
            outcome.say(f"  end it with: swarm cancel {run_id}{self._suffix}")
        raise click.exceptions.Exit(outcome.INTERRUPTED) from None

    def watch(self, run: FollowedRun) -> FollowedRun:
        """Take a run that is told of when the command ends before it."""
        self._watched.append(run.id)
        return run

    def _stop(self, name: str) -> None:
        self.name = name
        if self._task is not None:
            self._task.cancel()
