"""Questions that tasks wait on, and their answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, field

from swarm_core.errors import AlreadyAnswered, PollTimeout, ResumeKeyNotFound
from swarm_core.model.ids import ResumeKey, senior_key

if TYPE_CHECKING:
    from swarm_core.engine.state import TaskRecord

_ANSWERED_KEPT = 10_000


@define(eq=False, repr=False)
class Question:
    """One question: who waits, what was asked, and the answer once there is one."""

    key: ResumeKey
    task: TaskRecord
    question: Any
    answered: bool = False
    answer: Any = None
    waiters: list[asyncio.Future[None]] = field(factory=list)


class Questions:
    """Keeps questions by key. The answer stays with the question, so it may come before anyone waits for it."""

    def __init__(self) -> None:
        self._by_key: dict[str, Question] = {}

    def open(self, task: TaskRecord, question: Any) -> Question:
        """Note a question of the task; the first one has the key `R-senior-<task>`, later ones a number behind it."""
        task.questions += 1
        key = senior_key(task.id)
        if task.questions > 1:
            key = ResumeKey(f"{key}-{task.questions}")
        asked = self._by_key[key] = Question(key, task, question)
        return asked

    def get(self, key: str) -> Question:
        """Return a question; raises ResumeKeyNotFound."""
        try:
            return self._by_key[key]
        except KeyError:
            raise ResumeKeyNotFound(key) from None

    def answer(self, key: str, answer: Any) -> Question:
        """Store the answer and wake who waits; raises ResumeKeyNotFound, AlreadyAnswered."""
        question = self.get(key)
        if question.answered:
            raise AlreadyAnswered(key)
        question.answered, question.answer = True, answer
        for waiter in question.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._trim()
        return question

    async def wait(self, key: str, timeout: float | None) -> Any:
        """Return the answer, at once when it is there; raises ResumeKeyNotFound, PollTimeout."""
        question = self.get(key)
        if question.answered:
            return question.answer
        if timeout is not None and timeout <= 0:
            raise PollTimeout
        waiter = asyncio.get_running_loop().create_future()
        question.waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            raise PollTimeout from None
        finally:
            question.waiters.remove(waiter)
        return question.answer

    def drop(self, task: TaskRecord) -> None:
        """Forget the unanswered questions of a task that has ended."""
        if task.questions:
            for key in [key for key, asked in self._by_key.items() if asked.task is task and not asked.answered]:
                del self._by_key[key]

    def _trim(self) -> None:
        while len(self._by_key) > _ANSWERED_KEPT:
            oldest = next((key for key, asked in self._by_key.items() if asked.answered), None)
            if oldest is None:
                return
            del self._by_key[oldest]
