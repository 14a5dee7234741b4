"""What a worker outside the process is given for its attempt."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from swarm_core.model.blueprint import VerdictContract
from swarm_core.model.shown import shown
from swarm_core.model.task import TaskStatus


@frozen(kw_only=True)
class WorkerPayload:
    """One attempt as its worker fetches it.

    `prompt` is the text form of `input`. `system` is the agent's rendered system prompt, None when it has none;
    `verdict` the contract that its answer must keep.
    """

    __repr__ = shown

    task_id: str
    attempt: int
    agent: str
    prompt: str
    input: Any
    system: str | None = None
    verdict: VerdictContract | None = None


@frozen(kw_only=True)
class WorkerLife:
    """How an attempt stands; `seconds_left` is the time that it still has, None when nothing ends it."""

    task_id: str
    attempt: int
    status: TaskStatus
    seconds_left: float | None = None
