"""The engine: its life, its runs, and the host's own way in. What comes with a token comes through `engine.door`."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from attrs import evolve

from swarm_core.contracts import Clock, OutputStore
from swarm_core.engine.clock import SystemClock
from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.door import Door
from swarm_core.engine.ends import Ends
from swarm_core.engine.events import EventLog
from swarm_core.engine.gate import Authority, RoleVerbGate, steady_clock
from swarm_core.engine.parts import Parts
from swarm_core.engine.program import Program
from swarm_core.engine.runs import RunResult, Runs
from swarm_core.engine.sessions import OperatorSession, SessionRequest, Sessions
from swarm_core.engine.state import EngineState, RunRecord, is_final
from swarm_core.engine.suspend import Questions
from swarm_core.model.access import CapToken, Role
from swarm_core.model.event import Event
from swarm_core.model.ids import SessionId, new_id
from swarm_core.model.task import TaskState
from swarm_core.settings import EngineSettings
from swarm_core.tokens import CapTokenSigner


class Engine:
    """Runs programs and answers for every task of theirs; an async context manager.

    Everything it needs from outside is handed in: the output store, the clock, chance (`rng` for ids and waits,
    `random_bytes` for secrets), the signer and the gate. It lives on one event loop and holds no lock: every change
    of state is synchronous.
    """

    def __init__(
        self,
        *,
        outputs: OutputStore,
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
        self.sessions = Sessions(self.clock.time)
        self.events = EventLog(None, size=self.settings.event_log_size, time=self.clock.time)
        self._authority = Authority(
            signer or CapTokenSigner.generate(),
            gate or RoleVerbGate.default(),
            clock=steady_clock(self.clock),
            random_bytes=random_bytes,
        )
        self._rng = rng or random.Random()
        parts = Parts(
            state=self.state,
            settings=self.settings,
            clock=self.clock,
            rng=self._rng,
            authority=self._authority,
            sessions=self.sessions,
            questions=Questions(),
            events=self.events,
            outputs=outputs,
        )
        self._ends = Ends(parts)
        self._dispatch = Dispatch(parts, self._ends)
        self._runs = Runs(parts, self._ends, self._dispatch)
        self.door = Door(parts, self._ends, self._dispatch, self._runs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more work, cancel what runs, and wait until it has ended or the grace is over."""
        self.state.closed = True
        running = [run for run in self.state.runs.values() if not run.done.done()]
        for run in running:
            self._runs.cancel(run)
        for task in [task for task in self.state.tasks.values() if task.run is None and not is_final(task)]:
            self._ends.stop(task, "cancel")
        if running:
            await asyncio.wait([run.done for run in running], timeout=4 * self.settings.cancel_grace)
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
        return self._open_session(operator_id, role, asked, ttl=ttl or self.settings.session_ttl, run_id=run_id)[0]

    def _open_session(
        self, operator_id: str, role: Role, request: SessionRequest, *, ttl: float, run_id: str | None
    ) -> tuple[CapToken, OperatorSession]:
        token = self._authority.mint(operator_id, role, ttl=ttl, run_id=run_id)
        session_id = SessionId(new_id("S-", self._rng.getrandbits))
        session = self.sessions.add(session_id, operator_id, role, token.nonce, request)
        self.events.add("session_attached", None, None, {"session_id": session_id, "role": str(role)})
        return token, session

    def detach_silent(self) -> list[str]:
        """Detach the sessions that missed too many heartbeats; return their ids."""
        silent = self.sessions.silent(self.settings.heartbeat_interval * self.settings.heartbeat_misses)
        for session in silent:
            self.sessions.detach(session, self.events)
        return [session.id for session in silent]

    # runs ----------------------------------------------------------------------------------------------------

    def launch(
        self,
        program: Program,
        init_ctx: Any,
        *,
        operator_id: str = "api",
        request: SessionRequest | None = None,
    ) -> RunRecord:
        """Begin a run of the program with a session of its own; raises EngineClosed, NotJson.

        The host's own door: what comes from outside was checked before it.
        """
        run_id = self._runs.new_id()
        asked = _with_blueprint_kinds(request or SessionRequest(), program)
        session = self._open_session(operator_id, Role.OPERATOR, asked, ttl=self.settings.session_ttl, run_id=run_id)[1]
        run = self._runs.start(run_id, program, init_ctx, session)
        for forgotten in self.state.forget_oldest_runs(keep=self.settings.finished_runs_kept):
            self._dispatch.crew.start(self.outputs.forget_run(forgotten))
        return run

    async def wait(self, run_id: str) -> RunResult:
        """Wait for the end of a run; raises RunNotFound. Cancelling the wait does not cancel the run."""
        run = self.state.run(run_id)
        await asyncio.shield(run.done)
        return self._runs.result(run)

    def status(self, run_id: str) -> RunResult:
        """Return where a run stands; raises RunNotFound."""
        return self._runs.result(self.state.run(run_id))

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run and everything below it; raises RunNotFound. The host's own door."""
        self._runs.cancel(self.state.run(run_id))

    def follow(self, run_id: str, first: int = 1) -> AsyncIterator[Event]:
        """Return the run's events from `first` on, waiting for more until its end. The host's own door."""
        return self.state.run(run_id).events.follow(first)

    def tasks_of(self, run_id: str) -> list[TaskState]:
        """Return the tasks of a run that are still known, in the order they were begun."""
        run = self.state.run(run_id)
        return [task.snapshot() for task in self.state.tasks.values() if task.run is run]


def _with_blueprint_kinds(request: SessionRequest, program: Program) -> SessionRequest:
    """Put the Blueprint's tiers of the operator-kind cascade below those of the launch."""
    if not program.agent_kinds and program.global_kind is None:
        return request
    return evolve(request, blueprint_agent_kinds=program.agent_kinds, blueprint_kind=program.global_kind)
