"""What endpoints answer with that is no model on the lower floors, as JSON Schema and as models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from swarm_core.model.run import Question, StoredRun

_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NOT: dict[str, Any] = {"type": ["string", "null"]}
_NUMBER_OR_NOT: dict[str, Any] = {"type": ["number", "null"]}


def object_of(required: Mapping[str, Any], *, more: bool = False, **may: Any) -> dict[str, Any]:
    """Return the schema of an object with these fields; with `more` it may have others too."""
    fields = {**required, **may}
    return {"type": "object", "properties": fields, "required": [*required], "additionalProperties": more}


def list_of(item: Any) -> dict[str, Any]:
    """Return the schema of an array."""
    return {"type": "array", "items": item}


@frozen(kw_only=True)
class RunPage:
    """Runs, the newest first; `next` is the `before` of the next page, null after the last one."""

    runs: tuple[StoredRun, ...]
    next: str | None


@frozen(kw_only=True)
class QuestionList:
    """Questions in the order in which they were asked."""

    questions: tuple[Question, ...]


EVENT = object_of(
    {"kind": _TEXT, "run_id": _TEXT_OR_NOT, "seq": {"type": "integer"}, "time": {"type": "number"}},
    more=True,
    task_id=_TEXT,
    attempt={"type": "integer"},
)
EVENT_PAGE = object_of({"events": list_of(EVENT), "next": {"type": ["integer", "null"]}})

STEP = object_of(
    {
        "task_id": _TEXT,
        "address": _TEXT,
        "agent": _TEXT,
        "depth": {"type": "integer"},
        "status": _TEXT,
        "attempts": {"type": "integer"},
        "began_at": {"type": "number"},
        "ended_at": _NUMBER_OR_NOT,
        "seconds": _NUMBER_OR_NOT,
        "result": {},
        "error": _TEXT_OR_NOT,
        "question": _TEXT_OR_NOT,
        "parent": _TEXT_OR_NOT,
        "children": list_of(_TEXT),
        "spent": {"type": "object"},
    }
)
STEP_LIST = object_of({"steps": list_of(STEP)})

_NOTE = object_of({"address": _TEXT, "agent": _TEXT, "reason": _TEXT})
MIGRATION = object_of(
    {
        "run_id": _TEXT,
        "from": _TEXT,
        "to": _TEXT,
        "kept": list_of(_NOTE),
        "again": list_of(_NOTE),
        "dropped": list_of(_NOTE),
        "migrated": {"type": "boolean"},
    }
)

_ENTRY = {
    "blueprint_id": _TEXT,
    "version": _TEXT,
    "number": {"type": "integer"},
    "parents": list_of(_TEXT),
    "committed_at": {"type": "number"},
    "label": _TEXT_OR_NOT,
    "rationale": _TEXT,
    "author": _TEXT_OR_NOT,
    "patch_hash": _TEXT_OR_NOT,
    "epoch_id": {"type": ["object", "null"]},
    "commit": _TEXT_OR_NOT,
}
BLUEPRINT_LIST = object_of({"blueprints": list_of(object_of({**_ENTRY, "archived": {"type": "boolean"}}))})
BLUEPRINT_SHOWN = object_of({**_ENTRY, "blueprint": {"type": "object"}})
BLUEPRINT_SEEDED = object_of({"id": _TEXT, "seeded": {"type": "boolean"}, **_ENTRY})
BLUEPRINT_HISTORY = object_of(
    {
        "count": {"type": "integer"},
        "entries": list_of(object_of({**_ENTRY, "hash": _TEXT, "version_label": _TEXT_OR_NOT})),
    }
)

_PROBLEM = object_of({"code": _TEXT, "severity": _TEXT, "message": _TEXT, "path": _TEXT}, more=True)
PROBLEM_LIST = object_of({"problems": list_of(_PROBLEM)})
EXPLAINED = object_of(
    {
        "blueprint": _TEXT,
        "agents": list_of({"type": "object"}),
        "layers": list_of({"type": "object"}),
        "bound": _TEXT,
        "budget": {"type": ["object", "null"]},
        "problems": list_of(_PROBLEM),
    }
)
