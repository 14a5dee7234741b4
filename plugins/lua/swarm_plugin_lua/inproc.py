"""Running scripts in the engine's own process, for operators who trust every one of them.

The same prelude and the same limits; but a long call into Lua's C library cannot be interrupted, and what crashes the
interpreter crashes the engine.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from math import inf
from typing import Any

from attrs import define, field

from swarm_plugin_lua import wire
from swarm_plugin_lua.bridge import Bridge
from swarm_plugin_lua.job import Job, Reply

# Seconds past the limit, or past a cancellation, after which a script that does not look at the clock is left alone.
PATIENCE = 0.1

_logger = logging.getLogger(__name__)


async def run_in_process(job: Job) -> Reply:
    """Run a job in a daemon thread and a runtime of its own.

    At its limit, or cancelled, the script ends when it next looks at the clock. One that does not, in the middle of a
    long C call, is given up: its thread goes on until that call ends.
    """
    try:
        job.as_payload()
    except ValueError as error:
        return Reply(status="error", text=f"input: {error}")
    work = _Work(job, asyncio.get_running_loop())
    threading.Thread(target=work.run, name=f"lua {job.script.name}", daemon=True).start()
    try:
        await asyncio.wait([work.reply], timeout=job.time_limit + PATIENCE)
    except asyncio.CancelledError:
        work.cancelled = True
        await asyncio.wait([work.reply], timeout=PATIENCE)
        _note_if_left(work)
        raise
    work.cancelled = True
    _note_if_left(work)
    return work.reply.result() if work.reply.done() else Reply(status="timeout")


def _note_if_left(work: _Work) -> None:
    if not work.reply.done():
        _logger.warning("script %r cannot be interrupted and goes on in its thread", work.job.script.name)


@define(eq=False)
class _Work:
    job: Job
    loop: asyncio.AbstractEventLoop
    cancelled: bool = False
    reply: asyncio.Future[Reply] = field(init=False)
    _bridge: Bridge = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reply = self.loop.create_future()
        self._bridge = Bridge(self.job.functions)

    def run(self) -> None:
        """Run the script, in the thread, and tell the loop."""
        reply = self._reply()
        try:
            self.loop.call_soon_threadsafe(self._settle, reply)
        except RuntimeError:
            return  # the loop is closed, nobody waits any more

    def _reply(self) -> Reply:
        from swarm_plugin_lua.sandbox import Sandbox

        try:
            sandbox = Sandbox(self._ask, self._clock)
            try:
                return Reply.from_json(wire.loads(sandbox.run(self.job.as_json())))
            finally:
                sandbox.close()
        except BaseException as error:
            return Reply(status="crashed", text=f"the sandbox failed ({type(error).__name__})")

    def _clock(self) -> float:
        return inf if self.cancelled else time.monotonic()

    def _ask(self, name: str, arguments: bytes) -> tuple[bool, Any]:
        answer = self._bridge.answer(name, wire.loads(arguments))
        return asyncio.run_coroutine_threadsafe(answer, self.loop).result()

    def _settle(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)
