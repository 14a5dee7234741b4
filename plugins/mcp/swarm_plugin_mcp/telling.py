"""What the tools tell of a run, in a size that a model can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from swarm_core.model.task import RunStatus
from swarm_plugin_mcp.waiting import Why

if TYPE_CHECKING:
    from swarm_plugin_mcp.backend import Backend, Json

MOST = 256 * 1024  # characters of a value that is told whole
_LINE = 300
_TAIL = 10
_HEAD = ("kind", "seq", "run_id", "time")

_NEXT = {
    RunStatus.RUNNING: "it goes on; follow it with swarm_watch",
    RunStatus.WAITING: "see swarm_questions, answer with swarm_answer; or join its operator's seat",
    RunStatus.INTERRUPTED: "go on with swarm_resume",
    RunStatus.FAILED: "see swarm_show, then swarm_rerun from the step that failed",
}


async def told(backend: Backend, record: Json, why: Why = Why.STOPPED, *, lines: int = _TAIL) -> Json:
    """Return where a run stands: as `swarm_run` of the original tells it, and what can be done next."""
    run_id, status = record["id"], record["status"]
    questions = await _questions(backend, run_id) if status == RunStatus.WAITING else []
    return {
        "run_id": run_id,
        "status": status,
        **await _end(backend, record),
        "blueprint_id": record["blueprint_id"],
        **await _version(backend, record),
        "counts": record["counts"],
        "questions": questions,
        "log_tail": await log_tail(backend, record, lines),
        "next": _next(record, why, open=bool(questions)),
    }


async def log_tail(backend: Backend, record: Json, lines: int) -> list[str]:
    """Return the last events of a run, one a line, each cut where it is long."""
    first = max(0, record["last_seq"] - lines)
    events = await backend.events(record["id"], first, lines) if lines else []
    return [_line(event) for event in events][-lines:] if lines else []


def bounded(value: Any, name: str, hint: str) -> Json:
    """Return a value under its name, or how large it is when a model should not read it whole."""
    size = len(json.dumps(value, ensure_ascii=False))
    if size <= MOST:
        return {name: value}
    return {name: None, f"{name}_characters": size, f"{name}_hint": hint}


async def _end(backend: Backend, record: Json) -> Json:
    if record["status"] == RunStatus.DONE:
        final = await backend.result(record["id"])
        hint = "read parts of it: swarm_show with what=result and path=$.some.part"
        return bounded(final, "final_ctx", hint)
    return {} if record["error"] is None else {"error": record["error"]}


async def _version(backend: Backend, record: Json) -> Json:
    """Return the version that the run is bound to, and how far the store's Blueprint is."""
    kept = record["launch"].get("kept")
    if kept is None:
        return {"bound_version": record["blueprint_hash"], "head": None, "history_len": 0}
    newest = (await backend.history(kept["id"], 1))[0]
    return {"bound_version": kept["version"], "head": newest["version"], "history_len": newest["number"]}


async def _questions(backend: Backend, run_id: str) -> list[Json]:
    found = await backend.questions(run_id, open_only=True)
    return [{name: one[name] for name in ("key", "agent", "question", "schema", "who")} for one in found]


def _next(record: Json, why: Why, *, open: bool) -> str | None:
    if why is Why.WORK:
        return "work waits for you: mse_pending_wait; then follow the run with swarm_watch"
    if why is Why.TIMEOUT:
        return "it takes longer than timeout_secs and goes on; follow it with swarm_watch"
    if record["status"] == RunStatus.WAITING and not open:
        return _NEXT[RunStatus.INTERRUPTED if record["owner"] is None else RunStatus.RUNNING]
    return _NEXT.get(RunStatus(record["status"]))


def _line(event: Json) -> str:
    facts = {name: value for name, value in event.items() if name not in _HEAD}
    text = f"{event['seq']} {event['kind']} {json.dumps(facts, ensure_ascii=False)}"
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."
