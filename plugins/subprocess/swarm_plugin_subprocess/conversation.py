"""Talk to a process until it ends: tell it its input while listening to both of its outputs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from attrs import define, field, frozen

from swarm_core.contracts import Process
from swarm_core.errors import WorkerFailed

HELD_OUTPUT_GRACE = 1.0  # seconds that what a program left behind may go on printing
STDERR_KEPT = 64 * 1024

_CHUNK = 64 * 1024


class Listener(Protocol):
    """Takes what a process prints, as it comes."""

    def take(self, data: bytes) -> None:
        """Take some bytes; whatever it raises ends the process and becomes the attempt's error."""

    def end(self) -> None:
        """Take note that no more will come."""


@frozen(kw_only=True)
class Ending:
    """How a process ended: its exit code or minus the signal's number, and the end of what it said on stderr."""

    code: int
    stderr: bytes
    stderr_dropped: int


async def converse(process: Process, prompt: bytes, listener: Listener, *, max_stdout: int) -> Ending:
    """Write the prompt to stdin, pass stdout on, keep the end of stderr, and wait for the end.

    When the process has ended, its outputs get a moment to end too; whoever still holds them then is killed. When this
    returns, nothing of the process is left; when it is cancelled, the caller has to kill.
    Raises: WorkerFailed (`output_too_large`); what the listener raised.
    """
    tail = _Tail()
    async with asyncio.TaskGroup() as group:
        group.create_task(_tell(process, prompt))
        heard = group.create_task(_listen(process, listener, max_stdout))
        complaints = group.create_task(_drain(process, tail))
        code = await process.wait()
        await asyncio.wait([heard, complaints], timeout=HELD_OUTPUT_GRACE)
        await process.kill()
    trouble = heard.result()
    if trouble is not None:
        raise trouble
    return Ending(code=code, stderr=bytes(tail.kept), stderr_dropped=tail.dropped)


async def _tell(process: Process, prompt: bytes) -> None:
    with suppress(BrokenPipeError):  # it need not listen
        await process.write(prompt)
    process.close_stdin()


async def _listen(process: Process, listener: Listener, max_stdout: int) -> Exception | None:
    """Return what went wrong instead of raising it, so that the process is ended first."""
    size = 0
    try:
        while data := await process.read_stdout(_CHUNK):
            size += len(data)
            if size > max_stdout:
                raise _too_large(max_stdout)
            listener.take(data)
        listener.end()
    except Exception as error:
        await process.kill()
        return error
    return None


def _too_large(max_stdout: int) -> WorkerFailed:
    return WorkerFailed(
        f"the program printed more than {max_stdout} bytes and was ended",
        kind="output_too_large",
        hint="write large results to files, or raise max_stdout in [plugin.subprocess]",
    )


@define
class _Tail:
    kept: bytearray = field(factory=bytearray)
    dropped: int = 0


async def _drain(process: Process, tail: _Tail) -> None:
    while data := await process.read_stderr(_CHUNK):
        tail.kept += data
        excess = len(tail.kept) - STDERR_KEPT
        if excess > 0:
            del tail.kept[:excess]
            tail.dropped += excess
