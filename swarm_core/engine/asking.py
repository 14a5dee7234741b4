"""Asking and answering: a task is suspended until its question has an answer, over restarts too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from swarm_core.contracts import NO_DEFAULT, RunStore
from swarm_core.engine.answers import checked_answer, is_over
from swarm_core.engine.ends import Ends
from swarm_core.engine.parts import Parts
from swarm_core.engine.state import Attempt, TaskRecord, is_final
from swarm_core.errors import AlreadyAnswered, InvalidTransition, PollTimeout
from swarm_core.model.ids import ResumeKey, senior_key
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.run import Question, QuestionState
from swarm_core.model.task import TaskStatus
from swarm_core.model.value import json_copy

if TYPE_CHECKING:
    from swarm_core.engine.dispatch import Dispatch


class Asking:
    """Opens questions for tasks, gives them their answers, and lets their time be over."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch) -> None:
        self._parts, self._ends, self._dispatch = parts, ends, dispatch

    # asking ----------------------------------------------------------------------------------------------------

    async def ask(
        self,
        attempt: Attempt,
        question: Any,
        *,
        timeout: float | None,
        schema: Any,
        who: Sequence[str],
        default: Any,
    ) -> Any:
        """Suspend the task until the question is answered; the attempt's time stands still meanwhile."""
        task = attempt.task
        wanted = self._question(task, question, timeout=timeout, schema=schema, who=who, default=default)
        asked = self._asked_before(attempt, wanted) or self._open(attempt, wanted)
        if asked.state is QuestionState.OPEN:
            self._suspend(task, asked.key)
            if task.run is not None and task.run.journal is not None:
                await task.run.journal.committed()
            asked = await self._answered(attempt, asked)
        elif task.run is not None and asked.key in task.run.questions:
            self._tell(task, asked)  # it was answered while nobody held the run
        return _value_of(asked)

    def _question(
        self,
        task: TaskRecord,
        question: Any,
        *,
        timeout: float | None = None,
        schema: Any = None,
        who: Sequence[str] = (),
        default: Any = NO_DEFAULT,
    ) -> Question:
        limit = self._parts.settings.max_value_bytes
        if schema is not None:
            schema = _checked_schema(json_copy(schema), default)
        now = self._parts.clock.time()
        return Question(
            key=self._next_key(task),
            run_id=task.run.id if task.run else "",
            task_id=task.id,
            address=task.address,
            agent=task.agent,
            question=json_copy(question, max_bytes=limit),
            schema=schema,
            who=(who,) if isinstance(who, str) else tuple(who),
            asked_at=now,
            expires_at=None if timeout is None else now + timeout,
            has_default=default is not NO_DEFAULT,
            default=None if default is NO_DEFAULT else json_copy(default, max_bytes=limit),
        )

    @staticmethod
    def _next_key(task: TaskRecord) -> str:
        """Return the key of the task's next question: the first is `R-senior-<task>`, later ones have a number."""
        key = senior_key(task.id)
        return key if not task.questions else f"{key}-{task.questions + 1}"

    def _asked_before(self, attempt: Attempt, wanted: Question) -> Question | None:
        """Return the next of the questions that the task asked when it was run before which is the same one.

        Those in between are passed over: a layer that goes on with what a worker said does not run the worker again.
        """
        task, place = attempt.task, attempt.asks
        for at in range(place, len(task.asked or ())):
            known, now = self._as_it_is(task, at)
            if (now.question, now.schema) == (wanted.question, wanted.schema) and now.state is not QuestionState.CLOSED:
                attempt.asks = at + 1
                if not known:
                    self._parts.questions.open(now, task)
                return now
        if task.asked is not None:
            del task.asked[place:]  # the worker asks something else this time, so what it asked after that is void too
        return None

    def _as_it_is(self, task: TaskRecord, at: int) -> tuple[bool, Question]:
        """Return whether a question that a task asked before is known here, and the question as it stands now."""
        assert task.asked is not None
        before = task.asked[at]
        known = self._parts.questions.find(before.key)
        if known is not None:
            return True, known.question
        return False, before if task.run is None else task.run.questions.get(before.key, before)

    def _open(self, attempt: Attempt, question: Question) -> Question:
        task = attempt.task
        attempt.asks += 1
        task.questions += 1
        task.asked = [*(task.asked or ()), question]
        self._parts.questions.open(question, task)
        log = self._ends.log_of(task)
        facts = {"question": question.question, "key": question.key}
        log.add("senior_queried", task.id, task.attempt or None, facts)
        if task.run is not None and task.run.journal is not None:
            task.run.journal.opened(question)
        return question

    async def suspend(self, task: TaskRecord, question: Any) -> ResumeKey:
        """Note a question that somebody else asks for the task; raises InvalidTransition when it has ended."""
        if is_final(task):
            raise InvalidTransition(f"task {task.id} is {task.status}; an ended task cannot ask")
        asked = self._question(task, question)
        self._open(task.live or Attempt(task, task.attempt, NO_POLICY), asked)
        self._suspend(task, asked.key)
        if task.run is not None and task.run.journal is not None:
            await task.run.journal.committed()
        return ResumeKey(asked.key)

    def _suspend(self, task: TaskRecord, key: str) -> None:
        task.suspended_on = ResumeKey(key)
        self._ends.change(task, TaskStatus.SUSPENDED)
        self._ends.log_of(task).add("task_suspended", task.id, task.attempt or None, {"key": key})

    async def _answered(self, attempt: Attempt, asked: Question) -> Question:
        task, clock = attempt.task, self._parts.clock
        left = None if asked.expires_at is None else max(0.0, asked.expires_at - clock.time())
        granted = self._disarm(attempt)
        since = attempt.waits_since = clock.monotonic()
        async with self._dispatch.aside(attempt, asked.key):
            try:
                return await self._parts.questions.wait(asked.key, left)
            except PollTimeout:
                return await self._expire(task, asked)
            except asyncio.CancelledError:
                if attempt.stopped_by is None and not attempt.concluded:
                    self._withdraw(task, asked)
                raise
            finally:
                attempt.waited, attempt.waits_since = attempt.waited + clock.monotonic() - since, None
                self._resumed(task, asked.key)
                if granted is not None and not attempt.concluded and attempt.stopped_by is None:
                    self._ends.arm(attempt, granted)

    def _disarm(self, attempt: Attempt) -> float | None:
        if attempt.deadline is None or attempt.timer is None:
            return None
        attempt.timer.cancel()
        return max(0.001, attempt.deadline - self._parts.clock.monotonic())

    def _withdraw(self, task: TaskRecord, asked: Question) -> None:
        """Close a question whose asker no longer waits for the answer, while its attempt goes on."""
        if (known := self._parts.questions.find(asked.key)) is not None and known.is_open:
            self._parts.questions.settle(evolve(asked, state=QuestionState.CLOSED))
            if task.run is not None and task.run.journal is not None:
                task.run.journal.closed(asked.key)

    async def _expire(self, task: TaskRecord, asked: Question) -> Question:
        """Let a question's time be over, unless it was answered elsewhere just before."""
        if (store := self._store_of(task)) is not None:
            latest = await store.question(asked.key)
            if latest.state is QuestionState.ANSWERED:
                self.deliver(latest)
                return latest
        expired = evolve(asked, state=QuestionState.EXPIRED, answer=asked.default, answered_at=self._parts.clock.time())
        self._parts.questions.settle(expired)
        self._tell(task, expired)
        return expired

    # answering -------------------------------------------------------------------------------------------------

    async def answer(self, key: str, answer: Any, *, by: str) -> Question:
        """Give a question its answer; the first one counts.

        Raises: ResumeKeyNotFound, AlreadyAnswered, AnswerDenied, AnswerInvalid, StoreUnavailable.
        """
        waiting = self._parts.questions.find(key)
        store = self._parts.journal.store if self._parts.journal is not None else None
        now = self._parts.clock.time()
        if store is None or (waiting is not None and self._store_of(waiting.task) is None):
            asked = self._parts.questions.get(key)
            if not asked.is_open:
                raise AlreadyAnswered(key, by=asked.question.answered_by, at=asked.question.answered_at)
            value = self._checked(asked.question, answer, by)
            answered = evolve(
                asked.question, state=QuestionState.ANSWERED, answer=value, answered_by=by, answered_at=now
            )
        else:
            value = self._checked(await store.question(key), answer, by)
            answered = await store.answer(key, value, by=by, at=now)
        self.deliver(answered)
        return answered

    def _checked(self, question: Question, answer: Any, by: str) -> Any:
        if is_over(question, self._parts.clock.time()):
            raise AlreadyAnswered(question.key)
        return checked_answer(question, answer, by)

    def deliver(self, question: Question) -> None:
        """Let a question that was answered go to the task that waits for it; told twice, it is delivered once."""
        waiting = self._parts.questions.find(question.key)
        if waiting is not None:
            if waiting.is_open:
                self._parts.questions.settle(question)
                self._tell(waiting.task, question)
                self._resumed(waiting.task, question.key)
        elif (run := self._parts.state.runs.get(question.run_id)) is not None and question.key in run.questions:
            run.questions[question.key] = question

    def _tell(self, task: TaskRecord, question: Question) -> None:
        """Put on record what came of a question."""
        run, log = task.run, self._ends.log_of(task)
        if run is not None and question.key in run.told:
            return
        if question.state is QuestionState.ANSWERED:
            facts = {"answer": question.answer, "key": question.key, "by": question.answered_by}
            log.add("senior_answered", task.id, task.attempt or None, facts)
        else:
            facts = {"key": question.key}
            if question.has_default:
                facts["answer"] = question.default
            log.add("question_expired", task.id, task.attempt or None, facts)
        if run is not None:
            run.told.add(question.key)
            if run.journal is not None:
                (run.journal.taken if question.state is QuestionState.ANSWERED else run.journal.expired)(question.key)

    def _resumed(self, task: TaskRecord, key: str) -> None:
        if task.suspended_on == key and task.status is TaskStatus.SUSPENDED:
            task.suspended_on = None
            self._ends.change(task, TaskStatus.RUNNING)
            self._ends.log_of(task).add("task_resumed", task.id, task.attempt or None, {"key": key})

    def _store_of(self, task: TaskRecord) -> RunStore | None:
        journaled = task.run is not None and task.run.journal is not None and self._parts.journal is not None
        return self._parts.journal.store if journaled and self._parts.journal else None


def _checked_schema(schema: Any, default: Any) -> Any:
    """Return the schema when it is one and a default fits it; raises ValueError."""
    from swarm_core.codec.json_schema import check_json_schema, misfit

    check_json_schema(schema)
    if default is not NO_DEFAULT and (reason := misfit(schema, default)) is not None:
        raise ValueError(f"the default answer does not fit the schema: {reason}")
    return schema


def _value_of(question: Question) -> Any:
    if question.state is QuestionState.ANSWERED or (question.state is QuestionState.EXPIRED and question.has_default):
        return json_copy(question.answer)
    raise PollTimeout
