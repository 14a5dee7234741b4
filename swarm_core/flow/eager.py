"""Starting a coroutine at once, in a task of its own.

An asyncio task does its first step when the loop comes round to it. Here the first step is done on the spot, with the
new task as the current one, and only what then still waits is left to the loop: lanes whose steps answer at once are
done one after the other, in item order, as if there were no tasks. Python 3.12 has this as `eager_start`; entering and
leaving a task by hand is asyncio's documented means for those who extend it, in all versions.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any

_NOTHING = object()


def start(work: Coroutine[Any, Any, None]) -> tuple[asyncio.Task[None], bool]:
    """Run a coroutine up to where it first waits; return its task and whether the work is done already.

    The task of work that is done lives until the event loop's next round. What the work raises comes out of its task.
    """
    loop, context, begun = asyncio.get_running_loop(), copy_context(), _Begun(work)
    task: asyncio.Task[None] = (
        asyncio.Task(begun, loop=loop, context=context)  # what create_task comes to, in fewer calls
        if loop.get_task_factory() is None
        else loop.create_task(begun, context=context)
    )
    caller = asyncio.current_task(loop)
    if caller is not None:
        _leave_task(loop, caller)
    _enter_task(loop, task)
    try:
        context.run(begun.begin)
    finally:
        _leave_task(loop, task)
        if caller is not None:
            _enter_task(loop, caller)
    return task, begun.done


class _Begun(Coroutine[Any, Any, None]):
    """A coroutine whose first step is done elsewhere; `first` is what it then waits for."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.work = work
        self.first: Any = _NOTHING
        self.error: BaseException | None = None
        self.done = False

    def begin(self) -> None:
        try:
            self.first = self.work.send(None)
        except StopIteration:
            self.done = True
        except BaseException as error:
            self.error = error

    def send(self, value: Any) -> Any:
        if self.done:
            raise StopIteration
        if self.error is not None:
            raise self.error
        return self.work.send(value) if self.first is _NOTHING else self._take_first()

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        """Pass an exception on; a cancellation first reaches what the work waits for, as `Task.cancel` has it."""
        error = typ if val is None else val
        if self.done or self.error is not None:
            raise error
        if self.first is not _NOTHING:
            first = self._take_first()
            if isinstance(first, asyncio.Future):
                if isinstance(error, asyncio.CancelledError) and first.cancel():
                    return first
                first._asyncio_future_blocking = False
        return self.work.throw(error)

    def close(self) -> None:
        self.work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self.work.__await__()

    def _take_first(self) -> Any:
        first, self.first = self.first, _NOTHING
        return first
