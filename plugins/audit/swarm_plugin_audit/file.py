"""A file of a run's events: written from a store, checked without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from typing import Any

from attrs import evolve

from swarm_core.codec.chain import Chain, ChainCheck, Finding
from swarm_core.errors import DocumentError, StoreUnreadable
from swarm_core.model.problem import Problem
from swarm_core.model.run import StoredRun
from swarm_plugin_audit.lines import (
    EventLine,
    Header,
    end_line,
    event_lines,
    header_line,
    read_end,
    read_event,
    read_header,
    row_of,
)


async def file_lines(history: Any, run: StoredRun) -> AsyncIterator[bytes]:
    """Yield the lines of a run's file; raises StoreUnreadable, when its journal does not decode."""
    digest = sha256()
    async for line in _lines(history, run):
        data = f"{line}\n".encode("utf-8", "surrogatepass")
        digest.update(data)
        yield data
    yield f"{end_line(digest.hexdigest())}\n".encode()


async def _lines(history: Any, run: StoredRun) -> AsyncIterator[str]:
    yield header_line(run, history.clock.time())
    async for row in history.rows(run.id):
        if row.last_seq > run.last_seq:
            return
        try:
            for line in event_lines(row):
                yield line
        except (ValueError, RecursionError) as error:
            said = f"events {row.first_seq} to {row.last_seq} of run {run.id} do not decode: {error}"
            raise StoreUnreadable(said, hint=f"see what is wrong with: swarm audit verify {run.id}") from None


def check_file(lines: Iterable[bytes], name: str, *, head: str | None = None) -> Chain:
    """Follow the chain of the run that a file tells of; raises DocumentError, when it does not begin as such a file."""
    each = iter(lines)
    first = next(each, b"")
    try:
        header = read_header(_text(first))
    except (ValueError, RecursionError) as error:
        hint = "make the file with: swarm audit export RUN -o FILE"
        message = f"this is no audit export: {error}"
        problem = Problem(code="bad_audit_export", message=message, file=name, line=1, hint=hint)
        raise DocumentError([problem]) from None
    reading = _Reading(header, head)
    reading.digest.update(first)
    for number, line in enumerate(each, 2):
        reading.take(line, number)
    return reading.finish()


def _text(line: bytes) -> str:
    if not line.endswith(b"\n"):
        raise ValueError("it is cut off")
    return line[:-1].decode()


class _Reading:
    """A file while its lines are read."""

    def __init__(self, header: Header, head: str | None) -> None:
        self.digest = sha256()
        self._header, self._check = header, ChainCheck(header.run_id, head=head)
        self._row: list[EventLine] = []
        self._end: str | None = None

    def take(self, line: bytes, number: int) -> None:
        """Take the next line."""
        if self._end is not None:
            self._note(f"line {number} comes after the end")
            return
        try:
            text = _text(line)
            self._end = read_end(text)
            if self._end is None:
                self._take_event(read_event(text), number)
                self.digest.update(line)
        except (ValueError, RecursionError) as error:
            self._note(f"line {number} is not as it was written: {error}")

    def _take_event(self, line: EventLine, number: int) -> None:
        if self._row and (line.first, line.last, line.link) != _place(self._row[0]):
            self._close_row()
        if line.seq != line.first + len(self._row):
            self._note(f"line {number} has event {line.seq}, where {line.first + len(self._row)} belongs")
        self._row.append(line)
        if len(self._row) > line.last - line.first:
            self._close_row()

    def _close_row(self) -> None:
        row, self._row = self._row, []
        if row:
            self._check.take(row_of(self._header.run_id, row))

    def _note(self, message: str) -> None:
        self._check.note(self._check.seq + len(self._row) + 1, "file", message)

    def finish(self) -> Chain:
        """Return what was found out."""
        self._close_row()
        header, digest = self._header, self.digest.hexdigest()
        if self._end is None:
            self._note("the end of the file is missing")
        chain = self._check.finish(header.status, header.events, header.blueprint_hash)
        if not chain.whole or self._end == digest:
            return chain
        said = "the file's checksum is another: its events are whole, and something else in it is not as it was written"
        return evolve(chain, findings=(Finding(seq=0, code="file", message=said),))


def _place(line: EventLine) -> tuple[int, int, str | None]:
    return line.first, line.last, line.link
