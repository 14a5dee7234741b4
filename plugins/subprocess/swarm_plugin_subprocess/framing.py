"""Where one record of a stream ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from attrs import define, field, frozen

MAX_LINE = 2**20
MAX_FRAME = 16 * 2**20


class LineTooLong(Exception):
    """A line is longer than MAX_LINE bytes."""


class BrokenFrame(Exception):
    """The stream cannot be read on: a length is wrong, or the last frame is incomplete."""


@frozen
class BadLine:
    """A line that has no meaning in this kind of stream; the stream goes on."""

    line: bytes


Record = bytes | BadLine


class Framing(Protocol):
    """Cuts bytes into records."""

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield the records that are complete with these bytes; raises LineTooLong, BrokenFrame."""

    def end(self) -> Iterator[Record]:
        """Yield what is left at the end of the stream; raises BrokenFrame."""


@define
class Lines:
    """Lines that end with LF or CRLF; the last one may have no end."""

    _rest: bytearray = field(factory=bytearray)
    _searched: int = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the complete lines, without their ends."""
        self._rest += data
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            self._searched = 0
            _check_length(line)
            yield line
        self._searched = len(self._rest)
        _check_length(self._rest)

    def end(self) -> Iterator[bytes]:
        """Yield the last line, when it is not empty."""
        if self._rest:
            yield bytes(self._rest).removesuffix(b"\r")
            self._rest.clear()


def _check_length(line: bytes | bytearray) -> None:
    if len(line) > MAX_LINE:
        raise LineTooLong


@define
class NdjsonLines:
    """One record a line; blank lines are nothing."""

    _lines: Lines = field(factory=Lines)

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield the lines that are not blank."""
        return (line for line in self._lines.feed(data) if line.strip())

    def end(self) -> Iterator[Record]:
        """Yield the last line."""
        return (line for line in self._lines.end() if line.strip())


@define
class SseEvents:
    """Server-sent events: the `data` lines up to a blank line are one record, joined by line feeds."""

    _lines: Lines = field(factory=Lines)
    _data: list[bytes] = field(factory=list)

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield the data of the complete events."""
        for line in self._lines.feed(data):
            yield from self._take(line)

    def end(self) -> Iterator[Record]:
        """Yield the data of an event that no blank line ended."""
        for line in self._lines.end():
            yield from self._take(line)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[Record]:
        name, _, value = line.partition(b":")
        if not line:
            if self._data:
                yield b"\n".join(self._data)
            self._data.clear()
        elif name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name not in (b"", b"event", b"id", b"retry"):  # an empty name is a comment
            yield BadLine(line)


@define
class LengthPrefixed:
    """Frames of a length, four bytes big-endian, and so many bytes."""

    _rest: bytearray = field(factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield the complete frames."""
        self._rest += data
        while len(self._rest) >= 4:
            length = int.from_bytes(self._rest[:4], "big")
            if not 0 < length <= MAX_FRAME:
                raise BrokenFrame(f"a frame of {length} bytes: 1 to {MAX_FRAME} are allowed")
            if len(self._rest) < 4 + length:
                return
            frame = bytes(self._rest[4 : 4 + length])
            del self._rest[: 4 + length]
            yield frame

    def end(self) -> Iterator[Record]:
        """Yield nothing; raises BrokenFrame when a frame is incomplete."""
        if self._rest:
            raise BrokenFrame(f"the stream ended inside a frame, {len(self._rest)} bytes after its start")
        yield from ()


FRAMINGS: dict[str, type[NdjsonLines] | type[SseEvents] | type[LengthPrefixed]] = {
    "ndjson_lines": NdjsonLines,
    "sse_events": SseEvents,
    "length_prefixed": LengthPrefixed,
}
