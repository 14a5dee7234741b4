"""Whether the rows of a run's journal are those that were written: their links, their numbers, their end."""

from __future__ import annotations

import json
import math
from typing import Any

from attrs import field, frozen

from swarm_core.codec.row_text import first_link, link_after, link_as_hex, parted
from swarm_core.model.run import JournalRow
from swarm_core.model.shown import shown
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

_MOST = 100
_END = "run_ended"


@frozen(kw_only=True)
class Finding:
    """Something that is wrong with a run: the number of the first event that it is about, what, and in words.

    `seq` is 0 for the run's record. `code` is `altered`, `missing`, `repeated`, `unlinked`, `unreadable`, `after_end`,
    `no_beginning`, `record`, `value`, `head` or `file`.
    """

    __repr__ = shown

    seq: int
    code: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as data."""
        return {"seq": self.seq, "code": self.code, "message": self.message}


@frozen(kw_only=True)
class Chain:
    """What was found out about a run's chain.

    `seq` is the number of its last event and `link` the link of its last row as 64 hex digits, `""` when that has none.
    `findings` are 100 at most, by the number of the event, those about the record last.
    """

    __repr__ = shown

    run_id: str
    status: RunStatus
    seq: int
    rows: int
    link: str
    findings: tuple[Finding, ...] = field(default=())

    @property
    def whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Return the facts as data; its fields, the status as text, and `whole`."""
        return {
            "run_id": self.run_id,
            "status": str(self.status),
            "seq": self.seq,
            "rows": self.rows,
            "link": self.link,
            "whole": self.whole,
            "findings": [finding.as_json() for finding in self.findings],
        }


class ChainCheck:
    """Follows the chain of one run, row by row in their order; `head` is a link that one of the rows must have."""

    def __init__(self, run_id: str, *, head: str | None = None) -> None:
        self._run_id, self._head = run_id, head
        self._before, self._own = first_link(run_id), ""
        self._seq = self._rows = 0
        self._blueprint: Any = None
        self._ended: tuple[int, Any] | None = None
        self._linked = self._legible = self._right = True
        self._findings: list[Finding] = []

    @property
    def seq(self) -> int:
        """Return the number of the last event so far."""
        return self._seq

    def take(self, row: JournalRow) -> None:
        """Follow the chain over the next row."""
        text, own = parted(row.body)
        link = link_after(self._before, row.first_seq, row.last_seq, text)
        entries = _entries(text)
        wrong = self._place(row) or _form(row, entries) or self._linkage(row, own, link)
        if wrong is not None:
            self.note(*wrong)
        if entries is None:
            self._legible = False
        else:
            self._follow(row.first_seq, entries, noting=wrong is None)
        self._linked, self._right = own is not None, wrong is None
        self._before, self._own = own or link, own or ""
        self._seq, self._rows = max(row.last_seq, self._seq), self._rows + 1

    def note(self, seq: int, code: str, message: str) -> None:
        """Note something that is wrong."""
        self._legible = self._legible and code != "unreadable"
        if len(self._findings) < _MOST:
            self._findings.append(Finding(seq=seq, code=code, message=message))

    def finish(self, status: RunStatus, last_seq: int, blueprint_hash: str) -> Chain:
        """Compare the events with what the run's record says, and return what was found out."""
        if self._legible:
            self._compare(status, last_seq, blueprint_hash)
        if self._head is not None:
            self.note(0, "head", f"no row up to event {self._seq} has the link {link_as_hex(self._head)}")
        return Chain(
            run_id=self._run_id,
            status=status,
            seq=self._seq,
            rows=self._rows,
            link=link_as_hex(self._own) if self._own else "",
            findings=tuple(sorted(self._findings, key=lambda finding: finding.seq or math.inf)),
        )

    # rows ------------------------------------------------------------------------------------------------------

    def _place(self, row: JournalRow) -> tuple[int, str, str] | None:
        after = self._seq + 1
        if row.first_seq > after:
            return after, "missing", f"{_events(after, row.first_seq - 1)} missing"
        if row.first_seq < after:
            return row.first_seq, "repeated", f"{_events(row.first_seq, row.last_seq)} in the place of event {after}"
        return None

    def _linkage(self, row: JournalRow, own: str | None, link: str) -> tuple[int, str, str] | None:
        if own is None:
            said = "have no link: they were written before there were links, or it was taken away"
            return (row.first_seq, "unlinked", f"events from {row.first_seq} on {said}") if self._linked else None
        if own != link:
            after = f" after event {self._seq}" if self._seq else ""
            return row.first_seq, "altered", f"{_events(row.first_seq, row.last_seq)} not what was written{after}"
        if own == self._head:
            self._head = None
        return None

    def _follow(self, first: int, entries: list[Any], *, noting: bool) -> None:
        """Take up what events say of the run; with `noting`, nothing else was wrong with them."""
        for seq, (kind, _, _, _, data) in enumerate(entries, first):
            if noting and self._ended is not None:
                self.note(seq, "after_end", f"event {seq} comes after the run's end, event {self._ended[0]}")
                return
            if noting and (kind == "run_started") != (seq == 1):
                said = f"event {seq} is {kind!r:.80}: a run begins with run_started, and only so"
                self.note(seq, "no_beginning", said)
            if kind == "run_started":
                self._blueprint = data.get("blueprint_hash")
            elif kind == "run_migrated":
                self._blueprint = data.get("to")
            elif kind == _END:
                self._ended = seq, data.get("status")

    # the record ------------------------------------------------------------------------------------------------

    def _compare(self, status: RunStatus, last_seq: int, blueprint_hash: str) -> None:
        if self._seq != last_seq or not self._seq:
            self.note(self._seq + 1, "missing", f"the record says {last_seq} events, there are {self._seq}")
        elif status in FINAL_RUN_STATUSES and self._ended is None and self._right:
            self.note(self._seq + 1, "missing", f"the record says {status}, and there is no run_ended")
        if self._findings:
            return  # what is wrong with the events may be all that is wrong with the record
        if self._ended is not None and self._ended[1] != status:
            self.note(0, "record", f"the record says {status}, and event {self._ended[0]} {self._ended[1]!r:.80}")
        if self._blueprint is not None and self._blueprint != blueprint_hash:
            said = f"the record says Blueprint {blueprint_hash:.80}, and the events {self._blueprint!r:.80}"
            self.note(0, "record", said)


def _entries(text: str) -> list[Any] | None:
    """Return a row's entries, None when they are none."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entries if type(entries) is list and all(map(_is_entry, entries)) else None


def _is_entry(entry: Any) -> bool:
    return type(entry) is list and len(entry) == 5 and type(entry[4]) is dict


def _form(row: JournalRow, entries: list[Any] | None) -> tuple[int, str, str] | None:
    if entries is None:
        return row.first_seq, "altered", f"{_events(row.first_seq, row.last_seq)} no journal entries"
    if len(entries) != row.last_seq - row.first_seq + 1:
        said = f"there are {len(entries)} where events {row.first_seq} to {row.last_seq} belong"
        return row.first_seq, "altered", said
    return None


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
