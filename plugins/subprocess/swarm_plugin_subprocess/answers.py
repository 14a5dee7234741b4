"""What a template's command printed as a result: where the answer stands in it, and whether it is a success."""

from __future__ import annotations

import re
from typing import Any

from swarm_core.errors import WorkerFailed
from swarm_core.model.blueprint import SubprocessOutput
from swarm_core.model.call import Result
from swarm_plugin_subprocess.conversation import Ending
from swarm_plugin_subprocess.listeners import facts_of, raw_result
from swarm_plugin_subprocess.pointer import NOWHERE, look_up
from swarm_plugin_subprocess.values import read_json, text_of

NOT = "!"
SHOWN = 300  # characters of an output that stand in an error

_FENCE = re.compile(r"\s*```[\w+-]*[ \t]*\r?\n(.*)\n[ \t]*```\s*\Z", re.DOTALL)


class Answer:
    """Keeps all that is printed and reads it at the end, as a template's `output` says.

    A command that failed has no answer: what it printed is told then, as far as it can be read.
    """

    def __init__(self, output: SubprocessOutput) -> None:
        self._output = output
        self._parts: list[bytes] = []

    def take(self, data: bytes) -> None:
        """Keep the bytes."""
        self._parts.append(data)

    def end(self) -> None:
        """Nothing is read before the process has ended."""

    def result(self, ending: Ending) -> Result:
        """Return the result. Raises: WorkerFailed of kind `output_not_json` or `output_pointer`."""
        text = text_of(b"".join(self._parts))
        if ending.code < 0:
            return raw_result(text, ending)
        if self._output.format == "text":
            answer = text.removesuffix("\n").removesuffix("\r")
            return Result(answer, ending.code == 0, facts_of(ending, stderr=True))
        try:
            records = read_lines(text) if self._output.format == "ndjson" else [read_fenced(text)]
        except ValueError as error:
            if ending.code:
                return raw_result(text, ending)
            raise _unread(f"the command printed no JSON ({error})", "output_not_json", text) from None
        ok = self._ok(records, text) if ending.code == 0 else False
        return Result(self._value(records, text, ok=ok), ok, facts_of(ending, stderr=True))

    def _ok(self, records: list[Any], text: str) -> bool:
        pointer = self._output.ok_from
        if pointer is None:
            return True
        found = _last(records, pointer.removeprefix(NOT))
        if pointer.startswith(NOT):
            return found is NOWHERE or found is None or found is False
        if not isinstance(found, bool):
            what = "leads nowhere" if found is NOWHERE else "leads to something else than true or false"
            raise _unread(f"ok_from {pointer!r} {what} in what the command printed", "output_pointer", text)
        return found

    def _value(self, records: list[Any], text: str, *, ok: bool) -> Any:
        pointer = self._output.result_ptr
        looked_at = records if ok else records[-1:]  # a failure is told at the end, not by what was said before it
        found = records[-1] if pointer is None else _last(looked_at, pointer)
        if found is not NOWHERE:
            return unfolded(found)
        if ok:
            raise _unread(f"result_ptr {pointer!r} leads nowhere in what the command printed", "output_pointer", text)
        return records[-1]


def read_fenced(text: str) -> Any:
    """Return the one JSON value that a text is, bare or inside a fence of three backticks; raises ValueError."""
    fence = _FENCE.match(text)
    return read_json(fence[1] if fence else text)


def read_lines(text: str) -> list[Any]:
    """Return the JSON objects among the lines of a text; other lines are passed over.

    Raises: ValueError, when there is none.
    """
    records = []
    for line in text.split("\n"):
        if line.lstrip().startswith("{"):
            try:
                records.append(read_json(line))
            except ValueError:
                continue
    if not records:
        raise ValueError("no line is a JSON object")
    return records


def unfolded(value: Any) -> Any:
    """Return the JSON object or array that a text holds, bare or inside a fence; any other value as it is."""
    if not isinstance(value, str) or not value.rstrip().endswith(("}", "]", "```")):
        return value
    try:
        read = read_fenced(value)
    except ValueError:
        return value
    return read if isinstance(read, dict | list) else value


def _last(records: list[Any], pointer: str) -> Any:
    found = (look_up(record, pointer) for record in reversed(records))
    return next((value for value in found if value is not NOWHERE), NOWHERE)


def _unread(message: str, kind: str, text: str) -> WorkerFailed:
    shown = ascii(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")
    return WorkerFailed(f"{message}: {shown}", kind=kind, hint="see 'output' of the template")
