"""The owner of the engine's asyncio tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from swarm_core.flow.eager import start


class Crew:
    """Starts asyncio tasks, keeps them until they end, and ends them when the engine closes.

    It is no `asyncio.TaskGroup` because that would wait for ever for a worker that swallows its cancellation.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the coroutine as a task of its own, from the loop's next turn on."""
        return self._keep(asyncio.get_running_loop().create_task(work))

    def start_now(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the coroutine as a task of its own, at once up to where it first waits.

        Work that waits for nothing is done when this returns: ten thousand of them one after the other are never all
        alive at the same time.
        """
        task, done = start(work)
        return task if done else self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
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
