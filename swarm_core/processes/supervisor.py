"""Starts workers through the reaper, which is launched with the first of them."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from swarm_core.contracts import Process, Processes
from swarm_core.errors import SpawnFailed
from swarm_core.processes.order import write_order
from swarm_core.processes.process import WorkerProcess

if TYPE_CHECKING:
    from swarm_core.processes.link import ReaperLink

_STARTS_AT_ONCE = 32  # descriptors on their way to the reaper count against the user's limit


@asynccontextmanager
async def open_processes(*, python: str = sys.executable) -> AsyncIterator[Processes]:
    """Own the worker processes of one engine; leaving kills all that are left, and returns when none is.

    The reaper behind it, a small program run by `python`, is launched with the first worker. It kills everything as
    soon as this process dies, however it dies.
    """
    supervisor = Supervisor(python)
    try:
        yield supervisor
    finally:
        await supervisor.close()


class Supervisor:
    """The `Processes` of an engine."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._link: ReaperLink | None = None
        self._keys = count(1)
        self._turns = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._workers: WeakSet[WorkerProcess] = WeakSet()
        self._closed = False

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Process:
        """Start a program in a session of its own, as the contract says; raises SpawnFailed."""
        order = write_order(argv, env=env, cwd=cwd, limits=limits)
        async with self._turns:
            worker = self._request(order)
            try:
                refused = await asyncio.shield(worker.began)
                if refused:
                    raise refusal(*refused, program=argv[0], cwd=cwd)
            except BaseException:
                await worker.kill()
                raise
        return worker

    async def close(self) -> None:
        """Kill everything and end the reaper."""
        self._closed = True
        if self._link is not None:
            await self._link.close()
        for worker in self._workers:
            worker.close()

    def _request(self, order: bytes) -> WorkerProcess:
        if self._closed:
            raise SpawnFailed("no program can be started: the engine is closed")
        if self._link is None or self._link.ended.done():
            from swarm_core.processes.link import ReaperLink

            self._link = ReaperLink.launch(self._python)
        key, link = next(self._keys), self._link
        ours, theirs = _open_pipes(order)
        worker = WorkerProcess(*ours, lambda grace: link.kill(key, grace))
        self._workers.add(worker)
        link.spawn(key, worker, theirs)
        return worker


def _open_pipes(order: bytes) -> tuple[tuple[int, int, int], list[int]]:
    """Return our ends (stdin, stdout, stderr) and the worker's (the order, stdin, stdout, stderr)."""
    opened: list[int] = []
    try:
        paper = os.memfd_create("order")
        opened.append(paper)
        for _ in range(3):
            opened += os.pipe()
        with open(paper, "wb", closefd=False) as file:
            file.write(order)
    except OSError as error:
        for descriptor in opened:
            os.close(descriptor)
        raise SpawnFailed(
            f"cannot open pipes for a worker: {error.strerror}",
            hint="raise the limit of open files (ulimit -n), or run fewer workers at once",
            errno_name=errno.errorcode.get(error.errno or 0),
        ) from None
    _, stdin, our_stdin, our_stdout, stdout, our_stderr, stderr = opened
    return (our_stdin, our_stdout, our_stderr), [paper, stdin, stdout, stderr]


_HINTS = {
    errno.ENOENT: "is it installed, and in PATH? A script also needs the interpreter of its first line",
    errno.EACCES: "make it executable (chmod +x), or run it with its interpreter",
    errno.EISDIR: "name the program, not its folder",
    errno.ENOEXEC: "a script needs a first line such as #!/bin/sh",
    errno.E2BIG: "arguments and environment are limited by the system; give large input by stdin",
    errno.EAGAIN: "the user's limit of processes is reached",
    errno.ETOOMANYREFS: "raise the limit of open files (ulimit -n), or run fewer workers at once",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or run fewer workers at once",
    errno.EPERM: "a limit cannot be set above the engine's own",
}


def refusal(stage: int, number: int, *, program: str, cwd: str | None) -> SpawnFailed:
    """Return the error that says why a program was not started."""
    from swarm_core.processes import reaper

    if number == 0:
        return SpawnFailed(f"cannot start {program!r}: the process reaper ended", hint="try again")
    if number == errno.EACCES and stage == reaper.STAGE_EXEC and Path(cwd or ".", program).is_dir():
        number = errno.EISDIR
    what = {
        reaper.STAGE_CWD: f"cannot start {program!r} in folder {cwd!r}",
        reaper.STAGE_LIMITS: f"cannot set the limits of {program!r}",
    }.get(stage, f"cannot start {program!r}")
    hint = "the working directory must be an existing folder" if stage == reaper.STAGE_CWD else _HINTS.get(number)
    return SpawnFailed(f"{what}: {os.strerror(number)}", hint=hint, errno_name=errno.errorcode.get(number))
