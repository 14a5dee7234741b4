"""Work as a question: what is put to whoever comes, and what their answer means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.model.blueprint import AgentDef
from swarm_core.model.call import Call, Result

WORK = "work"

_ENVELOPE = frozenset({"value", "ok"})

ANSWER_SCHEMA: Mapping[str, Any] = {
    "description": "The result of the work: {value, ok}, or the value alone.",
    "anyOf": [
        {
            "type": "object",
            "properties": {"value": {}, "ok": {"type": "boolean", "default": True}},
            "required": ["value"],
            "additionalProperties": False,
        },
        {},
    ],
}


def make_work(agent: AgentDef, seat: str, call: Call, attempt: int, system: str | None) -> dict[str, Any]:
    """Return the work of an attempt as the question that it is put as.

    `attempt` is the one that was first put so: after a restart it is the same question.
    """
    work = {
        "seat": seat,
        "agent": call.agent,
        "task_id": call.task_id,
        "attempt": attempt,
        "system": system,
        "prompt": call.directive,
        "input": call.input,
    }
    if agent.verdict is not None:
        work["verdict"] = {"path": agent.verdict.path, "values": list(agent.verdict.values)}
    return {WORK: work}


def work_in(question: Any) -> Mapping[str, Any] | None:
    """Return the work that a question holds, None when it is another question."""
    work = question.get(WORK) if isinstance(question, Mapping) and len(question) == 1 else None
    return work if isinstance(work, Mapping) and isinstance(work.get("seat"), str) else None


def result_of(answer: Any) -> Result:
    """Return the result that an answer means: `{value, ok}` where it is that and nothing else, else a value."""
    if isinstance(answer, Mapping) and "value" in answer and _ENVELOPE.issuperset(answer):
        ok = answer.get("ok", True)
        if isinstance(ok, bool):
            return Result(answer["value"], ok)
    return Result(answer)


def answer_of(value: Any, *, ok: bool) -> dict[str, Any]:
    """Return the answer that gives a value as the result."""
    return {"value": value, "ok": ok}
