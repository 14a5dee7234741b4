"""Runs: one evaluation of a program, from launch to its last event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.ends import Ends, describe
from swarm_core.engine.events import EventLog
from swarm_core.engine.parts import Parts
from swarm_core.engine.program import Program
from swarm_core.engine.sessions import OperatorSession
from swarm_core.engine.state import RunRecord
from swarm_core.errors import DispatchFailed, EngineClosed, FlowError, StepBlocked
from swarm_core.flow import Limits
from swarm_core.model.call import to_text
from swarm_core.model.ids import RunId, new_id
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.task import Blocked, Pass, RunStatus, TaskStatus
from swarm_core.model.value import json_copy

_COUNTED = ("tasks", "attempts", TaskStatus.PASS, TaskStatus.BLOCKED, TaskStatus.CANCELLED)


@frozen(kw_only=True)
class RunResult:
    """How a run ended. `final_ctx` is None unless it is done; `error` is None when it is."""

    run_id: str
    status: RunStatus
    final_ctx: Any = None
    error: Mapping[str, Any] | None = None
    counts: Mapping[str, int] = field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the result as data: run_id, status, final_ctx, error, counts."""
        return {
            "run_id": self.run_id,
            "status": str(self.status),
            "final_ctx": self.final_ctx,
            "error": self.error,
            "counts": dict(self.counts),
        }


class Runs:
    """Starts runs and drives them to their end."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch) -> None:
        self._parts, self._ends, self._dispatch = parts, ends, dispatch

    def new_id(self) -> RunId:
        """Return the id of a run to come."""
        return RunId(new_id("RUN-", self._parts.rng.getrandbits))

    def start(self, run_id: RunId, program: Program, init_ctx: Any, session: OperatorSession) -> RunRecord:
        """Begin a run; raises EngineClosed, NotJson."""
        parts = self._parts
        if parts.state.closed:
            raise EngineClosed
        settings, clock = parts.settings, parts.clock
        ctx = json_copy(init_ctx, max_bytes=settings.max_value_bytes)
        run = RunRecord(
            id=run_id,
            program=evolve(program, limits=self._limits(program.limits)),
            events=EventLog(run_id, size=settings.event_log_size, time=clock.time),
            session=session,
            done=asyncio.get_running_loop().create_future(),
            counts=dict.fromkeys(map(str, _COUNTED), 0),
        )
        parts.state.runs[run_id] = run
        run.events.add("run_started", None, None, {"blueprint": program.blueprint_id})
        run.driver = self._dispatch.crew.start(self._drive(run, ctx))
        run.driver.add_done_callback(partial(self._see_off, run))
        return run

    def cancel(self, run: RunRecord) -> None:
        """Cancel a run and everything below it; what has ended stays as it is."""
        if run.status is RunStatus.RUNNING and run.driver is not None:
            run.driver.cancel()

    def pause(self, run: RunRecord) -> None:
        """Let no further step of the run begin until it is released."""
        if run.paused is None and run.status is RunStatus.RUNNING:
            run.paused = asyncio.get_running_loop().create_future()

    def release(self, run: RunRecord) -> None:
        """Let steps begin again."""
        if run.paused is not None:
            if not run.paused.done():
                run.paused.set_result(None)
            run.paused = None

    @staticmethod
    def result(run: RunRecord) -> RunResult:
        """Return how the run ended, or where it stands."""
        return RunResult(
            run_id=run.id, status=run.status, final_ctx=run.final_ctx, error=run.error, counts=dict(run.counts)
        )

    def _limits(self, limits: Limits) -> Limits:
        settings = self._parts.settings
        return evolve(limits, max_lanes=settings.max_lanes, max_value_bytes=settings.max_value_bytes)

    async def _drive(self, run: RunRecord, ctx: Any) -> None:
        program = run.program

        async def step(ref: str, input: Any, address: str) -> Any:
            return await self._step(run, ref, input, address)

        try:
            run.final_ctx = await program.flow.run(
                ctx, step, program.externs, limits=program.limits, plain_answers=True
            )
            self._end(run, RunStatus.DONE)
        except asyncio.CancelledError:
            self._end_cancelled(run)
        except FlowError as error:
            self._end(run, RunStatus.FAILED, error.as_json())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._end(run, RunStatus.FAILED, {"kind": "Internal", "message": describe(error)})

    def _see_off(self, run: RunRecord, driver: asyncio.Task[None]) -> None:
        """End a run whose driver could not: it was cancelled before its first step, or interrupted."""
        if run.status is RunStatus.RUNNING:
            self._end_cancelled(run)

    def _end_cancelled(self, run: RunRecord) -> None:
        self._end(run, RunStatus.CANCELLED, {"kind": "Cancelled", "message": "the run was cancelled"})

    async def _step(self, run: RunRecord, agent: str, input: Any, address: str) -> Any:
        while run.paused is not None:
            await asyncio.shield(run.paused)
        dispatch, program = self._dispatch, run.program
        task = dispatch.begin_task(run, agent, input, address, session=run.session)
        outcome = await dispatch.carry_out(task, program.run, program.policies.get(agent, NO_POLICY))
        if type(outcome) is Pass:
            return outcome.value
        if isinstance(outcome, Blocked):
            raise StepBlocked(outcome.value, to_text(outcome.value))
        raise DispatchFailed("the task was cancelled", cause="cancelled")

    def _end(self, run: RunRecord, status: RunStatus, error: Mapping[str, Any] | None = None) -> None:
        for task in list(run.live.values()):
            self._ends.stop(task, "cancel")
        run.status, run.error = status, error
        self.release(run)
        self._parts.authority.end_run(run.id)
        self._parts.sessions.drop(run.session)
        facts = {"status": str(status)} if error is None else {"status": str(status), "error": error}
        run.events.add("run_ended", None, None, facts)
        run.events.close()
        if not run.done.done():
            run.done.set_result(None)
