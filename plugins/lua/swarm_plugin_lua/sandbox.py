"""One script in one fresh Lua 5.4 runtime, behind the prelude.

Used in the Lua processes, and in the engine's own where the operator chose `isolation = "inproc"`; so nothing but the
standard library and lupa is imported. No Python object is within a script's reach: strings, numbers, booleans and plain
tables go in, JSON text comes out, and the four functions that the prelude is given never raise and are never handed on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from lupa import lua54  # type: ignore[import-untyped]

from swarm_plugin_lua import wire

Ask = Callable[[str, bytes], tuple[bool, Any]]
"""Answers a host function: its name and the arguments as a JSON array; True and a JSON value, or False and a text."""


def _compiled_prelude() -> bytes:
    folder = Path(__file__).parent
    values, prelude = ((folder / name).read_bytes() for name in ("values.lua", "prelude.lua"))
    source = b"local values = function(...)\n%b\nend\n%b" % (values, prelude)
    compile_it = "function(source) return string.dump(assert(load(source, '=prelude')), true) end"
    code: bytes = lua54.LuaRuntime(encoding=None).eval(compile_it)(source)
    return code


_PRELUDE = _compiled_prelude()
_STATUSES = {b"done", b"error", b"result", b"timeout", b"memory"}


class Sandbox:
    """A runtime that is ready for one script, and for one only."""

    NO_MEMORY = b'{"status":"memory"}'

    def __init__(
        self,
        ask: Ask,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_json: int = wire.MAX_JSON,
        max_depth: int = wire.MAX_DEPTH,
    ) -> None:
        self._ask = ask
        self._ceiling = 0
        self._runtime = lua54.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_deny,
            unpack_returned_tuples=True,
            max_memory=0,
        )
        given = (clock, self._confine, self._ask_host, self._decode, wire.MAX_LOG, max_json, max_depth)
        self._run, self._null = self._runtime.execute(_PRELUDE, *given, mode="b")

    def run(self, job: Mapping[str, Any]) -> bytes:
        """Run a job's script and return the reply as JSON text.

        A job has `label`, `source`, `seconds`, `memory` (bytes), `functions` (the names below `host`), `input` (the
        JSON value behind `_PROMPT` and `_CTX`), `agent`, `task_id`, `attempt`, `key` and `meta`. A reply has `status`
        and `log`, then `value` and `ok` when the status is `done`, else `text`. Statuses: `done`, `error` (the script
        raised), `result` (it returned what is no result), `timeout`, `memory`.
        """
        try:
            return self._reply(*self._execute(job))
        except (lua54.LuaMemoryError, MemoryError):
            return self.NO_MEMORY
        except lua54.LuaError as error:
            return self._reply(b"error", str(error).partition("\n")[0].encode(errors="replace"), False, b"")
        except _BadInput as error:
            return self._reply(b"error", b"input: %b" % str(error).encode(), False, b"")

    def close(self) -> None:
        """Give the runtime back."""
        # This object and the runtime know each other: without this cut only the garbage collector would free them.
        self._runtime = self._run = self._null = None

    def _execute(self, job: Mapping[str, Any]) -> tuple[bytes, bytes, bool, bytes]:
        prompt, context, arrays = self._prompt_and_context(job["input"])
        meta = self._to_lua(job["meta"])
        functions = [name.encode() for name in job["functions"]]
        self._ceiling = self._runtime.get_memory_used(total=True) + job["memory"]
        try:
            ended: tuple[bytes, bytes, bool, bytes] = self._run(
                job["label"].encode(),
                job["source"].encode(),
                job["seconds"],
                self._runtime.table_from(functions) if functions else None,
                prompt,
                context,
                arrays,
                job["agent"].encode(),
                job["task_id"].encode(),
                job["attempt"],
                job["key"].encode(),
                *meta,
            )
        finally:
            self._unconfine()
        return ended

    @staticmethod
    def _reply(status: bytes, text: bytes, ok: bool, log: bytes) -> bytes:
        if status not in _STATUSES:
            raise lua54.LuaError("the prelude gave no status")
        head = b'{"status":"%b","log":%b,' % (status, wire.dumps(log.decode(errors="replace")))
        if status == b"done":
            return head + b'"ok":%b,"value":%b}' % (b"true" if ok else b"false", text)
        return head + b'"text":%b}' % wire.dumps(text.decode(errors="replace"))

    # What the prelude calls. An exception, or an allocation that fails, would leave through C frames that expect
    # neither: so nothing is raised, and nothing is made in Lua under the script's memory limit.

    def _confine(self) -> None:
        self._runtime.set_max_memory(self._ceiling, total=True)

    def _unconfine(self) -> None:
        self._runtime.set_max_memory(0)

    def _ask_host(self, name: bytes, arguments: bytes) -> tuple[Any, ...]:
        self._unconfine()
        try:
            ok, answer = self._ask(name.decode(), arguments)
            return (True, *self._to_lua(answer)) if ok else (False, str(answer).encode(errors="replace"))
        except _BadInput as error:
            return False, str(error).encode()
        except Exception as error:
            return False, f"failed ({type(error).__name__})".encode()

    def _decode(self, text: bytes) -> tuple[Any, ...]:
        self._unconfine()
        try:
            if len(text) > wire.MAX_JSON:
                return False, b"the text is larger than %d bytes" % wire.MAX_JSON
            return True, *self._to_lua(wire.loads(text))
        except Exception:
            return False, b"the text is no JSON that Lua can hold"

    def _prompt_and_context(self, value: Any) -> tuple[bytes, Any, Any]:
        """Return the input as text and as a value, with the value's arrays; plain text has null for a value."""
        if not isinstance(value, str):
            return wire.dumps(value), *self._to_lua(value)
        prompt = _encoded(value)
        try:
            return prompt, *self._to_lua(wire.loads(value))
        except (ValueError, _BadInput):
            return prompt, *self._to_lua(None)

    def _to_lua(self, value: Any) -> tuple[Any, Any]:
        """Return a JSON value as what lupa turns into plain Lua values, and a Lua list of the arrays in it."""
        arrays: list[Any] = []
        try:
            return self._converted(value, arrays), self._runtime.table_from(arrays)
        except RecursionError:
            raise _BadInput("nested too deeply") from None

    def _converted(self, value: Any, arrays: list[Any]) -> Any:
        kind = type(value)
        if kind is str:
            return _encoded(value)
        if kind is dict:
            items = {_encoded(key): self._converted(item, arrays) for key, item in value.items()}
            return self._runtime.table_from(items)
        if kind is list:
            table = self._runtime.table_from([self._converted(item, arrays) for item in value])
            arrays.append(table)
            return table
        if kind is int and not -(2**63) <= value < 2**63:
            raise _BadInput("an integer does not fit into the 64 bits that Lua has")
        return self._null if value is None else value


class _BadInput(Exception):
    """The input cannot be told to Lua."""


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _BadInput("a text holds a lone surrogate") from None


def _deny(*_: object) -> NoReturn:
    raise AttributeError("no attributes for Lua workers")
