"""Blueprints in Lua: a file that returns a flow or a whole Blueprint, run in a process of its own to be read."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path, PurePath
from typing import Any, ClassVar, NoReturn

from attrs import evolve

from swarm_core.codec import LIMITS, load_json
from swarm_core.contracts import BlueprintReader, Source
from swarm_core.errors import DocumentError, SpawnFailed
from swarm_core.model.problem import Problem
from swarm_plugin_lua import wire
from swarm_plugin_lua.job import Job, Reply, driven
from swarm_plugin_lua.once import run_once
from swarm_plugin_lua.spec import checked_source

TIME_LIMIT = 5.0  # seconds
MEMORY_LIMIT = 64 * 1024 * 1024
LONGEST_MESSAGE = 500

_NO_JSON = "bad_key|cyclic|mixed_table|not_a_number|not_utf8|sparse_array|too_deep|too_large|unsupported_type"
_PLACED = re.compile(rf"\A(?P<code>{_NO_JSON}) at (?P<path>\$\S*): (?P<message>.*)\Z", re.DOTALL)
_RETURN = "return a flow, a Blueprint, or {bp = flow, ctx = initial ctx}"

_logger = logging.getLogger(__name__)


class LuaReader(BlueprintReader):
    """Reads Lua, in the sandbox of Lua workers: without files, programs, clock or chance, and not for ever."""

    suffixes: ClassVar[tuple[str, ...]] = (".lua",)

    def read(self, text: bytes, *, name: str, base: Path | None) -> Source:
        """Run a Blueprint's file and return what it made, with the lines of what the builder made of it.

        Raises: DocumentError, with the line where that is known; SpawnFailed, when there is no Lua here.
        """
        label = _label(name)
        reply = _run(_source(text, name), label, _id(name))
        if reply.log:
            _logger.info("%s printed: %s", name, reply.log)
        if reply.status != "done" or not isinstance(reply.value, dict):
            _refuse(reply, label, name)
        document, places = reply.value.get("document"), reply.value.get("places")
        return Source(value=_checked(document, name), name=name, base=base, positions=_positions(places))


def _run(source: str, label: str, blueprint_id: str) -> Reply:
    job = Job(
        script=driven(label),
        input={"driver": _text("blueprint.lua"), "source": source, "name": label, "id": blueprint_id}
        | {"library": _text("builder.lua")},
        agent="",
        task_id="",
        attempt=0,
        key="",
        time_limit=TIME_LIMIT,
        memory_limit=MEMORY_LIMIT,
    )
    try:
        # Two levels more than the document has: what it is wrapped in, and the list of places beside it.
        return run_once(job, max_json=LIMITS.size, max_depth=LIMITS.depth + 2)
    except SpawnFailed as error:
        raise DocumentError([Problem(code="lua_unavailable", message=str(error))]) from None


@cache
def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _source(data: bytes, name: str) -> str:
    if not data.strip():
        raise DocumentError([Problem(code="blueprint_empty", message="the document is empty", file=name, hint=_RETURN)])
    try:
        return checked_source(data)
    except ValueError as error:
        code = "too_large" if len(data) > wire.MAX_SOURCE else "lua_error"
        raise DocumentError([Problem(code=code, message=str(error), file=name, line=1)]) from None


def _label(name: str) -> str:
    """Return the name that stands before line numbers: the file's, as far as Lua has room for it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", PurePath(name).name)[-48:] or "blueprint"


def _id(name: str) -> str:
    """Return the id of a Blueprint that says none: its file's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", PurePath(name).stem).strip("-_")[:64] or "blueprint"


def _refuse(reply: Reply, label: str, name: str) -> NoReturn:
    """Raise what kept a file from being read."""
    text, code, hint = reply.text, "lua_error", None
    if reply.status == "timeout":
        code, text = (
            "lua_timeout",
            f"{text}: no end after {TIME_LIMIT:g} s" if text else f"no end after {TIME_LIMIT:g} s",
        )
    elif reply.status == "memory":
        code, text = "lua_memory", f"more than {MEMORY_LIMIT // 1024**2} MiB of memory"
    elif reply.status == "crashed":
        code, text = "lua_crashed", f"the Lua process died: {text}"
    elif text.startswith("no_result"):
        code, text, hint = "lua_result", "the file ended without return", _RETURN
    line = re.match(rf"{re.escape(label)}:(\d+): ", text)
    if line:
        text = text[line.end() :]
    problem = Problem(code=code, message=text, hint=hint, file=name, line=int(line[1]) if line else None)
    if placed := _PLACED.match(text):
        path = placed["path"].replace("$.document", "$", 1)
        message = placed["message"] if placed["code"] != "too_deep" else f"more than {LIMITS.depth} levels"
        problem = evolve(problem, code=placed["code"], message=message, path=path)
    raise DocumentError([evolve(problem, message=problem.message[:LONGEST_MESSAGE])])


def _checked(document: Any, name: str) -> Any:
    """Return the document when it is within the limits of any other."""
    try:
        return load_json(wire.dumps(document), name=name).value
    except DocumentError as error:
        raise DocumentError([evolve(problem, line=None, column=None) for problem in error.problems]) from None


def _positions(places: Any) -> dict[str, tuple[int, int]]:
    """Return the lines of places; a process that a script has broken may write anything."""
    found = {}
    for place in places if isinstance(places, list) else []:
        match place:
            case [str(path), int(line)] if path.startswith("$") and line > 0:
                found[path] = (line, 1)
    return found
