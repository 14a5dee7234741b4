"""Going over a recorded run again: what is known is answered at once, in the order in which it was known.

The flow is evaluated anew. A step with a recorded result gets it, after all steps that had been begun before that
result came were asked for again: so lanes begin and end in the recorded order, on which joins such as `race` depend. A
step without a result waits until the whole record was gone over: nothing is run before it is clear that the flow still
asks for all that was recorded.
"""

from __future__ import annotations

import asyncio
from typing import Any

from swarm_core.engine.recorded import Recorded, RecordedTask
from swarm_core.errors import RunDiverged

_BREATH = 64
_PATIENCE = 30.0
"""Seconds without progress, while somebody waits, after which what is due next will not be asked for any more."""


class Replay:
    """One run's way over its record: a position among the beginnings and ends of its steps, in recorded order."""

    def __init__(self, run_id: str, recorded: Recorded) -> None:
        self._run_id, self.recorded = run_id, recorded
        self._marks = _marks(recorded)
        self._at = 0
        self._asked: set[str] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._left: set[str] = set()
        self._done: asyncio.Future[None] | None = None
        self._moved_at = 0.0
        self.reused = 0

    @property
    def over(self) -> bool:
        """Tell whether all that is recorded was gone over."""
        return self._at >= len(self._marks)

    def known(self, address: str, agent: str, digest: str | None) -> RecordedTask | None:
        """Return what is recorded of a step that the flow asks for now.

        Raises: RunDiverged, when it is another step than the recorded one.
        """
        task = self.recorded.tasks.get(address)
        if task is None or task.parent is not None:
            return None
        if task.agent != agent:
            raise RunDiverged(self._run_id, address, f"it was for agent {task.agent!r} and is now for {agent!r}")
        if task.digest is not None and digest is not None and task.digest != digest:
            raise RunDiverged(self._run_id, address, f"agent {agent!r} now gets another input than was recorded")
        self._asked.add(address)
        self._go_on()
        return task

    def child(self, address: str, agent: str, digest: str | None) -> RecordedTask | None:
        """Return what is recorded of a child task, None when that was another one: a worker may change its mind."""
        task = self.recorded.tasks.get(address)
        if task is None or task.agent != agent or task.digest != digest or task.given_up:
            return None
        self._asked.add(address)
        return task

    async def turn(self, task: RecordedTask) -> None:
        """Wait until it is the step's turn to get its recorded result."""
        self.reused += 1
        if task.ended_seq <= self.recorded.free_until:
            return
        if not self._ends_now(task):
            waiter = self._waiting[task.address] = asyncio.get_running_loop().create_future()
            try:
                await waiter
            except asyncio.CancelledError:
                self._left.add(task.address)
                self._go_on()
                raise
            finally:
                del self._waiting[task.address]
        elif self.reused % _BREATH == 0:
            await asyncio.sleep(0)
        self._at += 1
        self._go_on()

    async def finish(self) -> None:
        """Wait until all that is recorded was gone over."""
        if not self.over:
            if self._done is None:
                self._done = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._done)

    @property
    def stuck(self) -> bool:
        """Tell whether somebody has waited for so long that what is due will not come any more."""
        waits = bool(self._waiting) or self._done is not None
        return not self.over and waits and asyncio.get_running_loop().time() - self._moved_at > _PATIENCE

    def check_over(self) -> None:
        """Raise RunDiverged unless all that is recorded was gone over."""
        if not self.over:
            address = self._marks[self._at][1]
            agent = self.recorded.tasks[address].agent
            raise RunDiverged(self._run_id, address, f"it was recorded for agent {agent!r} and no step asks for it now")

    @property
    def left_over(self) -> list[RecordedTask]:
        """Return the tasks that were under way and that nobody has asked for again."""
        return [task for task in self.recorded.unfinished if task.address not in self._asked]

    def _ends_now(self, task: RecordedTask) -> bool:
        return not self.over and self._marks[self._at] == (task.ended_seq, task.address)

    def _go_on(self) -> None:
        """Pass the beginnings that were asked for, up to an end that is not given yet; let that step take its turn."""
        self._moved_at = asyncio.get_running_loop().time()
        marks, asked = self._marks, self._asked
        while self._at < len(marks):
            seq, address = marks[self._at]
            begins = seq == self.recorded.tasks[address].begun_seq
            if not (address in asked if begins else address in self._left):
                waiter = None if begins else self._waiting.get(address)
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
                return
            self._at += 1
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


def _marks(recorded: Recorded) -> list[tuple[int, str]]:
    """Return the numbers of the events that begin and end steps, with the steps' addresses, in order."""
    ordered = [task for task in recorded.steps if task.begun_seq > recorded.free_until]
    begun = [(task.begun_seq, task.address) for task in ordered]
    ended = [
        (task.ended_seq, task.address)
        for task in recorded.steps
        if task.outcome is not None and task.ended_seq > recorded.free_until
    ]
    return sorted([*begun, *ended])


def facts_of(recorded: Recorded) -> dict[str, Any]:
    """Return what a resumed run says of its record: how many steps are known, how many were under way."""
    return {"reused": len(recorded.finished), "again": len(recorded.unfinished)}
