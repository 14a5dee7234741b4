"""Answers on their way to the output store, many at a time.

A worker's plain answer is in the journal before anything goes on; its record in the output store is an index of it. So
it need not cost every commit a page more: records are written when there are many, when the run stops, or a second
later. What a crash leaves out is written when the run is resumed.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TypeAlias

from swarm_core.contracts import OutputStore
from swarm_core.engine.recorded import Recorded
from swarm_core.engine.state import RunRecord
from swarm_core.errors import StoreError
from swarm_core.model.output import Final, Inline
from swarm_core.model.task import Blocked, Pass

Pending: TypeAlias = "tuple[str, str, int, str, Pass | Blocked]"

_MANY = 64


class Finals:
    """Answers that wait to be written to an output store, in the order in which they came."""

    def __init__(self, outputs: OutputStore) -> None:
        self._outputs = outputs
        self._pending: list[Pending] = []

    async def take(self, run: RunRecord, task_id: str, attempt: int, agent: str, outcome: Pass | Blocked) -> None:
        """Take an answer, and write all when there are many."""
        self._pending.append((run.id, task_id, attempt, agent, outcome))
        if len(self._pending) >= _MANY:
            await self.write()

    async def write(self) -> None:
        """Write the answers that wait; what the store does not take now, waits on."""
        pending, self._pending = deque(self._pending), []
        with suppress(StoreError):
            while pending:
                run_id, task_id, attempt, agent, outcome = pending[0]
                event = Final(Inline(outcome.value), isinstance(outcome, Pass))
                await self._outputs.append(
                    run_id=run_id, task_id=task_id, attempt=attempt, producer_agent=agent, event=event
                )
                pending.popleft()
        self._pending[:0] = pending

    async def make_up(self, run_id: str, recorded: Recorded) -> None:
        """Write the answers of a resumed run that a crash left out: the last ones, up to one that is there."""
        missing: list[Pending] = []
        for task in sorted(recorded.tasks.values(), key=lambda task: task.ended_seq, reverse=True):
            if not isinstance(task.outcome, Pass | Blocked):
                continue
            if not task.attempts or await self._outputs.list_for_attempt(task.id, task.attempts):
                break
            missing.append((run_id, task.id, task.attempts, task.agent, task.outcome))
        self._pending += reversed(missing)
        await self.write()
