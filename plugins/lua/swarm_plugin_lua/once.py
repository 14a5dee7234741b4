"""One script in a Lua process of its own, started and ended here and now: for what is read before any engine runs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from attrs import define

from swarm_core.errors import SpawnFailed
from swarm_plugin_lua import wire
from swarm_plugin_lua.job import Job, Reply
from swarm_plugin_lua.pool import PATIENCE
from swarm_plugin_lua.process import BOOT, ROOM, START_LIMIT, command

# The process limits itself before it sees a script: between here and there is only this text.
_LIMITED = """
import resource
for name, most in {limits!r}.items():
    resource.setrlimit(getattr(resource, name), (most, most))
"""


def run_once(job: Job, *, max_json: int, max_depth: int) -> Reply:
    """Run a job without host functions in a new process, wait for it, and return how it ended.

    The process has no environment and no descriptor but its pipes, and does not outlive this call. Raises: SpawnFailed.
    """
    payload = wire.frame(job.as_payload())
    limits = {"RLIMIT_AS": ROOM + 2 * job.memory_limit, "RLIMIT_FSIZE": 0, "RLIMIT_NOFILE": 16, "RLIMIT_CORE": 0}
    argv = command(_LIMITED.format(limits=limits) + BOOT, max_json, max_depth)
    with _started(argv) as process:
        assert process.stdin is not None and process.stdout is not None
        with _bounded(process, START_LIMIT):
            ready = _frame(process.stdout, wire.MAX_REPLY)
        if ready is None:
            raise SpawnFailed("the Lua process did not start", hint="`swarm doctor` tells more")
        with _bounded(process, job.time_limit + PATIENCE) as bound:
            with suppress(BrokenPipeError):
                process.stdin.write(payload)
                process.stdin.flush()
            answer = _frame(process.stdout, wire.MAX_REPLY + max_json)
    if answer is None and bound.exceeded:
        return Reply(status="timeout")
    try:
        return Reply.from_json(wire.loads(answer or b""))
    except ValueError:
        return Reply(status="crashed", text="it ended before it said what came of it")


@define
class _Bound:
    exceeded: bool = False


@contextmanager
def _started(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it at the exit."""
    try:
        process = subprocess.Popen(
            argv,
            env={},
            cwd="/",
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise SpawnFailed(f"the Lua process did not start: {error.strerror}") from None
    try:
        yield process
    finally:
        process.kill()
        # What could not be written is not written now either.
        with suppress(BrokenPipeError):
            process.communicate()


@contextmanager
def _bounded(process: subprocess.Popen[bytes], seconds: float) -> Iterator[_Bound]:
    """Kill a process that is not done after some seconds."""
    bound = _Bound()

    def end() -> None:
        bound.exceeded = True
        process.kill()

    alarm = threading.Timer(seconds, end)
    alarm.daemon = True
    alarm.start()
    try:
        yield bound
    finally:
        alarm.cancel()


def _frame(stream: IO[bytes], most: int) -> bytes | None:
    """Return the next frame that a process writes, or None when it ends or announces more than it may."""
    header = stream.read(wire.HEADER)
    if len(header) < wire.HEADER or not 0 < (length := wire.length_of(header)) <= most:
        return None
    payload = stream.read(length)
    return payload if len(payload) == length else None
