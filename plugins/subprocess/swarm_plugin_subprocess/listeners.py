"""What is made of a program's output: one value at its end, or events as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Final, content_value
from swarm_plugin_subprocess.conversation import Ending, Listener
from swarm_plugin_subprocess.events import read_event
from swarm_plugin_subprocess.framing import FRAMINGS, MAX_LINE, BadLine, BrokenFrame, LineTooLong, Record
from swarm_plugin_subprocess.spec import Output, StreamMode
from swarm_plugin_subprocess.values import read_json, text_of

BAD_RECORDS_SHOWN = 20


class Reader(Listener, Protocol):
    """A listener that knows the result in the end."""

    def result(self, ending: Ending) -> Result | None:
        """Return the result; None when the last Final that was emitted is it. Raises: WorkerFailed."""


class WholeOutput:
    """Keeps all that is printed and reads it at the end.

    With `auto`, one JSON value is the value, and anything else is `{"raw", "stderr"}`; with `json`, anything else is an
    error unless the program itself says that it failed; with `text`, the text is the value.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._parts: list[bytes] = []

    def take(self, data: bytes) -> None:
        """Keep the bytes."""
        self._parts.append(data)

    def end(self) -> None:
        """Nothing is read before the process has ended."""

    def result(self, ending: Ending) -> Result:
        """Return what was printed as a value; a program that a signal ended has given no answer."""
        text = text_of(b"".join(self._parts))
        ok = ending.code == 0
        if ending.code < 0:
            return raw_result(text, ending)
        if self._output == "text":
            return Result(text.removesuffix("\n").removesuffix("\r"), ok, facts_of(ending, stderr=True))
        try:
            return Result(read_json(text), ok, facts_of(ending, stderr=True))
        except ValueError as error:
            if self._output == "json" and ok:
                raise _no_json(text, error) from None
            return raw_result(text, ending)


def raw_result(text: str, ending: Ending) -> Result:
    """Return what was printed, as it is: of a program that gave no answer that can be read."""
    value: dict[str, Any] = {"raw": text, "stderr": text_of(ending.stderr)}
    if ending.code < 0:
        value["signal"] = -ending.code
    return Result(value, ending.code == 0, facts_of(ending, stderr=False))


def _no_json(text: str, error: ValueError) -> WorkerFailed:
    shown = ascii(text[:200]) + ("..." if len(text) > 200 else "")
    return WorkerFailed(
        f"the program printed no JSON value ({error}): {shown}",
        kind="output_not_json",
        hint="print exactly one JSON value on stdout and everything else on stderr, or set output to 'auto'",
    )


class EventStream:
    """Emits each record as it comes; records that are no events are reported, not fatal.

    After a broken frame nothing can be read any more; what came before it counts.
    """

    def __init__(self, mode: StreamMode, call: Call) -> None:
        self._framing = FRAMINGS[mode]()
        self._call = call
        self._final: Final | None = None
        self._records = self._bad = 0
        self._deaf = False

    def take(self, data: bytes) -> None:
        """Emit the events that are complete with these bytes. Raises: WorkerFailed (`line_too_long`)."""
        if not self._deaf:
            self._read(self._framing.feed(data))

    def end(self) -> None:
        """Emit what the end of the stream completes."""
        if not self._deaf:
            self._read(self._framing.end())
        if self._bad > BAD_RECORDS_SHOWN:
            self._call.context.publish("subprocess_bad_records", count=self._bad, shown=BAD_RECORDS_SHOWN)

    @property
    def has_final(self) -> bool:
        """Tell whether a final was among the events."""
        return self._final is not None

    def result(self, ending: Ending) -> Result | None:
        """Return the result: the last final, which a program that failed cannot make a success."""
        ok, facts = ending.code == 0, facts_of(ending, stderr=True)
        if self._final is None:
            value = {"raw": "", "note": "streaming mode: no Final event received", "exit_success": ok}
            return Result(value | ({"signal": -ending.code} if ending.code < 0 else {}), False, facts)
        return None if ok else Result(content_value(self._final.content), False, facts)

    def _read(self, records: Iterator[Record]) -> None:
        try:
            for record in records:
                self._records += 1
                self._take_one(record)
        except LineTooLong:
            raise WorkerFailed(
                f"the program printed a line of more than {MAX_LINE} bytes and was ended",
                kind="line_too_long",
                hint="write large contents to files, or use stream_mode 'length_prefixed'",
            ) from None
        except BrokenFrame as error:
            self._deaf = True
            self._call.context.publish("subprocess_frame_error", reason=str(error), after_records=self._records)

    def _take_one(self, record: Record) -> None:
        if isinstance(record, BadLine):
            self._report("the line is no field of an event stream", record.line)
            return
        try:
            event = read_event(record, self._call)
        except ValueError as error:
            self._report(str(error), record)
            return
        if isinstance(event, Final):
            self._final = event
        self._call.context.emit(event)

    def _report(self, reason: str, record: bytes) -> None:
        self._bad += 1
        if self._bad <= BAD_RECORDS_SHOWN:
            excerpt = ascii(text_of(record[:200]))
            self._call.context.publish("subprocess_bad_record", number=self._records, reason=reason, record=excerpt)


def facts_of(ending: Ending, *, stderr: bool) -> dict[str, Any]:
    """Return how the process ended as facts of a result, with what it said on stderr where the value has not got it."""
    facts: dict[str, Any] = {"signal": -ending.code} if ending.code < 0 else {"exit_code": ending.code}
    if stderr and ending.stderr:
        facts["stderr"] = text_of(ending.stderr)
    if ending.stderr_dropped:
        facts["stderr_dropped"] = ending.stderr_dropped
    return facts
