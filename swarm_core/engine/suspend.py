"""Questions that tasks wait on, while somebody here waits for their answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from attrs import define, field

from swarm_core.errors import PollTimeout, ResumeKeyNotFound
from swarm_core.model.run import Question, QuestionState

if TYPE_CHECKING:
    from swarm_core.engine.state import TaskRecord

_SETTLED_KEPT = 10_000


@define(eq=False, repr=False)
class Waiting:
    """One question, whose it is, and who waits for its answer here."""

    question: Question
    task: TaskRecord
    waiters: list[asyncio.Future[None]] = field(factory=list)

    @property
    def is_open(self) -> bool:
        """Tell whether the question has no answer yet."""
        return self.question.state is QuestionState.OPEN


class Questions:
    """Keeps questions by key. The answer stays with the question, so it may come before anyone waits for it."""

    def __init__(self) -> None:
        self._by_key: dict[str, Waiting] = {}

    def open(self, question: Question, task: TaskRecord) -> Waiting:
        """Take a question of a task in."""
        asked = self._by_key[question.key] = Waiting(question, task)
        return asked

    def find(self, key: str) -> Waiting | None:
        """Return a question, if it is known here."""
        return self._by_key.get(key)

    def get(self, key: str) -> Waiting:
        """Return a question; raises ResumeKeyNotFound."""
        try:
            return self._by_key[key]
        except KeyError:
            raise ResumeKeyNotFound(key) from None

    def settle(self, question: Question) -> None:
        """Take in that a question is no longer open, and wake who waits for it."""
        asked = self._by_key[question.key]
        asked.question = question
        for waiter in asked.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._trim()

    async def wait(self, key: str, timeout: float | None) -> Question:
        """Return a question when it is no longer open; raises ResumeKeyNotFound, PollTimeout."""
        asked = self.get(key)
        if not asked.is_open:
            return asked.question
        if timeout is not None and timeout <= 0:
            raise PollTimeout
        waiter = asyncio.get_running_loop().create_future()
        asked.waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            raise PollTimeout from None
        finally:
            asked.waiters.remove(waiter)
        return asked.question

    def drop(self, task: TaskRecord) -> list[str]:
        """Forget the open questions of a task that has ended; return their keys."""
        own = [asked for question in task.asked or () if (asked := self._by_key.get(question.key)) is not None]
        keys = [asked.question.key for asked in own if asked.task is task and asked.is_open]
        for key in keys:
            del self._by_key[key]
        return keys

    def forget(self, task: TaskRecord) -> None:
        """Forget all questions of a task."""
        for question in task.asked or ():
            self._by_key.pop(question.key, None)

    def _trim(self) -> None:
        while len(self._by_key) > _SETTLED_KEPT:
            oldest = next((key for key, asked in self._by_key.items() if not asked.is_open), None)
            if oldest is None:
                return
            del self._by_key[oldest]
