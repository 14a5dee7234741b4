"""How stores keep issues, enhance settings and log entries: as JSON text, checked on the way in and on the way out."""

from __future__ import annotations

import json
from typing import TypeAlias, TypeVar

from swarm_core.codec import structure
from swarm_core.errors import DocumentError, StoreError, StoreUnreadable
from swarm_core.model.enhance import (
    Applied,
    EnhanceLogEntry,
    EnhanceSetting,
    IssuePayload,
    IssueStatus,
    Pending,
    Rejected,
)
from swarm_core.model.ids import check_blueprint_id, check_id, check_setting_id
from swarm_core.model.problem import Problem

Record: TypeAlias = IssuePayload | EnhanceSetting | EnhanceLogEntry
R = TypeVar("R", IssuePayload, EnhanceSetting, EnhanceLogEntry)

_MOST = 2**53 - 1  # what every reader of JSON takes for the same number


def text_of(record: Record) -> str:
    """Return a record as JSON text in ASCII, which any store can hold.

    Raises: InvalidId; DocumentError, with every problem of the record's fields.
    """
    _check_ids(record)
    data = record.as_json()
    structure(data, type(record))
    problem = _problem(record)
    if problem is not None:
        raise DocumentError([problem])
    return json.dumps(data, separators=(",", ":"))


def record_of(text: str, cls: type[R], what: str, *, where: str | None = None) -> R:
    """Return the record that a text holds; `what` and `where` tell which one that is.

    Raises: StoreUnreadable.
    """
    try:
        return structure(json.loads(text), cls)
    except (ValueError, TypeError, DocumentError, RecursionError) as error:
        hint = "the others are not touched by it; restore a backup to have it back"
        raise StoreUnreadable(f"{what} does not decode: {error}", where=where, hint=hint) from None


def check_given_status(status: IssueStatus) -> None:
    """Require a status that an issue can be given; what is in flight was taken.

    Raises: StoreError.
    """
    if not isinstance(status, Pending | Applied | Rejected):
        said = f"an issue cannot be given the status {status!r}"
        raise StoreError(said, hint="pop_pending puts the next issue in flight, for an owner and a time")


def _check_ids(record: Record) -> None:
    if isinstance(record, EnhanceSetting):
        check_setting_id(record.id)
    else:
        check_id("h-", record.issue_id)
    check_blueprint_id(record.blueprint_id)


def _problem(record: Record) -> Problem | None:
    """Return what is wrong with a record beyond the types of its fields."""
    match record:
        case IssuePayload(intent=intent) if not intent.strip() or not _is_text(intent):
            said = "the intent holds a lone surrogate" if intent.strip() else "the intent is empty"
            hint = "say in words what is to change"
            return Problem(code="bad_value", message=said, path="$.intent", hint=hint)
        case EnhanceSetting(ttl_secs=seconds) if not 1 <= seconds <= _MOST:
            said, hint = f"{seconds} is out of range", "give the work a second or more"
            return Problem(code="out_of_range", message=said, path="$.ttl_secs", hint=hint)
        case EnhanceSetting(meta=meta) if not all(isinstance(key, str) for key in meta):
            return Problem(code="bad_value", message="a key is no text", path="$.meta", hint="keys of JSON are texts")
        case EnhanceLogEntry(ts_ms=time) if not 0 <= time <= _MOST:
            said, hint = f"{time} is out of range", "times are Unix milliseconds"
            return Problem(code="out_of_range", message=said, path="$.ts_ms", hint=hint)
    return None


def _is_text(text: str) -> bool:
    """Tell whether UTF-8 can hold a text, and so a flow can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
