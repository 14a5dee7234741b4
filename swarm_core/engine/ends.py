"""How attempts and tasks end: by a result, a failure, a verdict, a cancel, or because their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from swarm_core.engine.events import EventLog
from swarm_core.engine.parts import Parts
from swarm_core.engine.state import Attempt, TaskRecord, is_final
from swarm_core.errors import SpawnFailed, SwarmError, TokenRevoked, VerdictRejected, WorkerFailed, WorkerTimeout
from swarm_core.model.task import Blocked, Cancelled, DispatchOutcome, Pass, TaskStatus

_INSISTENCES = 2  # how often a worker is told again to end, a grace apart, before it is given up
_LONGEST_ERROR = 4096


class Ends:
    """Settles attempts and ends tasks; every change here is synchronous."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def settle(self, attempt: Attempt, outcome: DispatchOutcome | BaseException) -> None:
        """Conclude an attempt: the task's status, its events, and the word to whoever waits for it."""
        if attempt.concluded or attempt.stopped_by is not None:
            # a result that came after all was refused where it would have been recorded
            if not isinstance(outcome, BaseException) or isinstance(outcome, TokenRevoked):
                self.note(attempt, "late_result_ignored", {"agent": attempt.task.agent})
            if attempt.concluded:
                return
            outcome = self._overrule(attempt)
        attempt.concluded = True
        self._close(attempt)
        wait = self._next_wait(attempt, outcome)
        if isinstance(outcome, BaseException):
            self._note_failure(attempt, outcome, wait)
        elif wait is not None and not isinstance(outcome, Cancelled):
            self._note_completed(attempt, outcome)
        attempt.task.failures += 1
        if wait is None:
            self._finish(attempt.task, attempt, outcome)
        attempt.outcome = outcome if wait is None else wait
        attempt.seq = self.log_of(attempt.task).last_seq
        if attempt.waiter is not None and not attempt.waiter.done():
            attempt.waiter.set_result(None)

    def _overrule(self, attempt: Attempt) -> DispatchOutcome | BaseException:
        """Return why the worker was told to end; what it said after that does not count."""
        if attempt.stopped_by == "timeout":
            return attempt.timeout or WorkerTimeout(attempt.policy.timeout or 0.0)
        return attempt.verdict if attempt.verdict is not None else Cancelled()

    def _close(self, attempt: Attempt) -> None:
        """Take from the attempt what it was lent: its timer, its tokens, the tasks it started."""
        task = attempt.task
        task.live = None
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.context is not None and attempt.context.minted:
            self._parts.authority.end_attempt(task.id, attempt.number)
        if task.children:
            for child in list(task.children.values()):
                self.stop(child, "cancel")

    def _finish(
        self,
        task: TaskRecord,
        attempt: Attempt | None,
        outcome: DispatchOutcome | BaseException,
        by: str | None = None,
    ) -> None:
        if is_final(task):
            return
        number, log = attempt.number if attempt else None, self.log_of(task)
        if isinstance(outcome, Cancelled):
            self.change(task, TaskStatus.CANCELLED)
            log.add("task_cancelled", task.id, number, {"by": by} if by else {})
        elif isinstance(outcome, BaseException):
            task.error = describe(outcome)
            self.change(task, TaskStatus.BLOCKED)
            log.add("task_blocked", task.id, number, {"result": None, "error": task.error})
        else:
            task.last_result = outcome.value
            if attempt is not None:
                self._note_completed(attempt, outcome)
            passed = isinstance(outcome, Pass)
            self.change(task, TaskStatus.PASS if passed else TaskStatus.BLOCKED)
            log.add("task_pass" if passed else "task_blocked", task.id, number, {"result": outcome.value})
        if task.questions:
            for key in self._parts.questions.drop(task):
                if task.run is not None and task.run.journal is not None and task.run.stop is None:
                    task.run.journal.closed(key)
        if task.parent is not None:
            task.parent.children.pop(task.id, None)
        if task.run is not None and not (isinstance(outcome, Cancelled) and task.run.goes_on):
            task.run.counts[task.status] += 1
        self._parts.state.retire(task, keep=self._parts.settings.event_log_size)

    def _note_completed(self, attempt: Attempt, outcome: Pass | Blocked) -> None:
        facts = {"ok": isinstance(outcome, Pass), "result": outcome.value}
        self.note(attempt, "task_attempt_completed", facts)

    def _note_failure(self, attempt: Attempt, error: BaseException, wait: float | None) -> None:
        facts: dict[str, Any] = {"error": describe(error), "cause": cause_of(error)}
        if wait is not None:
            facts["retry_in"] = wait
        self.note(attempt, "task_attempt_failed", facts)

    def _next_wait(self, attempt: Attempt, outcome: DispatchOutcome | BaseException) -> float | None:
        """Return the seconds until the next attempt, None when there is none."""
        retry, task = attempt.policy.retry, attempt.task
        if isinstance(outcome, Pass | Cancelled) or is_final(task) or self._parts.state.closed:
            return None
        if isinstance(outcome, VerdictRejected) and not task.repaired:
            task.repaired = True
            return 0.0
        if retry is None:
            return None
        cause = cause_of(outcome) if isinstance(outcome, BaseException) else "blocked"
        failures = task.failures + 1
        if cause not in retry.on or failures >= retry.max_attempts or attempt.given_up:
            return None
        longest: float = min(retry.backoff * 2 ** (failures - 1), retry.max_backoff)
        return self._parts.rng.uniform(0.0, longest)

    def stop(
        self, task: TaskRecord, why: str, verdict: DispatchOutcome | None = None, *, by: str | None = None
    ) -> None:
        """End a task now, whatever it does: its status changes at once, its worker is told to end.

        `by` is "caller" when somebody wanted a single task cancelled: its step has then failed for the flow.
        """
        attempt = task.live
        if attempt is None:
            self._finish(task, None, verdict or Cancelled(), by)
        elif attempt.stopped_by not in ("cancel", "verdict"):
            attempt.stopped_by, attempt.verdict = why, verdict
            self._finish(task, attempt, verdict or Cancelled(), by)
            self.tell_to_end(attempt)

    def reopen(self, task: TaskRecord) -> None:
        """Make an ended task pending again, because somebody asked for a retry."""
        if (run := task.run) is not None:
            run.counts[task.status] -= 1
            run.live[task.id] = task
            if task.id in run.finished:
                run.finished.remove(task.id)
        task.error = None
        self.change(task, TaskStatus.PENDING)

    def arm(self, attempt: Attempt, seconds: float) -> None:
        """Let the attempt's time be over in so many seconds."""
        attempt.deadline = self._parts.clock.monotonic() + seconds
        attempt.timer = asyncio.get_running_loop().call_later(seconds, self.expire, attempt)

    def expire(self, attempt: Attempt, error: SwarmError | None = None) -> None:
        """Let the attempt's time be over; `error` says whose time, None for the agent's."""
        if not attempt.concluded and attempt.stopped_by is None:
            attempt.stopped_by, attempt.timeout = "timeout", error
            self.tell_to_end(attempt)

    def tell_to_end(self, attempt: Attempt, left: int = _INSISTENCES) -> None:
        """Cancel the attempt's worker, again after each grace, and give it up in the end."""
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.concluded or attempt.worker is None:
            return
        if left < 0:
            attempt.given_up = True
            self.note(attempt, "worker_abandoned", {"agent": attempt.task.agent})
            self.settle(attempt, WorkerFailed("the worker did not end when it was told to"))
            return
        attempt.worker.cancel()
        again = asyncio.get_running_loop().call_later(
            self._parts.settings.cancel_grace, self.tell_to_end, attempt, left - 1
        )
        attempt.timer = again

    def note(self, attempt: Attempt, kind: str, facts: Mapping[str, Any]) -> None:
        """Put an event of the attempt on its run's stream."""
        task = attempt.task
        self.log_of(task).add(kind, task.id, attempt.number, facts)

    def refuse(self, task: TaskRecord, error: SwarmError) -> None:
        """End a task that gets no further attempt."""
        self._finish(task, None, error)

    def log_of(self, task: TaskRecord) -> EventLog:
        """Return the stream that the task's events go to: its run's, or the engine's."""
        return task.run.events if task.run is not None else self._parts.events

    def change(self, task: TaskRecord, status: TaskStatus) -> None:
        """Give a task another status and wake who waits for that."""
        task.status, task.updated_at = status, self._parts.clock.time()
        if task.waiters:
            task.wake()


def describe(error: BaseException) -> str:
    """Return the error as text of bounded length, its type in front when it is not one of ours."""
    text = str(error) if isinstance(error, SwarmError) else f"{type(error).__name__}: {error}"
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}... ({len(text)} characters)"


def cause_of(error: BaseException) -> str:
    """Return the cause that a retry policy can name."""
    if isinstance(error, WorkerTimeout):
        return "timeout"
    if isinstance(error, SpawnFailed):
        return "refused"
    if isinstance(error, VerdictRejected):
        return "verdict"
    if isinstance(error, WorkerFailed) and error.kind == "no_final":
        return "no_final"
    return "failed"
