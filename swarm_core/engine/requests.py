"""What attempts ask of the engine: children, answers, tokens, events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swarm_core.engine.ends import Ends
from swarm_core.engine.parts import Parts
from swarm_core.engine.state import Attempt, TaskRecord, is_final
from swarm_core.errors import DispatchFailed, InvalidTransition
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.ids import ResumeKey
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.task import Cancelled, Pass, TaskStatus
from swarm_core.tokens import encode_token

if TYPE_CHECKING:
    from swarm_core.engine.dispatch import Dispatch


class Requests:
    """Grants what attempts ask for; their contexts have checked that they are alive."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch) -> None:
        self._parts, self._ends, self._dispatch = parts, ends, dispatch

    def note(self, attempt: Attempt, kind: str, facts: Mapping[str, Any]) -> None:
        """Put an event of the attempt on its run's stream."""
        self._ends.note(attempt, kind, facts)

    async def run_child(self, attempt: Attempt, agent: str, input: Any) -> Result:
        """Carry out a task below the attempt's own; raises SpawnDepthExceeded, DispatchFailed."""
        parent = attempt.task
        if (run := parent.run) is None:
            raise InvalidTransition("only a task of a run can start children")
        child = self._dispatch.begin_task(
            run, agent, input, child_address(parent), parent=parent, session=parent.session
        )
        outcome = await self._dispatch.carry_out(child, run.program.run, run.program.policies.get(agent, NO_POLICY))
        if isinstance(outcome, Cancelled):
            raise DispatchFailed("the child task was cancelled", cause="cancelled")
        return Result(outcome.value, isinstance(outcome, Pass))

    async def ask(self, attempt: Attempt, question: Any, timeout: float | None) -> Any:
        """Suspend the task until the question is answered; the attempt's time stands still meanwhile."""
        key = self.suspend(attempt.task, question)
        granted = self._disarm(attempt)
        try:
            return await self._parts.questions.wait(key, timeout)
        finally:
            self._resumed(attempt.task, key)
            if granted is not None and not attempt.concluded and attempt.stopped_by is None:
                self._ends.arm(attempt, granted)

    def _disarm(self, attempt: Attempt) -> float | None:
        if attempt.deadline is None or attempt.timer is None:
            return None
        attempt.timer.cancel()
        return max(0.001, attempt.deadline - self._parts.clock.monotonic())

    def suspend(self, task: TaskRecord, question: Any) -> ResumeKey:
        """Note a question of the task and suspend it; raises InvalidTransition when it has ended."""
        if is_final(task):
            raise InvalidTransition(f"task {task.id} is {task.status}; an ended task cannot ask")
        key = self._parts.questions.open(task, question).key
        log = self._ends.log_of(task)
        log.add("senior_queried", task.id, task.attempt or None, {"question": question, "key": key})
        task.suspended_on = key
        self._ends.change(task, TaskStatus.SUSPENDED)
        log.add("task_suspended", task.id, task.attempt or None, {"key": key})
        return key

    def answer(self, key: str, answer: Any) -> None:
        """Give the answer to a question; the task runs on."""
        task = self._parts.questions.answer(key, answer).task
        self._ends.log_of(task).add("senior_answered", task.id, task.attempt or None, {"answer": answer, "key": key})
        self._resumed(task, key)

    def _resumed(self, task: TaskRecord, key: str) -> None:
        if task.suspended_on == key and task.status is TaskStatus.SUSPENDED:
            task.suspended_on = None
            self._ends.change(task, TaskStatus.RUNNING)
            self._ends.log_of(task).add("task_resumed", task.id, task.attempt or None, {"key": key})

    def mint_for(self, attempt: Attempt) -> str:
        """Mint the worker's token of an attempt; it dies with the attempt."""
        task = attempt.task
        ttl = self._parts.settings.worker_token_ttl
        if attempt.policy.timeout is not None:
            ttl = max(ttl, attempt.policy.timeout)
        token = self._parts.authority.mint(
            f"worker-of-{task.id}",
            Role.WORKER,
            ttl=ttl,
            run_id=task.run.id if task.run else None,
            task_id=task.id,
            attempt=attempt.number,
            depth=task.depth,
        )
        return encode_token(token)

    def handle_for(self, token: str) -> str:
        """Return a short handle that stands for an attempt's token."""
        return self._parts.authority.handle_for(token)


def child_address(parent: TaskRecord) -> str:
    """Return the step address of the next child: its parent's, and how many came before it."""
    return f"{parent.address.rstrip('/')}/child@{parent.children_begun}"
