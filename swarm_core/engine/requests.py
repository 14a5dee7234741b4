"""What attempts ask of the engine: children, tokens, events, and what they have spent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from swarm_core.engine.asking import Asking
from swarm_core.engine.budget import usage_of
from swarm_core.engine.ends import Ends
from swarm_core.engine.parts import Parts
from swarm_core.engine.state import Attempt, TaskRecord
from swarm_core.errors import BudgetExceeded, DispatchFailed, InvalidTransition, WorkerTimeout
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.policy import NO_POLICY
from swarm_core.model.task import Blocked, Cancelled, DispatchOutcome, Pass
from swarm_core.model.value import json_copy
from swarm_core.tokens import encode_token

if TYPE_CHECKING:
    from swarm_core.engine.dispatch import Dispatch

_LONGEST_KEY = 200


class Requests:
    """Grants what attempts ask for; their contexts have checked that they are alive."""

    def __init__(self, parts: Parts, ends: Ends, dispatch: Dispatch) -> None:
        self._parts, self._ends, self._dispatch = parts, ends, dispatch
        self.asking = Asking(parts, ends, dispatch)

    def note(self, attempt: Attempt, kind: str, facts: Mapping[str, Any]) -> None:
        """Put an event of the attempt on its run's stream."""
        self._ends.note(attempt, kind, facts)

    async def run_child(self, attempt: Attempt, agent: str, input: Any) -> Result:
        """Carry out a task below the attempt's own; raises SpawnDepthExceeded, DispatchFailed.

        A child that was recorded before a restart, for the same agent and with the same input, is not run again.
        """
        parent = attempt.task
        if (run := parent.run) is None:
            raise InvalidTransition("only a task of a run can start children")
        address = child_address(parent)
        digest = None if run.digests is None else run.digests.of(input)
        known = run.replay.child(address, agent, digest) if run.replay is not None else None
        if known is not None and known.outcome is not None:
            parent.children_begun += 1
            return _result(known.outcome)
        child = self._dispatch.begin_task(
            run, agent, input, address, parent=parent, session=parent.session, digest=digest, known=known
        )
        async with self._dispatch.aside(attempt):
            policy = run.program.policies.get(agent, NO_POLICY)
            return _result(await self._dispatch.carry_out(child, run.program.run, policy))

    async def remember(self, attempt: Attempt, key: str, value: Any) -> None:
        """Keep a value for the attempts of a task, those after a restart too; raises ValueError, NotJson."""
        check_memory_key(key)
        task = attempt.task
        kept = json_copy(value, max_bytes=self._parts.settings.max_value_bytes)
        task.memory = {**(task.memory or {}), key: kept}
        self._ends.note(attempt, "task_remembered", {"key": key, "value": kept})
        if task.run is not None and task.run.journal is not None:
            await task.run.journal.committed()

    def beat(self, attempt: Attempt) -> None:
        """Give the session of the attempt's task a sign of life; who has detached it attaches it again himself."""
        session = attempt.task.session
        if session is not None and session.attached:
            self._parts.sessions.beat(session, self._parts.events)

    def time_out(self, attempt: Attempt, seconds: float, by: str) -> None:
        """Let the attempt's time be over, because a layer says so."""
        self._ends.expire(attempt, WorkerTimeout(seconds, by=by))

    def waited(self, attempt: Attempt) -> float:
        """Return the seconds that an attempt has waited for answers."""
        since = attempt.waits_since
        return attempt.waited + (0.0 if since is None else self._parts.clock.monotonic() - since)

    def spend(self, attempt: Attempt, amounts: Mapping[str, float]) -> None:
        """Note what an attempt used of its run's budget; raises ValueError, BudgetExceeded."""
        try:
            self._spend(attempt, amounts)
        except BudgetExceeded as error:
            if attempt.task.run is not None:
                self._dispatch.exceeded(attempt.task.run, error)
            raise

    def report(self, attempt: Attempt, facts: Mapping[str, Any]) -> None:
        """Note the usage that a result's facts tell; the result stands, what is left counts for what comes next."""
        if not attempt.concluded:
            with suppress(BudgetExceeded, ValueError):
                self._spend(attempt, usage_of(facts))

    def _spend(self, attempt: Attempt, amounts: Mapping[str, float]) -> None:
        run, agent = attempt.task.run, attempt.task.agent
        if run is None or not amounts:
            return
        try:
            run.budget.spend(agent, amounts)
        except ValueError:
            amounts = {}  # nothing was added
            raise
        finally:
            if amounts:
                self._ends.note(attempt, "budget_spent", {"agent": agent, "spent": dict(amounts)})

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


def check_memory_key(key: str) -> None:
    """Raise ValueError unless something may be remembered under this key."""
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
        raise ValueError(f"a text of 1 to {_LONGEST_KEY} characters names what is remembered, not {key!r}"[:300])


def _result(outcome: DispatchOutcome | DispatchFailed) -> Result:
    if isinstance(outcome, Pass | Blocked):
        return Result(outcome.value, isinstance(outcome, Pass))
    if isinstance(outcome, Cancelled):
        raise DispatchFailed("the child task was cancelled", cause="cancelled")
    raise DispatchFailed(outcome.reason, cause=outcome.cause)


def child_address(parent: TaskRecord) -> str:
    """Return the step address of the next child: its parent's, and how many came before it."""
    return f"{parent.address.rstrip('/')}/child@{parent.children_begun}"
