"""Runs: one evaluation of a program, from launch or resume to its last event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import evolve

from swarm_core.engine.breaker import Breaker
from swarm_core.engine.budget import RunBudget
from swarm_core.engine.digest import Digests
from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.ends import Ends, describe
from swarm_core.engine.events import EventLog
from swarm_core.engine.offload import pack_text
from swarm_core.engine.parts import Parts
from swarm_core.engine.program import Past, Pinned, Program
from swarm_core.engine.recorded import RecordedTask, answer_of
from swarm_core.engine.replay import Replay, facts_of
from swarm_core.engine.sessions import OperatorSession
from swarm_core.engine.slots import Slots
from swarm_core.engine.state import RunRecord, Stop
from swarm_core.errors import (
    BudgetExceeded,
    DispatchFailed,
    EngineClosed,
    FlowError,
    RunDiverged,
    RunLost,
    StepBlocked,
    StoreError,
    SwarmError,
)
from swarm_core.flow import Limits
from swarm_core.model.budget import Budget
from swarm_core.model.call import to_text
from swarm_core.model.ids import RunId, new_id
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.run import QuestionState, Refusal, RunChange, RunResult, StoredRun
from swarm_core.model.task import DispatchOutcome, RunStatus, TaskStatus
from swarm_core.model.value import json_copy

_COUNTED = ("tasks", "attempts", TaskStatus.PASS, TaskStatus.BLOCKED, TaskStatus.CANCELLED)
_RECENT = 1000
"""Events of a run that stay in memory when the others can be read from its journal."""

_SETTLED = 0.01
"""Seconds without work after which a run that somebody has to answer counts as waiting."""


class Runs:
    """Starts runs and drives them to their end."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch) -> None:
        self._parts, self._ends, self._dispatch = parts, ends, dispatch
        dispatch.on_idle = self._look
        dispatch.on_awake = self.awake
        dispatch.on_halt = self.halt
        if parts.journal is not None:
            parts.journal.refused = self._refused
            parts.journal.broken_off = self._broken_off

    def new_id(self) -> RunId:
        """Return the id of a run to come."""
        return RunId(new_id("RUN-", self._parts.rng.getrandbits))

    # beginning -------------------------------------------------------------------------------------------------

    def start(
        self,
        run_id: RunId,
        program: Program,
        init_ctx: Any,
        session: OperatorSession,
        *,
        pinned: Pinned | None = None,
        past: Past | None = None,
    ) -> RunRecord:
        """Begin a run, or go on with one that has a past; raises EngineClosed, NotJson, StoreUnavailable.

        With a journal the run is there when its journal is committed; nothing of it is run before.
        """
        parts = self._parts
        if parts.state.closed:
            raise EngineClosed
        ctx = json_copy(init_ctx, max_bytes=parts.settings.max_value_bytes)
        run = self._record(run_id, program, session, past)
        parts.state.runs[run_id] = run
        if past is None:
            if run.journal is not None and pinned is not None:
                self._pin(run, ctx, pinned)
            run.events.add("run_started", None, None, _beginning(program, pinned))
        else:
            self._take_up(run, past)
        run.driver = self._dispatch.crew.start(self._drive(run, ctx))
        self._time(run)
        run.driver.add_done_callback(partial(self._see_off, run))
        return run

    def _record(self, run_id: RunId, program: Program, session: OperatorSession, past: Past | None) -> RunRecord:
        parts, settings = self._parts, self._parts.settings
        last_seq = past.recorded.last_seq if past else 0
        journal = None
        if parts.journal is not None:
            parts.journal.check()
            journal = parts.journal.of_run(run_id, past.stored.epoch if past else 1, last_seq)
        kept = settings.event_log_size if journal is None else min(settings.event_log_size, _RECENT)
        log = EventLog(
            run_id,
            size=kept,
            time=parts.now,
            journal=journal,
            last_seq=last_seq,
            listeners=parts.sessions.attachments.listeners,
        )
        if journal is not None:
            journal.log = log
        budget = program.budget
        return RunRecord(
            id=run_id,
            program=evolve(program, limits=self._limits(program.limits)),
            budget=self._accounts(program, past),
            bounded=budget != Budget() or any(policy.budget for policy in program.policies.values()),
            breaker=None if budget.breaker is None else self._breaker(budget.breaker, past),
            whole=None if budget.concurrency is None else Slots(budget.concurrency),
            events=log,
            session=session,
            done=asyncio.get_running_loop().create_future(),
            journal=journal,
            digests=None if journal is None else Digests(),
            counts=dict(past.recorded.counts) if past else dict.fromkeys(map(str, _COUNTED), 0),
        )

    def _accounts(self, program: Program, past: Past | None) -> RunBudget:
        agents = {name: policy.budget for name, policy in program.policies.items() if policy.budget is not None}
        accounts = RunBudget(program.budget, agents, clock_monotonic=self._parts.clock.monotonic)
        if past is not None:
            accounts.restore(past.own_events)
        return accounts

    @staticmethod
    def _breaker(k: int, past: Past | None) -> Breaker:
        breaker = Breaker(k)
        if past is not None:
            breaker.restore(past.own_events)
        return breaker

    def _pin(self, run: RunRecord, ctx: Any, pinned: Pinned) -> None:
        assert run.journal is not None
        now = self._parts.clock.time()
        text, blobs = pack_text(ctx, self._parts.settings.offload_threshold)
        run.journal.keep(blobs)
        stored = StoredRun(
            id=run.id,
            blueprint_id=run.program.blueprint_id,
            blueprint_hash=pinned.digest,
            launch={**pinned.launch, "ctx": text},
            status=RunStatus.RUNNING,
            created_at=now,
            updated_at=now,
            owner=self._parts.owner_id,
            key=pinned.key,
            parent=pinned.parent,
        )
        run.journal.create(stored, {pinned.digest: pinned.blueprint})

    def _take_up(self, run: RunRecord, past: Past) -> None:
        """Let a run go on from its record."""
        run.replay = Replay(run.id, past.recorded)
        for question in past.questions:
            run.questions[question.key] = question
            run.asked_by.setdefault(question.task_id, []).append(question.key)
        run.told = set(past.recorded.told)
        facts = facts_of(past.recorded)
        run.again = facts["again"]
        run.events.add("run_resumed", None, None, {**facts, "owner": self._parts.owner_id})
        self._change(run, status=RunStatus.RUNNING)
        self._watch(run)

    def _watch(self, run: RunRecord) -> None:
        """Look now and then whether a replay still comes forward."""
        replay = run.replay
        if replay is None or replay.over or run.over:
            return
        if replay.stuck:
            try:
                replay.check_over()
            except RunDiverged as error:
                self.halt(run, Stop("interrupt", "the replay diverged", error))
            return
        asyncio.get_running_loop().call_later(1.0, self._watch, run)

    def _time(self, run: RunRecord) -> None:
        """End a run when its time is over."""
        left = run.budget.time_left
        if left is None or run.over:
            return
        try:
            run.budget.check_time()
        except BudgetExceeded as error:
            self.halt(run, Stop("fail", error=error))
        else:
            asyncio.get_running_loop().call_later(min(max(left, 0.01), 3600.0), self._time, run)

    def _limits(self, limits: Limits) -> Limits:
        settings = self._parts.settings
        return evolve(limits, max_lanes=settings.max_lanes, max_value_bytes=settings.max_value_bytes)

    # driving ---------------------------------------------------------------------------------------------------

    async def _drive(self, run: RunRecord, ctx: Any) -> None:
        program = run.program

        async def step(ref: str, input: Any, address: str) -> Any:
            return await self._step(run, ref, input, address)

        try:
            if run.journal is not None:
                await run.journal.committed()
                run.acknowledged = True
                if run.replay is not None:
                    await self._dispatch.finals.make_up(run.id, run.replay.recorded)
            final = await program.flow.run(ctx, step, program.externs, limits=program.limits, plain_answers=True)
            if run.journal is not None:
                await self._dispatch.finals.write()
            if run.stop is not None:
                self._stopped(run)
            elif self._went_over_all(run):
                run.final_ctx = final
                self._end(run, RunStatus.DONE)
        except asyncio.CancelledError:
            self._stopped(run)
        except StoreError as error:
            self._stop_now(run, Stop("lost", error=error))
        except FlowError as error:
            if run.stop is not None:
                self._stopped(run)
            elif self._went_over_all(run):
                self._end(run, RunStatus.FAILED, error.as_json())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._end(run, RunStatus.FAILED, {"kind": "Internal", "message": describe(error)})

    async def _step(self, run: RunRecord, agent: str, input: Any, address: str) -> Any:
        while run.paused is not None:
            await asyncio.shield(run.paused)
        dispatch, program = self._dispatch, run.program
        digest = None if run.digests is None else run.digests.of(input)
        known = None
        if run.replay is not None:
            known = await self._known(run, run.replay, agent, address, digest)
            if known is not None and known.outcome is not None:
                return answer_of(known.outcome)
        try:
            task = dispatch.begin_task(run, agent, input, address, session=run.session, digest=digest, known=known)
            outcome = await dispatch.carry_out(task, program.run, program.policies.get(agent, NO_POLICY))
        except StoreError as error:  # what the store cannot do is no failure of the step, nor of the run
            self.halt(run, Stop("lost", error=error))
            await asyncio.get_running_loop().create_future()
            raise
        except BudgetExceeded:
            await asyncio.get_running_loop().create_future()  # the run is over, and no `try` shall think otherwise
            raise
        except DispatchFailed as error:
            if run.breaker is not None and error.cause != "refused":
                run.breaker.failed(address, agent, error.reason)
            raise
        if run.breaker is None:
            return answer_of(outcome)
        return _judged(run.breaker, address, agent, outcome)

    async def _known(
        self, run: RunRecord, replay: Replay, agent: str, address: str, digest: str | None
    ) -> RecordedTask | None:
        """Return what is recorded of a step when it is its turn; what is not finished waits for the replay's end."""
        try:
            known = replay.known(address, agent, digest)
        except RunDiverged as error:
            self.halt(run, Stop("interrupt", "the replay diverged", error))
            known = None
            await asyncio.get_running_loop().create_future()
        if known is not None and known.outcome is not None:
            await replay.turn(known)
        elif known is not None and known.given_up:
            await asyncio.get_running_loop().create_future()  # the flow gives it up again
        else:
            await replay.finish()
        return known

    def _went_over_all(self, run: RunRecord) -> bool:
        """Tell whether a flow that has ended asked for all that was recorded; else the run is stopped."""
        if run.replay is None:
            return True
        try:
            run.replay.check_over()
        except RunDiverged as error:
            run.stop = Stop("interrupt", "the replay diverged", error)
            self._interrupted(run, run.stop)
            return False
        return True

    # waiting for answers ---------------------------------------------------------------------------------------

    def _look(self, run: RunRecord) -> None:
        """See, after a moment, whether all that is left of a run waits for answers."""
        if run.asking and not run.looking:
            run.looking = True
            asyncio.get_running_loop().call_later(_SETTLED, self._see_rest, run)

    def _see_rest(self, run: RunRecord) -> None:
        run.looking = False
        replaying = run.replay is not None and not run.replay.over
        if run.over or run.stop or run.busy or not run.asking or replaying or run.status is RunStatus.WAITING:
            return
        run.status = RunStatus.WAITING
        run.budget.pause()
        run.events.add("run_waiting", None, None, {"questions": list(run.waiting_for)})
        self._change(run, status=RunStatus.WAITING)
        run.rested = asyncio.get_running_loop().create_future()
        run.rested.add_done_callback(partial(self._rested, run))
        if run.journal is None:
            run.rested.set_result(None)
        else:
            run.journal.await_commit(run.rested)

    def _rested(self, run: RunRecord, rested: asyncio.Future[None]) -> None:
        if run.status is not RunStatus.WAITING or run.over or run.rested is not rested:
            return
        if run.roused:
            run.roused = False
            asyncio.get_running_loop().call_later(_SETTLED, self._rested, run, rested)
            return
        for waiter in run.rest:
            if not waiter.done():
                waiter.set_result(None)
        run.rest.clear()
        agents, at_work = {task.agent for task in run.live.values()}, self._parts.sessions.attachments.at_work
        cancelled = run.driver is None or run.driver.cancelling()
        if run.journal is None or cancelled or not agents <= run.program.parks or not at_work.isdisjoint(run.live):
            return
        self.halt(run, Stop("park"))

    async def rest_of(self, run: RunRecord) -> None:
        """Wait until a run has ended, or all that is left of it waits for answers."""
        if run.done.done() or (run.status is RunStatus.WAITING and run.rested is not None and run.rested.done()):
            return
        rest = asyncio.get_running_loop().create_future()
        run.rest.append(rest)
        await asyncio.wait([rest, run.done], return_when=asyncio.FIRST_COMPLETED)

    def awake(self, run: RunRecord) -> None:
        """Note that somebody works on the run again."""
        if run.status is RunStatus.WAITING and run.stop is None and not run.over:
            run.status = RunStatus.RUNNING
            run.budget.go_on()
            self._change(run, status=RunStatus.RUNNING)

    # stopping --------------------------------------------------------------------------------------------------

    def cancel(self, run: RunRecord) -> None:
        """Cancel a run and everything below it; what has ended stays as it is."""
        if not run.over and run.stop is None and run.driver is not None:
            run.driver.cancel()

    def halt(self, run: RunRecord, stop: Stop) -> None:
        """Stop a run before its flow has ended; the first reason counts."""
        if run.over or run.stop is not None or run.driver is None:
            return
        run.stop = evolve(stop, waiting=tuple(run.waiting_for) if run.status is RunStatus.WAITING else ())
        if stop.kind != "fail":
            run.events.seal()  # that its workers are ended now is not how its tasks ended
        run.driver.cancel()

    def _stop_now(self, run: RunRecord, stop: Stop) -> None:
        """End a run here whose driver is at its end."""
        run.stop = run.stop or stop
        self._stopped(run)

    def interrupt(self, run: RunRecord, reason: str) -> None:
        """Stop a run so that it can be resumed; one that nobody could resume is cancelled."""
        if run.journal is None:
            self.cancel(run)
        else:
            self.halt(run, Stop("interrupt", reason))

    def pause(self, run: RunRecord) -> None:
        """Let no further step of the run begin until it is released."""
        if run.paused is None and not run.over:
            run.paused = asyncio.get_running_loop().create_future()

    def release(self, run: RunRecord) -> None:
        """Let steps begin again."""
        if run.paused is not None:
            if not run.paused.done():
                run.paused.set_result(None)
            run.paused = None

    def _see_off(self, run: RunRecord, driver: asyncio.Task[None]) -> None:
        """End a run whose driver could not: it was cancelled before its first step, or interrupted."""
        if not run.over:
            self._stopped(run)

    def _stopped(self, run: RunRecord) -> None:
        stop = run.stop
        if stop is None:
            self._end(run, RunStatus.CANCELLED, {"kind": "Cancelled", "message": "the run was cancelled"})
        elif stop.kind == "fail":
            self._end(run, RunStatus.FAILED, _error_json(stop.error))
        elif stop.kind == "park":
            self._parked(run)
        elif stop.kind == "lost":
            self._lost(run, stop.error)
        else:
            self._interrupted(run, stop)

    # ends ------------------------------------------------------------------------------------------------------

    @staticmethod
    def result(run: RunRecord) -> RunResult:
        """Return how the run ended, or where it stands."""
        return RunResult(
            run_id=run.id,
            status=run.status,
            final_ctx=run.final_ctx,
            error=run.error,
            counts=dict(run.counts),
            reused=run.replay.reused if run.replay else 0,
            again=run.again,
            questions=_waiting_for(run),
        )

    def _end(self, run: RunRecord, status: RunStatus, error: Mapping[str, Any] | None = None) -> None:
        self._let_go(run)
        run.status, run.error = status, error
        for left in run.replay.left_over if run.replay else ():
            run.events.add("task_cancelled", left.id, None, {})
        for question in run.questions.values():  # of tasks that were not begun again
            if run.journal is not None and question.state is QuestionState.OPEN:
                run.journal.closed(question.key)
        facts = {"status": str(status)} if error is None else {"status": str(status), "error": error}
        run.events.add_last("run_ended", facts)
        self._conclude(run, ended=True)

    def _interrupted(self, run: RunRecord, stop: Stop) -> None:
        run.events.seal()
        self._let_go(run)
        run.status = RunStatus.WAITING if stop.waiting and stop.error is None else RunStatus.INTERRUPTED
        run.error = None if stop.error is None else _error_json(stop.error)
        facts = {"reason": stop.reason} if run.error is None else {"reason": stop.reason, "error": run.error}
        run.events.add_last("run_interrupted", facts)
        self._conclude(run, ended=False)

    def _lost(self, run: RunRecord, error: SwarmError | None) -> None:
        run.events.seal()
        self._let_go(run)
        if run.journal is not None and self._parts.journal is not None:
            self._parts.journal.forget(run.journal)
        run.events.cut()
        run.status = RunStatus.INTERRUPTED
        run.error = _error_json(error)
        _finish(run.done)

    def _parked(self, run: RunRecord) -> None:
        """Forget a run that waits; its record is in the store, and it is taken up again when it is answered."""
        self._let_go(run)
        run.events.cut()
        self._parts.state.park(run)
        _finish(run.done)

    def _let_go(self, run: RunRecord) -> None:
        for task in list(run.live.values()):
            self._ends.stop(task, "cancel")
        self._leave(run)
        self.release(run)
        self._parts.authority.end_run(run.id)
        self._parts.sessions.drop(run.session)

    def _leave(self, run: RunRecord) -> None:
        """Note, once, that a run is no longer driven here."""
        if not run.over and self._parts.journal is not None and run.journal is not None:
            self._parts.journal.leave()
        run.over = True

    def _conclude(self, run: RunRecord, *, ended: bool) -> None:
        """Write down how the run ended; whoever waits for that is told when it is on disk."""
        if run.journal is None:
            _finish(run.done)
            return
        now = self._parts.clock.time()
        text = None
        if run.status is RunStatus.DONE:
            text, blobs = pack_text(run.final_ctx, self._parts.settings.offload_threshold)
            run.journal.keep(blobs)
        self._change(run, status=run.status, ended_at=now if ended else None, error=run.error, result=text, let_go=True)
        run.journal.await_commit(run.done)

    def _change(
        self,
        run: RunRecord,
        *,
        status: RunStatus,
        ended_at: float | None = None,
        error: Mapping[str, Any] | None = None,
        result: str | None = None,
        let_go: bool = False,
    ) -> None:
        if run.journal is not None:
            change = RunChange(
                updated_at=self._parts.clock.time(),
                status=status,
                ended_at=ended_at,
                error=error,
                counts=dict(run.counts),
                result=result,
                release=let_go,
            )
            run.journal.change(change)

    # the store's word ------------------------------------------------------------------------------------------

    def _refused(self, run_id: str, refusal: Refusal) -> None:
        run = self._parts.state.runs.get(run_id)
        if run is not None:
            self._lose(run, RunLost(run_id))

    def _broken_off(self, error: StoreError) -> None:
        for run in list(self._parts.state.runs.values()):
            if run.journal is not None and not run.done.done():
                self._lose(run, error)

    def _lose(self, run: RunRecord, error: SwarmError) -> None:
        if run.over:  # it ended, and that could not be written
            self._lost(run, error)
        elif run.stop is None:
            self.halt(run, Stop("lost", error=error))
        else:
            run.stop = Stop("lost", error=error)


def _waiting_for(run: RunRecord) -> tuple[str, ...]:
    if run.status is not RunStatus.WAITING:
        return ()
    return run.stop.waiting if run.stop is not None else tuple(run.waiting_for)


def _judged(breaker: Breaker, address: str, agent: str, outcome: DispatchOutcome) -> Any:
    """Return what a step's outcome is for its flow, and let the breaker know of it."""
    try:
        value = answer_of(outcome)
    except StepBlocked as error:
        breaker.failed(address, agent, to_text(error.value))
        raise
    breaker.passed(address)
    return value


def _beginning(program: Program, pinned: Pinned | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"blueprint": program.blueprint_id}
    if pinned is not None:
        facts["blueprint_hash"] = pinned.digest
    return facts


def _error_json(error: SwarmError | None) -> dict[str, Any]:
    """Return an error as a run's error: kind and message, and what else it says."""
    if error is None:
        return {"kind": "Internal", "message": "the run was stopped"}
    facts = {key: value for key, value in error.as_json().items() if value is not None}
    facts["kind"] = type(error).__name__
    return facts


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
