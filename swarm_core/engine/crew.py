"""The owner of the engine's asyncio tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Crew:
    """Starts asyncio tasks, keeps them until they end, and ends them when the engine closes.

    It is no `asyncio.TaskGroup` because that would wait for ever for a worker that swallows its cancellation.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run the coroutine as a task of its own."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def dismiss(self, *, grace: float) -> int:
        """Cancel what still runs, wait up to `grace` seconds, and return how many would not end."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        return len(self._tasks)
