"""The engine: its life, its runs, and the host's own way in. What comes with a token comes through `engine.door`."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from attrs import evolve

from swarm_core.contracts import Clock, OutputStore, RunStore
from swarm_core.engine.clock import SystemClock
from swarm_core.engine.crew import Crew
from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.door import Door
from swarm_core.engine.ends import Ends
from swarm_core.engine.events import EventLog
from swarm_core.engine.gate import Authority, RoleVerbGate, steady_clock
from swarm_core.engine.holding import Holding
from swarm_core.engine.journal import Journal
from swarm_core.engine.outputs import Outputs
from swarm_core.engine.parts import Parts
from swarm_core.engine.program import Past, Pinned, Program
from swarm_core.engine.runs import Runs
from swarm_core.engine.sessions import OperatorSession, Sessions
from swarm_core.engine.silence import SilenceWatch
from swarm_core.engine.state import EngineState, RunRecord, is_final
from swarm_core.engine.suspend import Questions
from swarm_core.errors import AccessDenied, RunLost, SessionNotFound
from swarm_core.model.access import CapToken, Role
from swarm_core.model.event import Event
from swarm_core.model.ids import RunId, SessionId, new_id
from swarm_core.model.operator import SessionRequest
from swarm_core.model.output import OutputRecord
from swarm_core.model.run import Owner, Question, RunResult
from swarm_core.model.task import RunStatus, TaskState
from swarm_core.settings import EngineSettings
from swarm_core.tokens import CapTokenSigner


class Engine:
    """Runs programs and answers for every task of theirs; an async context manager.

    Everything it needs from outside is handed in: the stores, the clock, chance (`rng` for ids and waits,
    `random_bytes` for secrets), the signer and the gate. It lives on one event loop and holds no lock: every change
    of state is synchronous. Without a run store nothing is kept beyond the process. `owner` is what the engine says of
    itself to other engines on the same store; None means what is true of this process.
    """

    def __init__(
        self,
        *,
        outputs: OutputStore,
        runs: RunStore | None = None,
        owner: Owner | None = None,
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        signer: CapTokenSigner | None = None,
        gate: RoleVerbGate | None = None,
    ) -> None:
        self.settings = settings or EngineSettings()
        self.clock = clock or SystemClock()
        self.outputs = outputs
        self.state = EngineState()
        self.sessions = Sessions(steady_clock(self.clock))
        self.events = EventLog(None, size=self.settings.event_log_size, time=self.clock.time)
        self._authority = Authority(
            signer or CapTokenSigner.generate(),
            gate or RoleVerbGate.default(),
            clock=steady_clock(self.clock),
            random_bytes=random_bytes,
        )
        self._watch = SilenceWatch(self.sessions, self.events, longest=self._longest_silence)
        self._rng = rng or random.Random()
        crew = Crew()
        self._journal = (
            None if runs is None else Journal(runs, outputs, crew, threshold=self.settings.offload_threshold)
        )
        self._owner_id = new_id("E-", self._rng.getrandbits) if owner is None else owner.id
        parts = Parts(
            state=self.state,
            settings=self.settings,
            clock=self.clock,
            now=steady_clock(self.clock),
            rng=self._rng,
            authority=self._authority,
            sessions=self.sessions,
            questions=Questions(),
            events=self.events,
            outputs=outputs,
            journal=self._journal,
            owner_id=None if runs is None else self._owner_id,
        )
        self._ends = Ends(parts)
        self._dispatch = Dispatch(parts, self._ends, crew)
        self._runs = Runs(parts, self._ends, self._dispatch)
        self._outputs = Outputs(parts, self._dispatch.finals)
        self.door = Door(parts, self._ends, self._dispatch, self._runs, self._outputs)
        self.holding = (
            None
            if self._journal is None
            else Holding(parts, self._journal, self._runs, self._dispatch, owner_id=self._owner_id, owner=owner)
        )
        if self.holding is not None:
            self.holding.go_on = self.go_on

    @property
    def random_bits(self) -> Callable[[int], int]:
        """Return the source of the bits that ids are made of."""
        return self._rng.getrandbits

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more work, stop what runs, and wait until it has ended or the grace is over.

        Runs in a store are interrupted: whoever opens it next can resume them. Others are cancelled.
        """
        self.state.closed = True
        self._watch.close()
        running = [run for run in self.state.runs.values() if not run.done.done()]
        for run in running:
            self._runs.interrupt(run, "the engine was closed")
        for task in [task for task in self.state.tasks.values() if task.run is None and not is_final(task)]:
            self._ends.stop(task, "cancel")
        if running:
            await asyncio.wait([run.done for run in running], timeout=4 * self.settings.cancel_grace)
        if self.holding is not None:
            await self.holding.close()
        await self._dispatch.crew.dismiss(grace=self.settings.cancel_grace)
        self.events.close()

    # sessions ------------------------------------------------------------------------------------------------

    def attach(
        self,
        operator_id: str,
        role: Role = Role.OPERATOR,
        *,
        ttl: float | None = None,
        request: SessionRequest | None = None,
        run_id: str | None = None,
    ) -> CapToken:
        """Open a session and return its token; `ttl` is seconds. The host's own door: no token needed."""
        asked = request or SessionRequest()
        token = self._authority.mint(operator_id, role, ttl=ttl or self.settings.session_ttl, run_id=run_id)
        self._open_session(operator_id, token, asked, run_id=run_id, watched=self._authority.may_beat(token))
        return token

    def reattach(self, session_id: str, *, ttl: float | None = None) -> CapToken:
        """Attach a session again and return a new token for it, good for `ttl` seconds; the one before it is withdrawn.

        The host's own door, for an operator whose token is lost, and for the session of a run, whose token nobody has
        until then. Raises: SessionNotFound; AccessDenied, when its token was made from another that is no longer good.
        """
        session = self.sessions.get(session_id)
        life = ttl or self.settings.session_ttl
        try:
            token = self._authority.renew(session.nonce_digest, ttl=life)
        except AccessDenied:
            if session.derived:
                raise
            token = self._authority.mint(session.operator_id, session.role, ttl=life, run_id=session.run_id)
        self.sessions.rebind(session, token, self.events, watched=self._authority.may_beat(token))
        return token

    def end_session(self, nonce: str) -> None:
        """Detach the session whose token has this nonce, withdraw the token and forget the session.

        The host's own door; a run's session ends with its run. Raises: SessionNotFound.
        """
        session = self.sessions.of_nonce(nonce)
        if session is None or session.run_id is not None:
            raise SessionNotFound("this one")
        self._authority.revoke(nonce)
        self.sessions.detach(session, self.events)
        self.sessions.drop(session)

    def _open_session(
        self, operator_id: str, token: CapToken, request: SessionRequest, *, run_id: str | None, watched: bool
    ) -> OperatorSession:
        session_id = SessionId(new_id("S-", self._rng.getrandbits))
        session = self.sessions.add(session_id, operator_id, token, request, run_id=run_id, watched=watched)
        self.events.add("session_attached", None, None, {"session_id": session_id, "role": str(token.role)})
        return session

    def detach_silent(self) -> list[str]:
        """Detach the sessions that missed too many heartbeats; return their ids. The engine does so by itself."""
        return self._watch.detach_silent()

    def _longest_silence(self) -> float:
        return self.settings.heartbeat_interval * self.settings.heartbeat_misses

    # runs ----------------------------------------------------------------------------------------------------

    def launch(
        self,
        program: Program,
        init_ctx: Any,
        *,
        operator_id: str = "api",
        request: SessionRequest | None = None,
        pinned: Pinned | None = None,
    ) -> RunRecord:
        """Begin a run of the program with a session of its own; raises EngineClosed, NotJson, StoreUnavailable.

        The host's own door: what comes from outside was checked before it. With a run store, `pinned` says what the run
        is bound to; the run is acknowledged when `committed` has returned.
        """
        return self._begin(self._runs.new_id(), program, init_ctx, operator_id, request, pinned=pinned)

    def go_on(
        self,
        past: Past,
        program: Program,
        init_ctx: Any,
        *,
        operator_id: str = "api",
        request: SessionRequest | None = None,
    ) -> RunRecord:
        """Go on with a run that this engine has claimed; raises as `launch`."""
        return self._begin(RunId(past.stored.id), program, init_ctx, operator_id, request, past=past)

    def _begin(
        self,
        run_id: RunId,
        program: Program,
        init_ctx: Any,
        operator_id: str,
        request: SessionRequest | None,
        *,
        pinned: Pinned | None = None,
        past: Past | None = None,
    ) -> RunRecord:
        asked = _with_blueprint_kinds(request or SessionRequest(), program)
        token = self._authority.mint(operator_id, Role.OPERATOR, ttl=self.settings.session_ttl, run_id=run_id)
        session = self._open_session(operator_id, token, asked, run_id=run_id, watched=False)
        if self.holding is not None:
            self.holding.begin()
        run = self._runs.start(run_id, program, init_ctx, session, pinned=pinned, past=past)
        if past is not None and past.stored.cancel is not None:
            self._runs.cancel(run)
        for forgotten in self.state.forget_oldest_runs(keep=self.settings.finished_runs_kept):
            if self._journal is None:  # what is in a store stays there until it is deleted
                self._dispatch.crew.start(self.outputs.forget_run(forgotten))
        return run

    async def committed(self, run: RunRecord) -> None:
        """Wait until what has happened to a run so far is as durable as its store makes things.

        Raises: StoreUnavailable, RunLost: it will never be.
        """
        if run.journal is None:
            return
        waiter = asyncio.get_running_loop().create_future()
        run.journal.await_commit(waiter)
        await asyncio.wait([waiter, run.done], return_when=asyncio.FIRST_COMPLETED)
        if not waiter.done():
            if run.stop is not None and run.stop.error is not None:
                raise run.stop.error
            raise RunLost(run.id)

    async def recorded(self, task_id: str) -> None:
        """Wait until what has happened to a task so far is as durable as the store of its run makes things.

        Raises: StoreUnavailable, RunLost: it will never be.
        """
        task = self.state.tasks.get(task_id)
        if task is not None and task.run is not None:
            await self.committed(task.run)

    async def wait(self, run_id: str, *, or_waiting: bool = False) -> RunResult:
        """Wait for the end of a run, or, with `or_waiting`, until all that is left of it waits for answers.

        Raises: RunNotFound. Cancelling the wait does not cancel the run.
        """
        parked = self.state.parked.get(run_id)
        if parked is not None and or_waiting and not self._is_waking(run_id):
            return RunResult(run_id=run_id, status=RunStatus.WAITING, questions=parked.questions)
        return await self.wait_for(await self._record_of(run_id), or_waiting=or_waiting)

    async def wait_for(self, run: RunRecord, *, or_waiting: bool = False) -> RunResult:
        """Wait as `wait` does, for a run whose record the caller has, even when the engine has forgotten it."""
        while True:
            run = latest(run)
            await (self._runs.rest_of(run) if or_waiting else asyncio.shield(run.done))
            if not _is_parked(run) or (or_waiting and not self._is_waking(run.id)):
                return self._runs.result(run)
            if run.successor is None:
                await self._record_of(run.id)

    async def stop(self, run: RunRecord, reason: str) -> RunResult:
        """Stop a run so that it can be resumed, and wait until its workers are gone and that is on record."""
        run = latest(run)
        self._runs.interrupt(run, reason)
        await asyncio.shield(run.done)
        return self._runs.result(run)

    def _is_waking(self, run_id: str) -> bool:
        return self.holding is not None and self.holding.is_waking(run_id)

    async def _record_of(self, run_id: str) -> RunRecord:
        """Return a run's record, when it is parked once it goes on; raises RunNotFound."""
        if (parked := self.state.parked.get(run_id)) is None:
            return self.state.run(run_id)
        waiter = asyncio.get_running_loop().create_future()
        parked.waiters.append(waiter)
        return await asyncio.shield(waiter)

    def status(self, run_id: str) -> RunResult:
        """Return where a run stands; raises RunNotFound."""
        if (parked := self.state.parked.get(run_id)) is not None:
            return RunResult(run_id=run_id, status=RunStatus.WAITING, questions=parked.questions)
        return self._runs.result(self.state.run(run_id))

    def standing(self, run: RunRecord) -> RunResult:
        """Return where a run stands whose record the caller has."""
        return self._runs.result(latest(run))

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run and everything below it; raises RunNotFound. The host's own door."""
        holding = self.holding
        if holding is not None and run_id in self.state.parked:
            holding.wake(run_id, cancel=True)
            return
        run = self.state.run(run_id)
        if holding is not None and run.stop is not None and run.stop.kind == "park":
            run.done.add_done_callback(lambda _: holding.wake(run_id, cancel=True))  # it is about to be parked
        else:
            self._runs.cancel(run)

    def interrupt_run(self, run_id: str, reason: str) -> None:
        """Stop a run so that it can be resumed; without a run store it is cancelled; raises RunNotFound."""
        if run_id not in self.state.parked:
            self._runs.interrupt(self.state.run(run_id), reason)

    async def answer(self, key: str, answer: Any, *, by: str = "api") -> Question:
        """Answer a question of a task. The host's own door.

        Raises: ResumeKeyNotFound, AlreadyAnswered, AnswerDenied, AnswerInvalid, StoreUnavailable.
        """
        answered = await self._dispatch.requests.asking.answer(key, answer, by=by)
        if self.holding is not None and answered.run_id in self.state.parked:
            self.holding.wake(answered.run_id)
        return answered

    async def output(self, key: str) -> OutputRecord:
        """Return an output by its reference, else the newest of an agent; raises OutputNotFound."""
        return await self._outputs.of_all(key)

    async def follow(self, run_id: str, first: int = 1) -> AsyncIterator[Event]:
        """Yield the run's events from `first` on, waiting for more until its end. The host's own door."""
        position = first
        while True:
            run = await self._record_of(run_id)
            async for event in run.events.follow(position):
                yield event
                position = event.seq + 1 if event.kind != "gap" else event.data["last"] + 1
            await asyncio.shield(run.done)
            if not _is_parked(run):
                return

    def tasks_of(self, run_id: str) -> list[TaskState]:
        """Return the tasks of a run that are still known, in the order they were begun."""
        run = self.state.run(run_id)
        return [task.snapshot() for task in self.state.tasks.values() if task.run is run]


def _with_blueprint_kinds(request: SessionRequest, program: Program) -> SessionRequest:
    """Put the Blueprint's tiers of the operator-kind cascade below those of the launch."""
    if not program.agent_kinds and program.global_kind is None:
        return request
    return evolve(request, blueprint_agent_kinds=program.agent_kinds, blueprint_kind=program.global_kind)


def latest(run: RunRecord) -> RunRecord:
    """Return the newest record of a run that was parked since."""
    while run.successor is not None:
        run = run.successor
    return run


def _is_parked(run: RunRecord) -> bool:
    return run.stop is not None and run.stop.kind == "park"
