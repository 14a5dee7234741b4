"""The lines of an exported run: what its journal holds, event by event, text for text.

    {"audit":1,"run":"RUN-...","blueprint":"...","blueprint_hash":"...","status":"done","events":9,"exported_at":...}
    {"seq":1,"kind":"run_started",...,"data":{...},"row":[1,4],"link":"<64 hex digits>"}
    ...
    {"sha256":"<of all lines before this one>"}

The parts of an event are the very texts that stand in the journal, so its row, and from that the row's link, can be
made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from swarm_core.codec.compact import compact
from swarm_core.codec.row_text import link_as_hex, link_from_hex, parted, with_link
from swarm_core.model.run import JournalRow, StoredRun
from swarm_core.model.task import RunStatus

FORMAT = 1

_NAMES = ("kind", "time", "task_id", "attempt", "data")
_END = '{"sha256":"'
_decode = json.JSONDecoder().raw_decode


@frozen(kw_only=True)
class Header:
    """What the first line says of the run."""

    run_id: str
    blueprint_hash: str
    status: RunStatus
    events: int


@frozen(kw_only=True)
class EventLine:
    """One event: its number, the texts of its parts, and the numbers and the link of its row."""

    seq: int
    parts: tuple[str, ...]
    first: int
    last: int
    link: str | None


# writing -----------------------------------------------------------------------------------------------------


def header_line(run: StoredRun, now: float) -> str:
    """Return the first line."""
    facts = {
        "audit": FORMAT,
        "run": run.id,
        "blueprint": run.blueprint_id,
        "blueprint_hash": run.blueprint_hash,
        "status": str(run.status),
        "events": run.last_seq,
        "exported_at": now,
    }
    return compact(facts)


def event_lines(row: JournalRow) -> Iterator[str]:
    """Yield a line for each event of a row; raises ValueError, when it holds what was not written there."""
    text, link = parted(row.body)
    if "\n" in text:
        raise ValueError("there is a line break in it")
    shown = "null" if link is None else f'"{link_as_hex(link)}"'
    for seq, parts in enumerate(_entries(text), row.first_seq):
        facts = ",".join(f'"{name}":{part}' for name, part in zip(_NAMES, parts, strict=True))
        yield f'{{"seq":{seq},{facts},"row":[{row.first_seq},{row.last_seq}],"link":{shown}}}'


def end_line(digest: str) -> str:
    """Return the last line."""
    return f'{_END}{digest}"}}'


# reading -----------------------------------------------------------------------------------------------------


def read_header(text: str) -> Header:
    """Return what the first line says; raises ValueError."""
    facts: Any = json.loads(text)
    if type(facts) is not dict or "audit" not in facts:
        raise ValueError("it is not the first line of an audit export")
    if facts["audit"] != FORMAT:
        raise ValueError(f"it is of format {facts['audit']!r:.20}; {FORMAT} is known")
    known = {"run": str, "blueprint_hash": str, "status": str, "events": int}
    if wrong := [name for name, kind in known.items() if type(facts.get(name)) is not kind]:
        raise ValueError(f"its {wrong[0]!r} is missing or wrong")
    return Header(
        run_id=facts["run"],
        blueprint_hash=facts["blueprint_hash"],
        status=RunStatus(facts["status"]),
        events=facts["events"],
    )


def read_event(text: str) -> EventLine:
    """Return what the line of an event says; raises ValueError."""
    scan = _Scan(text)
    seq = scan.number('{"seq":')
    parts = tuple(scan.text(f',"{name}":') for name in _NAMES)
    first, last = scan.number(',"row":['), scan.number(",")
    link = json.loads(scan.text('],"link":'))
    scan.end("}")
    if link is not None and type(link) is not str:
        raise ValueError("its link is no text")
    return EventLine(seq=seq, parts=parts, first=first, last=last, link=None if link is None else link_from_hex(link))


def read_end(text: str) -> str | None:
    """Return the digest that the last line gives, None when it is no last line."""
    return text[len(_END) : -2] if text.startswith(_END) and text.endswith('"}') else None


def row_of(run_id: str, lines: list[EventLine]) -> JournalRow:
    """Return the row that the lines are of, as it stood in the journal."""
    entries = ",".join(f"[{','.join(line.parts)}]" for line in lines)
    text, first, link = f"[{entries}]", lines[0], lines[0].link
    body = text if link is None else with_link(text, link)
    return JournalRow(run_id=run_id, first_seq=first.first, last_seq=first.last, body=body)


# texts -------------------------------------------------------------------------------------------------------


def _entries(text: str) -> Iterator[tuple[str, ...]]:
    scan, lead = _Scan(text), "[["
    while lead:
        yield tuple(scan.text("," if place else lead) for place in range(len(_NAMES)))
        lead = ",[" if scan.follows("],[") else ""
        scan.skip("]")
    scan.end("]")


class _Scan:
    """Reads a JSON text piece by piece, and gives the pieces as they stand."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def skip(self, literal: str) -> None:
        if not self.follows(literal):
            raise ValueError(f"{literal!r} belongs at character {self._at + 1}")
        self._at += len(literal)

    def follows(self, literal: str) -> bool:
        return self._text.startswith(literal, self._at)

    def text(self, before: str) -> str:
        """Return the text of the value that stands after a literal."""
        self.skip(before)
        start = self._at
        _, self._at = _decode(self._text, start)
        return self._text[start : self._at]

    def number(self, before: str) -> int:
        return int(self.text(before))

    def end(self, literal: str) -> None:
        self.skip(literal)
        if self._at != len(self._text):
            raise ValueError(f"there is more after character {self._at}")
