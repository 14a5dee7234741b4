"""What the events and the launch of a run must say, so that whoever reads them later need not doubt it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, fields, frozen

from swarm_core.codec import structure
from swarm_core.model.budget import Budget
from swarm_core.model.event import Event
from swarm_core.model.operator import OperatorKind
from swarm_core.model.shown import shown

_NUMBER = (int, float)
_NONE = type(None)
_ANY: tuple[type, ...] = (str, int, float, bool, dict, list, _NONE)

# Kind -> the facts that it must have, and what each may be; those that may be missing are in _MAY.
_MUST: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "run_started": {"blueprint": (str,)},
    "run_interrupted": {"reason": (str,)},
    "run_resumed": {"reused": (int,), "again": (int,)},
    "run_migrated": {"dropped": (list,)},
    "run_ended": {"status": (str,)},
    "task_created": {"agent": (str,), "address": (str,)},
    "task_attempt_completed": {"ok": (bool,), "result": _ANY},
    "task_attempt_failed": {"error": (str,)},
    "task_pass": {"result": _ANY},
    "task_blocked": {"result": _ANY},
    "task_suspended": {"key": (str,)},
    "task_resumed": {"key": (str,)},
    "senior_queried": {"key": (str,), "question": _ANY},
    "senior_answered": {"key": (str,), "answer": _ANY},
    "question_expired": {"key": (str,)},
    "budget_spent": {"spent": (dict,)},
    "worker_output": {"output": (dict,)},
}
_MAY: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "task_created": {"input_digest": (str, _NONE), "parent": (str, _NONE)},
    "task_attempt_failed": {"cause": (str,), "retry_in": _NUMBER},
    "task_blocked": {"error": (str,)},
    "run_ended": {"error": (dict, _NONE)},
}


def missing_fact(event: Event) -> str | None:
    """Return the name of a fact that the event's kind must have and that is not there or is none, else None."""
    must, may = _MUST.get(event.kind, {}), _MAY.get(event.kind, {})
    for name, types in {**must, **may}.items():
        if name in event.data and not _is_one_of(event.data[name], types):
            return name
        if name in must and name not in event.data:
            return name
    if event.kind == "run_migrated" and not all(isinstance(address, str) for address in event.data["dropped"]):
        return "dropped"
    if event.kind == "budget_spent" and not all(_is_one_of(one, _NUMBER) for one in event.data["spent"].values()):
        return "spent"
    return None


def _is_one_of(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (type(value) is not bool or bool in types)


@frozen(kw_only=True)
class _Request:
    """With what a session is attached."""

    __repr__ = shown

    operator_kind: OperatorKind | None = None
    agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    bridge_id: str | None = None
    hook_id: str | None = None
    operator_backend_id: str | None = None


@frozen(kw_only=True)
class _Launch:
    """With what a run is launched; `ctx` is JSON text."""

    __repr__ = shown

    ctx: str
    bind: Mapping[str, str] = field(factory=dict)
    layer_set: str = "standard"
    operator_id: str = "api"
    request: _Request | None = None
    budget: Budget | None = None
    directory: str | None = None
    plugins: Mapping[str, str] = field(factory=dict)


def check_launch(launch: Mapping[str, Any]) -> None:
    """Raise DocumentError unless a run can be begun with this; what is not known is left alone."""
    known = {attribute.name for attribute in fields(_Launch)}
    facts = {name: value for name, value in launch.items() if name in known}
    structure(facts, _Launch, path="$.run.launch")
