"""What happened, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from swarm_core.model.shown import shown

# The seeds' 13 kinds, then ours. A plugin publishes kinds of its own; it cannot publish one of these.
EVENT_KINDS: Mapping[str, str] = {
    "session_attached": "a session began; session_id, role",
    "session_detached": "a session ended or fell silent; session_id",
    "session_reattached": "a session that was detached is attached again, or has a new token; session_id",
    "task_created": "a step or a child task was begun; agent, address, depth, input_digest, parent, refused",
    "task_attempt_started": "an attempt began; agent, children",
    "task_attempt_completed": "an attempt ended with a result; ok, result",
    "task_pass": "the task ended well; result",
    "task_blocked": "the task ended badly; result or error",
    "worker_output": "a worker said something before its end; output",
    "task_suspended": "a task waits for an answer; key",
    "task_resumed": "the answer came; key",
    "task_cancelled": "the task was cancelled; by",
    "senior_queried": "a senior was asked; question",
    "senior_answered": "a question was answered; key, answer, by",
    "question_expired": "a question's time was over; key, answer when it has a default",
    "task_remembered": "an attempt noted what it will need again if it is begun anew; key, value",
    "budget_spent": "a worker reported what it used of a budget's counters; spent",
    "run_started": "a run began; blueprint",
    "run_waiting": "a run has nothing to do until somebody answers; questions",
    "run_interrupted": "a run was stopped before its end and can be resumed; reason",
    "run_resumed": "a run goes on; reused, again, owner",
    "run_migrated": "a run goes on with another Blueprint; from, to, dropped",
    "run_ended": "a run ended, always its last event; status, error",
    "task_attempt_failed": "an attempt ended without a result; error, cause, `retry_in` seconds when another follows",
    "worker_abandoned": "a worker did not end within the grace it was given; agent",
    "late_result_ignored": "a result came after its attempt had ended; agent",
    "gap": "a subscriber fell behind: the events from `first` to `last` are only in the log",
}


@frozen
class Event:
    """One thing that happened to a run, a task or a session.

    `seq` counts from 1 within the run (within the engine for session events, whose `run_id` is None); `time` is Unix
    seconds. `data` belongs to the event and is read-only.
    """

    __repr__ = shown

    kind: str
    run_id: str | None
    seq: int
    time: float
    task_id: str | None
    attempt: int | None
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the wire form: facts of the kind beside the common ones, as in the seeds."""
        common = {"kind": self.kind, "run_id": self.run_id, "seq": self.seq, "time": self.time}
        if self.task_id is not None:
            common["task_id"] = self.task_id
        if self.attempt is not None:
            common["attempt"] = self.attempt
        return {**self.data, **common}
