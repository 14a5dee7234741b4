"""How a task is carried out: begin and settle, both synchronous, and the waiting between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from swarm_core.contracts import Clock, OutputStore, Run
from swarm_core.engine.context import LiveContext
from swarm_core.engine.crew import Crew
from swarm_core.engine.events import EventLog
from swarm_core.engine.gate import Authority
from swarm_core.engine.sessions import OperatorSession, Sessions
from swarm_core.engine.state import Attempt, EngineState, RunRecord, TaskRecord, is_final
from swarm_core.engine.suspend import Questions
from swarm_core.errors import (
    DispatchFailed,
    EngineClosed,
    FlowError,
    InvalidTransition,
    SpawnDepthExceeded,
    SpawnFailed,
    SwarmError,
    TokenRevoked,
    WorkerFailed,
    WorkerTimeout,
)
from swarm_core.model.access import Role
from swarm_core.model.call import EMPTY, Call, Result
from swarm_core.model.ids import ResumeKey, TaskId, new_id
from swarm_core.model.policy import NO_POLICY, AgentPolicy
from swarm_core.model.task import Blocked, Cancelled, DispatchOutcome, Pass, TaskStatus
from swarm_core.model.value import NotJson, json_copy
from swarm_core.settings import EngineSettings
from swarm_core.tokens import encode_token

_INSISTENCES = 2  # how often a worker is told again to end, a grace apart, before it is given up
_LONGEST_ERROR = 4096
_BREATH = 64  # attempts between two turns of the event loop: workers that answer at once never wait for it


class Dispatch:
    """Carries out tasks on behalf of the engine and of attempts that start children."""

    def __init__(
        self,
        *,
        state: EngineState,
        settings: EngineSettings,
        clock: Clock,
        rng: random.Random,
        authority: Authority,
        sessions: Sessions,
        questions: Questions,
        events: EventLog,
        outputs: OutputStore,
    ) -> None:
        self.state, self.settings, self.clock, self.rng = state, settings, clock, rng
        self.authority, self.sessions, self.questions = authority, sessions, questions
        self.events, self.outputs = events, outputs
        self.crew = Crew()
        self.closed = False
        self._unbroken = 0

    # begin ---------------------------------------------------------------------------------------------------

    def begin_task(
        self,
        run: RunRecord | None,
        agent: str,
        input: Any,
        address: str,
        *,
        parent: TaskRecord | None = None,
        session: OperatorSession | None = None,
    ) -> TaskRecord:
        """Create a pending task; raises SpawnDepthExceeded, EngineClosed, FlowError of kind LimitError."""
        if self.closed:
            raise EngineClosed
        depth = parent.depth + 1 if parent else 0
        if depth >= self.settings.max_spawn_depth:
            raise SpawnDepthExceeded(depth, self.settings.max_spawn_depth)
        if run is not None and run.counts["tasks"] >= (most := run.program.limits.max_steps):
            raise FlowError("LimitError", f"the run has as many tasks as max_steps allows ({most:,})", op="max_steps")
        now = self.clock.time()
        task_id = TaskId(new_id("T-", self.rng.getrandbits))
        task = TaskRecord(task_id, run, agent, input, address, depth, now, now, parent, session)
        self.state.tasks[task_id] = task
        if parent is not None:
            parent.children[task_id] = task
            parent.children_begun += 1
        if run is not None:
            run.live[task_id] = task
            run.counts["tasks"] += 1
        self.log_of(task).add("task_created", task_id, None, {"agent": agent, "address": address, "depth": depth})
        return task

    def begin_attempt(self, task: TaskRecord, run: Run, policy: AgentPolicy, meta: Mapping[str, Any]) -> Attempt:
        """Start the next attempt's worker, which may have ended when this returns."""
        task.attempt += 1
        self._change(task, TaskStatus.RUNNING)
        attempt = task.live = Attempt(task, task.attempt, policy)
        attempt.context = context = LiveContext(self, attempt)
        if task.run is not None:
            task.run.counts["attempts"] += 1
        call = Call(
            run_id=task.run.id if task.run else None,
            task_id=task.id,
            attempt=task.attempt,
            agent=task.agent,
            input=task.input,
            address=task.address,
            context=context,
            operator=self.sessions.operator_for(task.session, task.agent),
            meta=meta,
        )
        self.note(attempt, "task_attempt_started", {"agent": task.agent})
        if policy.timeout is not None:
            self._arm(attempt, policy.timeout)
        attempt.worker = self.crew.start_now(self._work(attempt, call, run))
        if attempt.stopped_by is not None:
            self._tell_to_end(attempt)  # it was stopped before there was a task to cancel
        return attempt

    async def _work(self, attempt: Attempt, call: Call, run: Run) -> None:
        outcome: DispatchOutcome | BaseException
        try:
            outcome = self._outcome(await run(call))
        except asyncio.CancelledError:
            outcome = WorkerFailed("the worker cancelled itself")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome = error
        self.settle(attempt, outcome)

    def _outcome(self, result: Result) -> DispatchOutcome:
        if not isinstance(result, Result):
            raise WorkerFailed(f"the worker returned {type(result).__name__}, not a Result", kind="invalid_result")
        try:
            value = json_copy(result.value, max_bytes=self.settings.max_value_bytes)
        except NotJson as error:
            hint = "return JSON values; large data belongs into files, or raise [engine] max_value_bytes"
            raise WorkerFailed(f"the result is refused: {error}", kind="invalid_result", hint=hint) from None
        return Pass(value) if result.ok else Blocked(value)

    # settle --------------------------------------------------------------------------------------------------

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
        if wait is None:
            self._finish(attempt.task, attempt, outcome)
        attempt.outcome = outcome if wait is None else wait
        if attempt.waiter is not None and not attempt.waiter.done():
            attempt.waiter.set_result(None)

    def _overrule(self, attempt: Attempt) -> DispatchOutcome | BaseException:
        """Return why the worker was told to end; what it said after that does not count."""
        if attempt.stopped_by == "timeout":
            return WorkerTimeout(attempt.policy.timeout or 0.0)
        return attempt.verdict if attempt.verdict is not None else Cancelled()

    def _close(self, attempt: Attempt) -> None:
        """Take from the attempt what it was lent: its timer, its tokens, the tasks it started."""
        task = attempt.task
        task.live = None
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.context is not None and attempt.context.minted:
            self.authority.end_attempt(task.id, attempt.number)
        if task.children:
            for child in list(task.children.values()):
                self.stop(child, "cancel")

    def _finish(self, task: TaskRecord, attempt: Attempt | None, outcome: DispatchOutcome | BaseException) -> None:
        if is_final(task):
            return
        number, log = attempt.number if attempt else None, self.log_of(task)
        if isinstance(outcome, Cancelled):
            self._change(task, TaskStatus.CANCELLED)
            log.add("task_cancelled", task.id, number, {})
        elif isinstance(outcome, BaseException):
            task.error = describe(outcome)
            self._change(task, TaskStatus.BLOCKED)
            log.add("task_blocked", task.id, number, {"result": None, "error": task.error})
        else:
            task.last_result = outcome.value
            if attempt is not None:
                self._note_completed(attempt, outcome)
            passed = isinstance(outcome, Pass)
            self._change(task, TaskStatus.PASS if passed else TaskStatus.BLOCKED)
            log.add("task_pass" if passed else "task_blocked", task.id, number, {"result": outcome.value})
        if task.questions:
            self.questions.drop(task)
        if task.parent is not None:
            task.parent.children.pop(task.id, None)
        if task.run is not None:
            task.run.counts[task.status] += 1
        self.state.retire(task, keep=self.settings.event_log_size)

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
        retry = attempt.policy.retry
        if retry is None or isinstance(outcome, Pass | Cancelled) or is_final(attempt.task) or self.closed:
            return None
        cause = cause_of(outcome) if isinstance(outcome, BaseException) else "blocked"
        if cause not in retry.on or attempt.number >= retry.max_attempts or attempt.given_up:
            return None
        longest: float = min(retry.backoff * 2 ** (attempt.number - 1), retry.max_backoff)
        return self.rng.uniform(0.0, longest)

    # the waiting between -------------------------------------------------------------------------------------

    async def carry_out(
        self,
        task: TaskRecord,
        run: Run,
        policy: AgentPolicy = NO_POLICY,
        meta: Mapping[str, Any] = EMPTY,
    ) -> DispatchOutcome:
        """Make attempts until the task has ended; raises DispatchFailed when it ended without a result."""
        if policy.concurrency is None or task.run is None:
            return await self._attempts(task, run, policy, meta)
        slots = task.run.slots.get(task.agent)
        if slots is None:
            slots = task.run.slots[task.agent] = asyncio.Semaphore(policy.concurrency)
        try:
            await slots.acquire()
        except asyncio.CancelledError:
            self.stop(task, "cancel")
            raise
        try:
            return await self._attempts(task, run, policy, meta)
        finally:
            slots.release()

    async def _attempts(
        self, task: TaskRecord, run: Run, policy: AgentPolicy, meta: Mapping[str, Any]
    ) -> DispatchOutcome:
        while not is_final(task):
            attempt = self.begin_attempt(task, run, policy, meta)
            if not attempt.concluded:
                await self._ended(attempt)
            ended = attempt.outcome
            assert ended is not None
            await self._store_outputs(attempt)
            self._unbroken += 1
            if self._unbroken >= _BREATH:
                self._unbroken = 0
                await asyncio.sleep(0)
            if isinstance(ended, BaseException):
                raise DispatchFailed(describe(ended), cause=cause_of(ended)) from ended
            if not isinstance(ended, float):
                return ended
            await self._pause(task, ended)
        return _final_outcome(task)

    async def _ended(self, attempt: Attempt) -> None:
        """Wait until the worker is gone or given up; a cancellation ends the worker first."""
        try:
            await self._gone(attempt)
        except asyncio.CancelledError:
            self.stop(attempt.task, "cancel")
            while not attempt.concluded:
                with suppress(asyncio.CancelledError):
                    await self._gone(attempt)
            await self._store_outputs(attempt)
            raise

    async def _gone(self, attempt: Attempt) -> None:
        attempt.waiter = asyncio.get_running_loop().create_future()
        await attempt.waiter

    async def _pause(self, task: TaskRecord, seconds: float) -> None:
        """Wait for the next attempt, or for the task's end if that comes first."""
        try:
            await self.changed(task, seconds)
        except asyncio.CancelledError:
            self.stop(task, "cancel")
            raise

    async def changed(self, task: TaskRecord, seconds: float) -> bool:
        """Wait up to `seconds` for the next change of the task's status; tell whether there was one."""
        waiter = asyncio.get_running_loop().create_future()
        task.waiters = [*(task.waiters or ()), waiter]
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            if task.waiters and waiter in task.waiters:
                task.waiters.remove(waiter)
        return True

    async def _store_outputs(self, attempt: Attempt) -> None:
        """Keep what the worker said, and let go of the context: nothing may refer to the attempt in a circle."""
        task, context = attempt.task, attempt.context
        attempt.context = attempt.worker = attempt.timer = None
        run_id = task.run.id if task.run else ""
        for event in context.tail if context else ():
            await self.outputs.append(
                run_id=run_id, task_id=task.id, attempt=attempt.number, producer_agent=task.agent, event=event
            )

    # ending a worker before its time -------------------------------------------------------------------------

    def stop(self, task: TaskRecord, why: str, verdict: DispatchOutcome | None = None) -> None:
        """End a task now, whatever it does: its status changes at once, its worker is told to end."""
        attempt = task.live
        if attempt is None:
            self._finish(task, None, verdict or Cancelled())
        elif attempt.stopped_by not in ("cancel", "verdict"):
            attempt.stopped_by, attempt.verdict = why, verdict
            self._finish(task, attempt, verdict or Cancelled())
            self._tell_to_end(attempt)

    def reopen(self, task: TaskRecord) -> None:
        """Make an ended task pending again, because somebody asked for a retry."""
        if (run := task.run) is not None:
            run.counts[task.status] -= 1
            run.live[task.id] = task
            if task.id in run.finished:
                run.finished.remove(task.id)
        task.error = None
        self._change(task, TaskStatus.PENDING)

    def _arm(self, attempt: Attempt, seconds: float) -> None:
        attempt.deadline = self.clock.monotonic() + seconds
        attempt.timer = asyncio.get_running_loop().call_later(seconds, self._expire, attempt)

    def _expire(self, attempt: Attempt) -> None:
        if not attempt.concluded and attempt.stopped_by is None:
            attempt.stopped_by = "timeout"
            self._tell_to_end(attempt)

    def _tell_to_end(self, attempt: Attempt, left: int = _INSISTENCES) -> None:
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
        again = asyncio.get_running_loop().call_later(self.settings.cancel_grace, self._tell_to_end, attempt, left - 1)
        attempt.timer = again

    # what an attempt may ask for -----------------------------------------------------------------------------

    async def run_child(self, attempt: Attempt, agent: str, input: Any) -> Result:
        """Carry out a task below the attempt's own; raises SpawnDepthExceeded, DispatchFailed."""
        parent = attempt.task
        if (run := parent.run) is None:
            raise InvalidTransition("only a task of a run can start children")
        child = self.begin_task(run, agent, input, child_address(parent), parent=parent, session=parent.session)
        outcome = await self.carry_out(child, run.program.run, run.program.policies.get(agent, NO_POLICY))
        if isinstance(outcome, Cancelled):
            raise DispatchFailed("the child task was cancelled", cause="cancelled")
        return Result(outcome.value, isinstance(outcome, Pass))

    async def ask(self, attempt: Attempt, question: Any, timeout: float | None) -> Any:
        """Suspend the task until the question is answered; the attempt's time stands still meanwhile."""
        key = self.suspend(attempt.task, question)
        granted = self._disarm(attempt)
        try:
            return await self.questions.wait(key, timeout)
        finally:
            self._resumed(attempt.task, key)
            if granted is not None and not attempt.concluded and attempt.stopped_by is None:
                self._arm(attempt, granted)

    def _disarm(self, attempt: Attempt) -> float | None:
        if attempt.deadline is None or attempt.timer is None:
            return None
        attempt.timer.cancel()
        return max(0.001, attempt.deadline - self.clock.monotonic())

    def suspend(self, task: TaskRecord, question: Any) -> ResumeKey:
        """Note a question of the task and suspend it; raises InvalidTransition when it has ended."""
        if is_final(task):
            raise InvalidTransition(f"task {task.id} is {task.status}; an ended task cannot ask")
        key = self.questions.open(task, question).key
        log = self.log_of(task)
        log.add("senior_queried", task.id, task.attempt or None, {"question": question, "key": key})
        task.suspended_on = key
        self._change(task, TaskStatus.SUSPENDED)
        log.add("task_suspended", task.id, task.attempt or None, {"key": key})
        return key

    def answer(self, key: str, answer: Any) -> None:
        """Give the answer to a question; the task runs on."""
        task = self.questions.answer(key, answer).task
        self.log_of(task).add("senior_answered", task.id, task.attempt or None, {"answer": answer, "key": key})
        self._resumed(task, key)

    def _resumed(self, task: TaskRecord, key: str) -> None:
        if task.suspended_on == key and task.status is TaskStatus.SUSPENDED:
            task.suspended_on = None
            self._change(task, TaskStatus.RUNNING)
            self.log_of(task).add("task_resumed", task.id, task.attempt or None, {"key": key})

    def mint_for(self, attempt: Attempt) -> str:
        """Mint the worker's token of an attempt; it dies with the attempt."""
        task = attempt.task
        ttl = self.settings.worker_token_ttl
        if attempt.policy.timeout is not None:
            ttl = max(ttl, attempt.policy.timeout)
        token = self.authority.mint(
            f"worker-of-{task.id}",
            Role.WORKER,
            ttl=ttl,
            run_id=task.run.id if task.run else None,
            task_id=task.id,
            attempt=attempt.number,
            depth=task.depth,
        )
        return encode_token(token)

    # events --------------------------------------------------------------------------------------------------

    def note(self, attempt: Attempt, kind: str, facts: Mapping[str, Any]) -> None:
        """Put an event of the attempt on its run's stream."""
        task = attempt.task
        self.log_of(task).add(kind, task.id, attempt.number, facts)

    def log_of(self, task: TaskRecord) -> EventLog:
        """Return the stream that the task's events go to: its run's, or the engine's."""
        return task.run.events if task.run is not None else self.events

    def _change(self, task: TaskRecord, status: TaskStatus) -> None:
        task.status, task.updated_at = status, self.clock.time()
        if task.waiters:
            task.wake()


def child_address(parent: TaskRecord) -> str:
    """Return the step address of the next child: its parent's, and how many came before it."""
    return f"{parent.address.rstrip('/')}/child@{parent.children_begun}"


def _final_outcome(task: TaskRecord) -> DispatchOutcome:
    if task.status is TaskStatus.CANCELLED:
        return Cancelled()
    if task.error is not None:
        raise DispatchFailed(task.error)
    return Pass(task.last_result) if task.status is TaskStatus.PASS else Blocked(task.last_result)


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
    if isinstance(error, WorkerFailed) and error.kind == "no_final":
        return "no_final"
    return "failed"
