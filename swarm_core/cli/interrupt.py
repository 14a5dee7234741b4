"""How a run is interrupted, and how the program ends when workers will not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

from swarm_core.cli import outcome

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def to_the_end(work: Coroutine[Any, Any, int]) -> int:
    """Run the work and return its exit code; workers that will not end when they are told end with this process."""
    runner = asyncio.Runner()
    try:
        code = runner.run(work)
        left_behind = asyncio.all_tasks(runner.get_loop())
    except KeyboardInterrupt:
        outcome.say("interrupted")
        _leave(outcome.INTERRUPTED)
    except BaseException:
        runner.close()
        raise
    if left_behind or (code == outcome.INTERRUPTED and threading.active_count() > 1):
        _leave(code)
    runner.close()
    return code


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()
    os._exit(code)


def on_first_signal(request: Callable[[str], None]) -> Callable[[], None]:
    """Let the first signal call `request` with its name, on the event loop; return what takes that back.

    The second one ends the program at once, also when a worker holds up the event loop: the handlers are plain ones,
    which the interpreter calls wherever it is.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def take_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: object) -> None:
        take_back()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop.call_soon_threadsafe(request, signal.Signals(number).name)

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    return take_back
