"""How events stand in a journal, and how they are read back.

A row's body is a JSON array with an entry per event: `[kind, time, task_id, attempt, data]`. An attempt's result stands
once: `task_attempt_completed` leaves it out when the event after it is the end of the same task with the same result.
A task id that is the one of the entry before stands as 0; older rows repeat it. Large values stand as references (see
`engine.offload`). After the entries stands the row's link, a string (see `codec.row_text`); older rows have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from swarm_core.codec.compact import compact
from swarm_core.codec.row_text import link_after, with_link
from swarm_core.errors import StoreUnreadable
from swarm_core.model.event import Event
from swarm_core.model.run import JournalRow

Entry: TypeAlias = "tuple[str, float, str | None, int | None, Mapping[str, Any]]"
"""An event as the log keeps it: kind, time, task id, attempt, data."""

_COMPLETED = "task_attempt_completed"
_ENDS = frozenset({"task_pass", "task_blocked"})
_SAME = 0


def encode_entries(entries: Sequence[Entry]) -> str:
    """Return the body of the row that holds these events."""
    return compact(_shortened(entries))


def linked_row(run_id: str, before: str, first: int, last: int, text: str) -> JournalRow:
    """Return the row of these events, linked to the row that has the link `before`."""
    body = with_link(text, link_after(before, first, last, text))
    return JournalRow(run_id=run_id, first_seq=first, last_seq=last, body=body)


def _shortened(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Return the entries as they stand in a row: no result twice, and no task id right after itself."""
    written: list[tuple[Any, ...]] = []
    before: Any = None
    last = len(entries) - 1
    for at, entry in enumerate(entries):
        kind, time, task_id, attempt, data = entry
        if kind == _COMPLETED and at < last and _has_twin(entry, entries[at + 1]):
            data = dict(data)
            del data["result"]
        same = task_id is not None and task_id == before
        written.append((kind, time, _SAME if same else task_id, attempt, data))
        before = task_id
    return written


def _has_twin(entry: Entry, after: Entry) -> bool:
    """Tell whether the event after a completed attempt is the end of its task with its result."""
    return after[0] in _ENDS and after[2] == entry[2] and after[4].get("result", after) is entry[4].get("result", entry)


def decode_row(row: JournalRow) -> list[Event]:
    """Return the events of a row, references in their data as they stand.

    Raises: StoreUnreadable, naming the run and the row.
    """
    try:
        entries = entries_in(row)
        _restore_twins(entries)
        events = [
            Event(kind, row.run_id, seq, time, task_id, attempt, data)
            for seq, (kind, time, task_id, attempt, data) in enumerate(entries, row.first_seq)
        ]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _unreadable(row, f"{type(error).__name__}: {error}") from None
    if row.first_seq + len(events) - 1 != row.last_seq or not all(map(_is_well, events)):
        raise _unreadable(row, "it does not hold the events that it says")
    return events


def entries_in(row: JournalRow) -> list[Any]:
    """Return a row's entries with their task ids, without its link; raises ValueError, RecursionError."""
    entries = json.loads(row.body)
    if type(entries) is not list:
        raise ValueError("it is no array")
    if entries and type(entries[-1]) is str:
        entries.pop()
    _restore_ids(entries)
    return entries


def _restore_ids(entries: list[Any]) -> None:
    before: Any = None
    for at, (_, _, task_id, *_) in enumerate(entries):
        if type(task_id) is int and task_id == _SAME:
            if before is None:
                raise ValueError(f"the task id of entry {at} is missing")
            entries[at][2] = before
        else:
            before = task_id


def _restore_twins(entries: list[Any]) -> None:
    for at, entry in enumerate(entries):
        if entry[0] == _COMPLETED and "result" not in entry[4]:
            after = entries[at + 1]
            if after[0] not in _ENDS or after[2] != entry[2]:
                raise ValueError(f"the result of entry {at} is missing")
            entry[4]["result"] = after[4]["result"]


def _is_well(event: Event) -> bool:
    return (
        type(event.kind) is str
        and type(event.time) in (float, int)
        and (event.task_id is None or type(event.task_id) is str)
        and (event.attempt is None or type(event.attempt) is int)
        and type(event.data) is dict
    )


def _unreadable(row: JournalRow, reason: str) -> StoreUnreadable:
    return StoreUnreadable(
        f"events {row.first_seq} to {row.last_seq} of run {row.run_id} do not decode: {reason[:200]}",
        hint="the other runs are not touched by it; see `swarm doctor`, or restore a backup of the store",
    )
