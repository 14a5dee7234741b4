"""How a run goes, told to the client step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define

_ENDS = {"task_pass": "passed", "task_blocked": "blocked", "task_cancelled": "was cancelled"}
_TOLD = {
    **_ENDS,
    "task_attempt_started": "started",
    "task_attempt_failed": "failed; it is tried again",
    "task_suspended": "waits for an answer",
    "run_waiting": "the run waits for an answer",
    "run_ended": "the run ended",
}


@define(eq=False)
class Progress:
    """Tells a client what the events of a run say; `tell` is where to: how many steps ended, and a sentence."""

    tell: Callable[[float, str], Awaitable[None]]
    done: int = 0
    _agents: dict[str, str] | None = None

    async def take(self, event: Mapping[str, Any]) -> None:
        """Tell what an event says, if it is one that is worth it."""
        kind, task_id = event["kind"], event.get("task_id")
        agents = self._agents = {} if self._agents is None else self._agents
        if task_id is not None and isinstance(event.get("agent"), str):
            agents[task_id] = event["agent"]
        if kind not in _TOLD:
            return
        self.done += kind in _ENDS
        who = agents.get(task_id or "", "a step")
        about = str(event.get("status", "")) if kind == "run_ended" else f"attempt {event.get('attempt', 1)}"
        text = f"{_TOLD[kind]} {about}" if kind.startswith("run_") else f"{who} {_TOLD[kind]}"
        await self.tell(float(event["seq"]), f"{text.strip()} ({self.done} steps done)")
