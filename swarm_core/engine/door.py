"""The door: everything that is asked of the engine with a token. Here authority is checked, and nowhere behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from swarm_core.contracts import Run
from swarm_core.engine.context import LiveContext
from swarm_core.engine.dispatch import Dispatch
from swarm_core.engine.ends import Ends
from swarm_core.engine.outputs import Outputs
from swarm_core.engine.parts import Parts
from swarm_core.engine.requests import child_address
from swarm_core.engine.runs import Runs
from swarm_core.engine.sessions import OperatorSession
from swarm_core.engine.state import Attempt, TaskRecord, is_final
from swarm_core.engine.token_records import TokenRecord
from swarm_core.errors import (
    InvalidTransition,
    OutputNotFound,
    PollTimeout,
    ResourceNotFound,
    SessionNotFound,
    StaleAttempt,
    TokenNotFound,
    TokenRevoked,
    TokenTaskMismatch,
)
from swarm_core.model.access import CapToken, Role, Verb
from swarm_core.model.call import to_text
from swarm_core.model.event import Event
from swarm_core.model.ids import ResumeKey, SessionId, TaskId, new_id
from swarm_core.model.operator import SessionRequest
from swarm_core.model.output import Final, OutputEvent, OutputRecord, output_json
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.task import Blocked, DispatchOutcome, Pass, TaskSpec, TaskState, TaskStatus
from swarm_core.model.value import json_copy
from swarm_core.model.worker import WorkerLife, WorkerPayload

Token = CapToken | str
"""A capability token, its transport form, or a handle that stands for one."""


class Door:
    """The seeds' verbs. Each call verifies its token first and spends one use of it."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch, runs: Runs, outputs: Outputs) -> None:
        self._parts, self._ends, self._dispatch, self._runs, self._outputs = parts, ends, dispatch, runs, outputs
        self._state, self._authority = parts.state, parts.authority

    # sessions ------------------------------------------------------------------------------------------------

    def attach_session(self, token: Token, operator_id: str, *, ttl: float | None = None) -> CapToken:
        """Open a further session for somebody else, with rights that are no more than the token's own."""
        record = self._authority.verify(token, Verb.ATTACH_SESSION)
        left = record.expire_at - self._parts.now()
        shorter = None if ttl is None or ttl > left - 1 else ttl  # times are whole seconds; what is about all is all
        narrower = self._authority.attenuate(token, agent_id=operator_id, ttl=shorter)
        sessions, events = self._parts.sessions, self._parts.events
        session_id = SessionId(new_id("S-", self._parts.rng.getrandbits))
        watched = self._authority.may_beat(narrower)
        sessions.add(session_id, operator_id, narrower, SessionRequest(), derived=True, watched=watched)
        events.add("session_attached", None, None, {"session_id": session_id, "role": str(narrower.role)})
        return narrower

    def detach(self, token: Token) -> None:
        """Mark the token's session as detached; without a session nothing happens. The token keeps working."""
        self._authority.verify(token, Verb.DETACH_SESSION)
        session = self._session_of(token)
        if session is not None:
            self._parts.sessions.detach(session, self._parts.events)

    def reattach(self, token: Token) -> CapToken:
        """Attach the token's session again, and return the token that stands for it from now on.

        It has the rights and the time that were left; the old one, and every token made from it, no longer works. What
        the session has begun goes on meanwhile and stays its own. Raises: AccessDenied, SessionNotFound.
        """
        self._authority.verify(token, Verb.ATTACH_SESSION)
        session = self._session_of(token)
        if session is None:
            raise SessionNotFound("the token's own")
        renewed = self._authority.renew(session.nonce_digest)
        watched = self._authority.may_beat(renewed)
        self._parts.sessions.rebind(session, renewed, self._parts.events, watched=watched)
        return renewed

    def heartbeat(self, token: Token) -> None:
        """Note a sign of life of the token's session, which is attached with it; raises SessionNotFound."""
        self._authority.verify(token, Verb.HEARTBEAT)
        session = self._session_of(token)
        if session is None:
            raise SessionNotFound("the token's own")
        self._parts.sessions.beat(session, self._parts.events)

    def admit(self, token: Token, verb: Verb) -> TokenRecord:
        """Return the record of a token that allows the verb now, for a door in front of this one.

        One use is spent, but not of a worker's: what is then done in its name comes through here again. Raises:
        TokenDecodeError, AccessDenied.
        """
        record = self._authority.check(token, verb)
        return record if record.role is Role.WORKER else self._authority.verify(token, verb)

    def is_living(self, token: Token) -> bool:
        """Tell whether a token allows anything at all."""
        return self._authority.is_living(token)

    def verify_token(self, token: Token, other: Token, verb: Verb) -> TokenRecord:
        """Return the record of another token when it allows the verb now; none of its uses is spent."""
        self._authority.verify(token, Verb.VERIFY_TOKEN)
        return self._authority.check(other, verb)

    # tasks ---------------------------------------------------------------------------------------------------

    def start_task(self, token: Token, spec: TaskSpec) -> TaskId:
        """Create a pending task: below the worker's own for a worker's token, at depth 0 for any other.

        Raises: AccessDenied, SpawnDepthExceeded.
        """
        record = self._authority.verify(token, Verb.START_TASK)
        session = self._session_of(token)
        input = json_copy(spec.initial_directive, max_bytes=self._parts.settings.max_value_bytes)
        if record.role is Role.WORKER and record.task_id is not None:
            parent = self._state.task(record.task_id)
            address = child_address(parent)
            task = self._dispatch.begin_task(
                parent.run, spec.agent, input, address, parent=parent, session=parent.session
            )
        else:
            task = self._dispatch.begin_task(None, spec.agent, input, "", session=session)
        if session is not None:
            session.owned_task_ids.append(task.id)
        return task.id

    async def dispatch_attempt(
        self, token: Token, task_id: str, run: Run | None = None, *, retry: bool = False
    ) -> DispatchOutcome:
        """Carry out a task and return its outcome.

        `run` is the way to the worker; without it the task's run says. A worker reaches only the tasks that it started.
        A task that passed or was blocked is carried out again only with `retry`. Raises: AccessDenied, TaskNotFound,
        InvalidTransition, DispatchFailed.
        """
        record = self._authority.verify(token, Verb.DISPATCH_ATTEMPT)
        task = self._own_or_child(record, task_id)
        program = task.run.program if task.run else None
        way = run or (program.run if program else None)
        if way is None:
            raise InvalidTransition(f"task {task_id} belongs to no run: say by which way its worker is reached")
        self._make_ready(task, retry)
        policy = program.policies.get(task.agent, NO_POLICY) if program else NO_POLICY
        return await self._dispatch.carry_out(task, way, policy)

    def _make_ready(self, task: TaskRecord, retry: bool) -> None:
        if task.live is not None or task.status in (TaskStatus.RUNNING, TaskStatus.CANCELLED):
            raise InvalidTransition(f"task {task.id} is {task.status} and cannot be dispatched")
        if is_final(task):
            if not retry:
                raise InvalidTransition(f"task {task.id} has ended ({task.status}); dispatch it again with retry=True")
            self._ends.reopen(task)

    def read_task_state(self, token: Token, task_id: str) -> TaskState:
        """Return a snapshot of the task; raises AccessDenied, TaskNotFound."""
        return self._touch(token, Verb.READ_TASK_STATE, task_id).snapshot()

    def cancel_task(self, token: Token, task_id: str) -> TaskState:
        """Cancel the task, its worker and everything below it; what has ended stays as it is."""
        task = self._touch(token, Verb.CANCEL_TASK, task_id)
        self._ends.stop(task, "cancel", by="caller")
        return task.snapshot()

    async def poll_task(self, token: Token, task_id: str, hold: float) -> TaskState:
        """Return the task's state once it has ended or is suspended, at once when `hold` is 0.

        Raises: AccessDenied, TaskNotFound; PollTimeout, after `hold` seconds.
        """
        task = self._touch(token, Verb.POLL_TASK, task_id)
        loop = asyncio.get_running_loop()
        end = loop.time() + hold
        while hold > 0 and not (is_final(task) or task.status is TaskStatus.SUSPENDED):
            left = end - loop.time()
            if left <= 0 or not await self._dispatch.changed(task, left):
                raise PollTimeout
        return task.snapshot()

    def mark_pass(self, token: Token, task_id: str, value: Any) -> TaskState:
        """End a task as passed, whatever its worker does; raises AccessDenied, TaskNotFound, InvalidTransition."""
        return self._rule(token, Verb.MARK_PASS, task_id, value, passed=True)

    def mark_blocked(self, token: Token, task_id: str, value: Any) -> TaskState:
        """End a task as blocked, whatever its worker does; raises AccessDenied, TaskNotFound, InvalidTransition."""
        return self._rule(token, Verb.MARK_BLOCKED, task_id, value, passed=False)

    def override_verdict(self, token: Token, task_id: str, value: Any, *, ok: bool) -> TaskState:
        """End a task by a senior's word; raises AccessDenied, TaskNotFound, InvalidTransition."""
        return self._rule(token, Verb.OVERRIDE_VERDICT, task_id, value, passed=ok)

    def _rule(self, token: Token, verb: Verb, task_id: str, value: Any, *, passed: bool) -> TaskState:
        task = self._touch(token, verb, task_id)
        if is_final(task):
            raise InvalidTransition(f"task {task_id} has ended ({task.status}); ended tasks stay as they are")
        copy = json_copy(value, max_bytes=self._parts.settings.max_value_bytes)
        self._ends.stop(task, "verdict", Pass(copy) if passed else Blocked(copy))
        return task.snapshot()

    def inject_directive(self, token: Token, task_id: str, directive: Any) -> None:
        """Give the task's next attempt another input; raises AccessDenied, TaskNotFound, InvalidTransition."""
        task = self._touch(token, Verb.INJECT_DIRECTIVE, task_id)
        if is_final(task):
            raise InvalidTransition(f"task {task_id} has ended ({task.status})")
        task.input = json_copy(directive, max_bytes=self._parts.settings.max_value_bytes)

    # what workers outside the process do ---------------------------------------------------------------------

    def mint_worker_token(self, token: Token, task_id: str) -> str:
        """Return the token of the task's live attempt; raises AccessDenied, TaskNotFound, InvalidTransition."""
        task = self._touch(token, Verb.MINT_WORKER_TOKEN, task_id)
        if task.live is None or task.live.context is None:
            raise InvalidTransition(f"task {task_id} has no live attempt")
        return task.live.context.token()

    def fetch_prompt(self, token: Token, task_id: str) -> str:
        """Return the input of the task's current attempt as text; raises AccessDenied, TaskNotFound."""
        task = self._touch(token, Verb.FETCH_PROMPT, task_id)
        if task.live is not None and task.live.context is not None:
            return task.live.context.payload().prompt
        return task.input if isinstance(task.input, str) else to_text(task.input)

    def fetch_worker_payload(self, token: Token, task_id: str | None = None) -> WorkerPayload:
        """Return what the worker of a live attempt is given; without a task, of the token's own.

        Raises: TokenDecodeError, AccessDenied, StaleAttempt.
        """
        return self._outer(token, Verb.FETCH_PROMPT, task_id, None)[1].payload()

    def submit_result(
        self,
        token: Token,
        value: Any,
        *,
        ok: bool = True,
        task_id: str | None = None,
        attempt: int | None = None,
        part: str | None = None,
    ) -> str:
        """Take the result of a live attempt, or a named part of it, and return its task; by default the token's own.

        The same again changes nothing. The parts are the result until a last one without a name comes, which joins them
        as `out`. Raises: TokenDecodeError, AccessDenied, StaleAttempt, ResultConflict, InvalidTransition, InvalidId,
        NotJson.
        """
        live, context = self._outer(token, Verb.POST_RESULT, task_id, attempt)
        most = self._parts.settings.max_value_bytes
        if part is None:
            context.outside.take_result(live, value, ok=ok, most=most)
        else:
            context.outside.take_part(live, part, value, ok=ok, most=most)
        return live.task.id

    async def emit_output(
        self,
        token: Token,
        task_id: str,
        attempt: int,
        event: OutputEvent,
        *,
        producer: str | None = None,
        parent_refs: Sequence[str] = (),
    ) -> str:
        """Take an output of a live attempt and return its reference; it is kept as its own agent's.

        A `Final` is the result as with `submit_result`. `producer` is who the worker says it is, and cannot be another.
        `parent_refs` are outputs of the same run. Raises: TokenDecodeError, AccessDenied, StaleAttempt, ResultConflict,
        OutputNotFound, NotJson, StoreError.
        """
        live, context = self._outer(token, Verb.EMIT_OUTPUT, task_id, attempt)
        task = live.task
        run_id = task.run.id if task.run else ""
        if producer not in (None, task.agent, context.payload().agent):
            raise TokenTaskMismatch(f"agent {task.agent!r}", f"agent {producer!r}")
        json_copy(output_json(event), max_bytes=self._parts.settings.max_value_bytes)
        await self._outputs.check_parents(run_id, parent_refs)
        _check_open(live)
        if isinstance(event, Final):
            context.outside.take_final(live, event)
        else:
            context.emit(event)
        return await self._outputs.keep(live, event, parent_refs)

    async def read_output(self, token: Token, key: str) -> OutputRecord:
        """Return an output of the token's own run by its reference, or the newest one of an agent by its name.

        Raises: TokenDecodeError, AccessDenied, OutputNotFound, StoreError.
        """
        record = self._authority.verify(token, Verb.FETCH_DATA, data_key=key)
        if record.run_id is None:
            raise OutputNotFound(key)
        return await self._outputs.of_run(self._state.run(record.run_id), key)

    def beat(self, token: Token) -> WorkerLife:
        """Take a sign of life of a live attempt, and return how it stands.

        Raises: TokenDecodeError, AccessDenied, StaleAttempt.
        """
        live, context = self._outer(token, Verb.VERIFY_TOKEN, None, None)
        context.beat()
        left = None if live.deadline is None else max(0.0, live.deadline - self._parts.clock.monotonic())
        return WorkerLife(task_id=live.task.id, attempt=live.number, status=live.task.status, seconds_left=left)

    def submit_output(self, token: Token, task_id: str, attempt: int, event: OutputEvent) -> None:
        """Append an output to a live attempt; a `Final` counts as its result unless the worker returns another.

        Raises: AccessDenied, TaskNotFound; StaleAttempt, when the attempt is over.
        """
        self._authority.verify(token, Verb.EMIT_OUTPUT, task_id=task_id, attempt=attempt)
        live = self._state.task(task_id).live
        if live is None or live.number != attempt or live.context is None:
            raise StaleAttempt(task_id, attempt)
        live.context.emit(event)

    def post_result(self, token: Token, task_id: str, value: Any) -> None:
        """Note an intermediate result of a running task; raises AccessDenied, TaskNotFound, InvalidTransition."""
        task = self._touch(token, Verb.POST_RESULT, task_id)
        if is_final(task):
            raise InvalidTransition(f"task {task_id} has ended ({task.status}); its late result changes nothing")
        task.last_result = json_copy(value, max_bytes=self._parts.settings.max_value_bytes)

    def set_resource(self, token: Token, run_id: str, key: str, value: Any) -> None:
        """Keep a value that the run's workers may fetch; raises AccessDenied, RunNotFound."""
        self._authority.verify(token, Verb.SET_RESOURCE, data_key=key)
        copy = json_copy(value, max_bytes=self._parts.settings.max_value_bytes)
        self._state.run(run_id).resources[key] = copy

    def fetch_data(self, token: Token, key: str) -> Any:
        """Return a resource of the worker's own run; raises AccessDenied, ResourceNotFound."""
        record = self._authority.verify(token, Verb.FETCH_DATA, data_key=key)
        if record.run_id is None or key not in (resources := self._state.run(record.run_id).resources):
            raise ResourceNotFound(key)
        return resources[key]

    # questions -----------------------------------------------------------------------------------------------

    async def query_senior(self, token: Token, task_id: str, question: Any) -> ResumeKey:
        """Suspend a task until somebody answers, and return the question's key.

        Raises: AccessDenied, TaskNotFound, InvalidTransition.
        """
        return await self._dispatch.requests.asking.suspend(self._touch(token, Verb.QUERY_SENIOR, task_id), question)

    async def resume(self, token: Token, key: str, answer: Any) -> None:
        """Answer a question; when this returns, the answer is as durable as the run.

        Raises: AccessDenied, ResumeKeyNotFound, AlreadyAnswered, AnswerDenied, AnswerInvalid.
        """
        by = self._authority.verify(token, Verb.ANSWER_QUERY).agent_id
        await self._dispatch.requests.asking.answer(key, answer, by=by)

    async def await_resume(self, token: Token, key: str, timeout: float | None) -> Any:
        """Wait for an answer, and return it; raises AccessDenied, ResumeKeyNotFound, PollTimeout."""
        self._authority.verify(token, Verb.QUERY_SENIOR)
        return (await self._parts.questions.wait(key, timeout)).answer

    # runs ----------------------------------------------------------------------------------------------------

    def subscribe(self, token: Token, run_id: str, first: int = 1) -> AsyncIterator[Event]:
        """Return the run's events from `first` on, waiting for more; raises AccessDenied, RunNotFound."""
        self._authority.verify(token, Verb.SUBSCRIBE_EVENTS)
        return self._state.run(run_id).events.follow(first)

    def read_trace(self, token: Token, run_id: str, first: int = 1) -> Sequence[Event]:
        """Return the run's events that are kept; raises AccessDenied, RunNotFound."""
        self._authority.verify(token, Verb.READ_TRACE)
        return self._state.run(run_id).events.read(first)

    def pause_loop(self, token: Token, run_id: str) -> None:
        """Let no further step of the run begin; raises AccessDenied, RunNotFound."""
        self._authority.verify(token, Verb.PAUSE_LOOP)
        self._runs.pause(self._state.run(run_id))

    def resume_loop(self, token: Token, run_id: str) -> None:
        """Let steps of the run begin again; raises AccessDenied, RunNotFound."""
        self._authority.verify(token, Verb.RESUME_LOOP)
        self._runs.release(self._state.run(run_id))

    # who may touch what --------------------------------------------------------------------------------------

    def _touch(self, token: Token, verb: Verb, task_id: str) -> TaskRecord:
        """Verify a token for a task: a worker's own, or one that it started where the verb is about children too."""
        if verb in _CHILD_VERBS:
            return self._own_or_child(self._authority.verify(token, verb), task_id)
        self._authority.verify(token, verb, task_id=task_id)
        return self._state.task(task_id)

    def _own_or_child(self, record: TokenRecord, task_id: str) -> TaskRecord:
        if record.role is Role.WORKER and record.task_id != task_id:
            if record.task_id is None:
                raise TokenNotFound
            task = self._state.tasks.get(task_id)
            if task is None or task.parent is None or task.parent.id != record.task_id:
                raise TokenTaskMismatch(record.task_id, task_id)
        return self._state.task(task_id)

    def _outer(self, token: Token, verb: Verb, task_id: str | None, attempt: int | None) -> tuple[Attempt, LiveContext]:
        """Verify the token of a worker outside, and return its attempt while it lives."""
        try:
            record = self._authority.verify(token, verb, task_id=task_id, attempt=attempt)
        except TokenRevoked:
            self._tell_late(token)
            raise
        wanted = task_id or record.task_id
        if wanted is None:
            raise TokenNotFound
        live = self._state.task(wanted).live
        if live is None or live.context is None or attempt not in (None, live.number):
            raise StaleAttempt(wanted, attempt or record.attempt)
        _check_open(live)
        return live, live.context

    def _tell_late(self, token: Token) -> None:
        """Raise StaleAttempt for a token whose attempt is over while its run goes on."""
        run_id, task_id, attempt = self._authority.place_of_dead(token) or (None, None, None)
        run = None if run_id is None else self._state.runs.get(run_id)
        if run is not None and task_id is not None and not run.over:
            raise StaleAttempt(task_id, attempt)

    def _session_of(self, token: Token) -> OperatorSession | None:
        return self._parts.sessions.of_digest(self._authority.digest_of(token))


def _check_open(live: Attempt) -> None:
    """Raise StaleAttempt when an attempt was told to end, or has ended."""
    if live.concluded or live.stopped_by is not None:
        raise StaleAttempt(live.task.id, live.number)


_CHILD_VERBS = frozenset({Verb.READ_TASK_STATE, Verb.CANCEL_TASK, Verb.POLL_TASK})
