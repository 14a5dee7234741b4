"""How a task is carried out: it begins, attempts are made, and whoever asked waits for the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

from swarm_core.contracts import Run
from swarm_core.engine.context import LiveContext
from swarm_core.engine.crew import Crew
from swarm_core.engine.ends import Ends, cause_of, describe
from swarm_core.engine.finals import Finals
from swarm_core.engine.parts import Parts
from swarm_core.engine.recorded import RecordedTask
from swarm_core.engine.requests import Requests
from swarm_core.engine.sessions import OperatorSession
from swarm_core.engine.state import Attempt, RunRecord, Stop, TaskRecord, is_final
from swarm_core.errors import (
    BudgetExceeded,
    DispatchFailed,
    EngineClosed,
    FlowError,
    SpawnDepthExceeded,
    StoreUnavailable,
    SwarmError,
    WorkerFailed,
)
from swarm_core.model.call import EMPTY, Call, Result
from swarm_core.model.ids import TaskId, new_id
from swarm_core.model.output import Final, Inline, OutputEvent
from swarm_core.model.policy import NO_POLICY, AgentPolicy
from swarm_core.model.task import Blocked, Cancelled, DispatchOutcome, Pass, TaskStatus
from swarm_core.model.value import NotJson, json_copy

_BREATH = 64  # attempts between two turns of the event loop: workers that answer at once never wait for it


class Dispatch:
    """Carries out tasks on behalf of runs, of whoever comes through the door, and of attempts that start children."""

    def __init__(self, parts: Parts, ends: Ends, crew: Crew) -> None:
        self._parts, self._ends = parts, ends
        self.crew = crew
        self.requests = Requests(parts, ends, self)
        self.finals = Finals(parts.outputs)
        self.on_idle: Callable[[RunRecord], None] = _unheard
        self.on_awake: Callable[[RunRecord], None] = _unheard
        self.on_halt: Callable[[RunRecord, Stop], None] = _unheard
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
        digest: str | None = None,
        known: RecordedTask | None = None,
    ) -> TaskRecord:
        """Create a pending task; raises SpawnDepthExceeded, EngineClosed, FlowError of kind LimitError.

        `digest` is the input's fingerprint, for the record; `known` what is recorded of a task that was under way.
        """
        if self._parts.state.closed:
            raise EngineClosed
        depth = parent.depth + 1 if parent else 0
        if depth >= self._parts.settings.max_spawn_depth:
            raise SpawnDepthExceeded(depth, self._parts.settings.max_spawn_depth)
        now = self._parts.clock.time()
        refusal = self._refusal(run, agent, depth, address) if run is not None and run.bounded else None
        if known is not None and run is not None and refusal is None:
            task = TaskRecord(known.id, run, agent, input, address, depth, now, now, parent, session)
            return self._take_up(run, known, task)
        if run is not None and run.counts["tasks"] >= (most := run.program.limits.max_steps):
            raise FlowError("LimitError", f"the run has as many tasks as max_steps allows ({most:,})", op="max_steps")
        task_id = TaskId(new_id("T-", self._parts.rng.getrandbits))
        task = TaskRecord(task_id, run, agent, input, address, depth, now, now, parent, session)
        self._parts.state.tasks[task_id] = task
        if parent is not None:
            parent.children[task_id] = task
            parent.children_begun += 1
        if run is not None:
            run.live[task_id] = task
            run.counts["tasks"] += 1
        facts: dict[str, Any] = {"agent": agent, "address": address, "depth": depth}
        if digest is not None:
            facts["input_digest"] = digest
            if parent is not None:
                facts["parent"] = parent.id
        if refusal is not None:
            facts["refused"] = True
        self._ends.log_of(task).add("task_created", task_id, None, facts)
        if refusal is not None:  # on record like any other end: a replay must come by it again
            self._ends.refuse(task, refusal)
            raise DispatchFailed(describe(refusal), cause="refused") from refusal
        return task

    def _refusal(self, run: RunRecord, agent: str, depth: int, address: str) -> SwarmError | None:
        """Return why a task is not to be begun, None when it is; raises BudgetExceeded, when the whole run is over."""
        try:
            run.budget.begin_task(agent, depth, address)
        except BudgetExceeded as error:
            self.exceeded(run, error)
            if error.agent is None:
                raise
            return error
        why = None if run.breaker is None else run.breaker.refuses(address)
        return None if why is None else WorkerFailed(why, kind="fanout_broken")

    def exceeded(self, run: RunRecord, error: BudgetExceeded) -> None:
        """End a run that has spent its own budget; an agent's is the agent's matter."""
        if error.agent is None:
            self.on_halt(run, Stop("fail", error=error))

    def _take_up(self, run: RunRecord, known: RecordedTask, task: TaskRecord) -> TaskRecord:
        """Go on with a task that was under way when its run was stopped."""
        task.attempt, task.failures, task.children_begun = known.attempts, known.failures, known.base
        asked = [run.questions[key] for key in run.asked_by.get(known.id, ())]
        task.asked, task.questions, task.memory = asked, len(asked), known.memory
        self._parts.state.tasks[known.id] = run.live[known.id] = task
        if task.parent is not None:
            task.parent.children[known.id] = task
            task.parent.children_begun += 1
        return task

    def begin_attempt(self, task: TaskRecord, run: Run, policy: AgentPolicy, meta: Mapping[str, Any]) -> Attempt:
        """Start the next attempt's worker, which may have ended when this returns."""
        task.attempt += 1
        self._ends.change(task, TaskStatus.RUNNING)
        attempt = task.live = Attempt(task, task.attempt, policy)
        attempt.context = context = LiveContext(self.requests, attempt)
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
            operator=self._parts.sessions.operator_for(task.session, task.agent),
            meta=meta,
        )
        began: dict[str, Any] = {"agent": task.agent}
        if task.children_begun:
            began["children"] = task.children_begun
        self._ends.note(attempt, "task_attempt_started", began)
        if policy.timeout is not None:
            self._ends.arm(attempt, policy.timeout)
        attempt.worker = self.crew.start_now(self._work(attempt, call, run))
        if attempt.stopped_by is not None:
            self._ends.tell_to_end(attempt)  # it was stopped before there was a task to cancel
        return attempt

    async def _work(self, attempt: Attempt, call: Call, run: Run) -> None:
        outcome: DispatchOutcome | BaseException
        try:
            result = await run(call)
            outcome = self._outcome(result)
            if result.facts:
                self.requests.report(attempt, result.facts)
        except asyncio.CancelledError:
            outcome = WorkerFailed("the worker cancelled itself")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome = error
            run_of = attempt.task.run
            if isinstance(error, StoreUnavailable) and run_of is not None and run_of.journal is not None:
                self.on_halt(run_of, Stop("lost", error=error))  # the worker could not help it: it runs again
        self._ends.settle(attempt, outcome)

    def _outcome(self, result: Result) -> DispatchOutcome:
        if not isinstance(result, Result):
            raise WorkerFailed(f"the worker returned {type(result).__name__}, not a Result", kind="invalid_result")
        try:
            value = json_copy(result.value, max_bytes=self._parts.settings.max_value_bytes)
        except NotJson as error:
            hint = "return JSON values; large data belongs into files, or raise [engine] max_value_bytes"
            raise WorkerFailed(f"the result is refused: {error}", kind="invalid_result", hint=hint) from None
        return Pass(value) if result.ok else Blocked(value)

    # the waiting until the end ----------------------------------------------------------------------------------

    async def carry_out(
        self,
        task: TaskRecord,
        run: Run,
        policy: AgentPolicy = NO_POLICY,
        meta: Mapping[str, Any] = EMPTY,
    ) -> DispatchOutcome:
        """Make attempts until the task has ended; raises DispatchFailed when it ended without a result."""
        if policy.concurrency is None and (task.run is None or task.run.whole is None):
            return await self._attempts(task, run, policy, meta)
        seat = task.seat = None if task.run is None else task.run.seat_for(task.agent, policy.concurrency)
        if seat is None:
            return await self._attempts(task, run, policy, meta)
        try:
            await seat.take()
        except asyncio.CancelledError:
            self._ends.stop(task, "cancel")
            raise
        try:
            return await self._attempts(task, run, policy, meta)
        finally:
            seat.leave()

    @asynccontextmanager
    async def aside(self, attempt: Attempt, key: str | None = None) -> AsyncIterator[None]:
        """Let an attempt not count as work while it waits: for a child, or for the answer to the question `key`."""
        task, run = attempt.task, attempt.task.run
        if run is None:
            yield
            return
        run.busy -= 1
        if key is not None:
            run.asking += 1
            run.waiting_for[key] = None
            self.on_idle(run)
        try:
            async with task.seat.away() if task.seat is not None else nullcontext():
                yield
        finally:
            run.busy += 1
            if key is not None:
                run.asking -= 1
                run.waiting_for.pop(key, None)
                self.on_awake(run)

    async def _attempts(
        self, task: TaskRecord, run: Run, policy: AgentPolicy, meta: Mapping[str, Any]
    ) -> DispatchOutcome:
        owner = task.run
        if owner is not None:
            owner.busy += 1
        try:
            while not is_final(task):
                if owner is not None and owner.bounded:
                    self._admit(task, owner)
                attempt = self.begin_attempt(task, run, policy, meta)
                if not attempt.concluded:
                    await self._ended(attempt)
                await self._store_outputs(attempt)
                ended = attempt.outcome
                if not isinstance(ended, float):
                    return await self._told(task, attempt, ended)
                async with task.seat.away() if task.seat is not None else nullcontext():
                    await self._pause(task, ended)
        finally:
            if owner is not None:
                owner.busy -= 1
                if not owner.busy and owner.asking:
                    self.on_idle(owner)
        return _final_outcome(task)

    async def _told(
        self, task: TaskRecord, attempt: Attempt, ended: DispatchOutcome | BaseException | None
    ) -> DispatchOutcome:
        """Return an attempt's outcome when it is on record, or raise it."""
        run = task.run
        if run is not None and run.journal is not None:
            sole = task.parent is None and "/lane@" not in task.address
            await run.journal.committed(attempt.seq, alone=run.busy == 1, sole=sole)
        else:
            self._unbroken += 1
            if self._unbroken >= _BREATH:
                self._unbroken = 0
                await asyncio.sleep(0)
        if isinstance(ended, BaseException):
            raise DispatchFailed(describe(ended), cause=cause_of(ended)) from ended
        assert ended is not None and not isinstance(ended, float)
        return ended

    def _admit(self, task: TaskRecord, run: RunRecord) -> None:
        """End a task that may have no further attempt; raises DispatchFailed, BudgetExceeded as `_refusal`."""
        refusal: SwarmError | None = None
        if run.breaker is not None and (task.attempt or task.seat is not None):
            why = run.breaker.refuses(task.address)
            refusal = None if why is None else WorkerFailed(why, kind="fanout_broken")
        try:
            if refusal is None:
                run.budget.begin_attempt(task.agent)
        except BudgetExceeded as error:
            self.exceeded(run, error)
            if error.agent is None:
                raise
            refusal = error
        if refusal is not None:
            self._ends.refuse(task, refusal)
            raise DispatchFailed(describe(refusal), cause="refused") from refusal

    async def _ended(self, attempt: Attempt) -> None:
        """Wait until the worker is gone or given up; a cancellation ends the worker first."""
        try:
            await self._gone(attempt)
        except asyncio.CancelledError:
            self._ends.stop(attempt.task, "cancel")
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
            self._ends.stop(task, "cancel")
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
        tail, ended = context.unkept() if context else [], attempt.outcome
        if task.run is not None and task.run.journal is not None and len(tail) == 1 and _is_plain(tail[0]):
            if isinstance(ended, Pass | Blocked):
                await self.finals.take(task.run, task.id, attempt.number, task.agent, ended)
            return
        sound = len(tail) == 1 and type(ended) is Pass
        for event in tail if sound else filter(_is_json, tail):
            await self._parts.outputs.append(
                run_id=run_id, task_id=task.id, attempt=attempt.number, producer_agent=task.agent, event=event
            )


def _is_plain(event: OutputEvent) -> bool:
    """Tell whether an output is a worker's own answer and nothing else: the journal has it as well."""
    return type(event) is Final and event.by is None


def _is_json(event: OutputEvent) -> bool:
    """Tell whether an output can be kept: an answer is recorded as the worker gave it, also one that is refused."""
    if type(event) is not Final or not isinstance(event.content, Inline):
        return True
    try:
        json_copy(event.content.value)
    except NotJson:
        return False
    return True


def _final_outcome(task: TaskRecord) -> DispatchOutcome:
    if task.status is TaskStatus.CANCELLED:
        return Cancelled()
    if task.error is not None:
        raise DispatchFailed(task.error)
    return Pass(task.last_result) if task.status is TaskStatus.PASS else Blocked(task.last_result)


def _unheard(*facts: object) -> None:
    """Hear nothing: the room of runs says who shall."""
