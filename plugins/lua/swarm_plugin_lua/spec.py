"""What a Blueprint says about a Lua agent: which script, and how much it may take."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from swarm_core.errors import did_you_mean
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.duration import parse_duration
from swarm_plugin_lua import wire
from swarm_plugin_lua.job import Script
from swarm_plugin_lua.settings import LuaSettings, parse_memory

_NAME_LENGTH = 48  # Lua cuts the names of scripts in its messages at 60 bytes


@frozen(kw_only=True)
class LuaSpec:
    """The `spec` of an agent of kind `lua`: `fn_id`, the name of a registered script, or `source`, the script itself.

    `time_limit` and `memory_limit` make the limits of the settings smaller for this agent.
    """

    fn_id: Any = None
    source: Any = None
    time_limit: str | float | None = None
    memory_limit: str | int | None = None


@frozen(kw_only=True)
class Limits:
    """How much one run of a script may take: seconds and bytes."""

    time: float
    memory: int


def script_of(agent: AgentDef, spec: LuaSpec, settings: LuaSettings) -> Script:
    """Return the script that a spec asks for.

    Raises: ValueError, when it asks for none, for two, for one that is not registered, or for what is no script.
    """
    if spec.source is not None and spec.fn_id is not None:
        raise ValueError("lua spec: 'fn_id' and 'source' exclude each other; give one of them")
    if spec.source is not None:
        if not isinstance(spec.source, str):
            raise ValueError("lua spec: 'source' (string) required, the text of the script")
        return Script(name=agent.name[:_NAME_LENGTH], source=checked_source(spec.source.encode(errors="surrogatepass")))
    if not isinstance(spec.fn_id, str) or not spec.fn_id:
        raise ValueError("lua spec: 'fn_id' (string) required, or 'source' with the script itself")
    path = settings.scripts.get(spec.fn_id)
    if path is None:
        hint = did_you_mean(spec.fn_id, settings.scripts, otherwise="registered in [plugin.lua.scripts]")
        raise ValueError(f"fn_id {spec.fn_id!r} not registered in factory; {hint}")
    try:
        return Script(name=spec.fn_id[:_NAME_LENGTH], source=checked_source(_read(path)))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"fn_id {spec.fn_id!r}: {path.name}: {why}") from None


def time_limit_of(spec: LuaSpec, hint: AgentHint, settings: LuaSettings) -> float:
    """Return an agent's time limit in seconds: that of its hint, else of its spec, else of the settings.

    Raises: ValueError, when it cannot be read, or is above that of the settings.
    """
    limit: float = _limit("time_limit", parse_duration, spec.time_limit, hint, settings.time_limit)
    return limit


def memory_limit_of(spec: LuaSpec, hint: AgentHint, settings: LuaSettings) -> int:
    """Return an agent's memory limit in bytes, found as its time limit is.

    Raises: ValueError, when it cannot be read, or is above that of the settings.
    """
    limit: int = _limit("memory_limit", parse_memory, spec.memory_limit, hint, settings.memory_limit)
    return limit


def _limit(key: str, parse: Callable[[Any], Any], own: Any, hint: AgentHint, most: Any) -> Any:
    asked = hint.extra.get(key, own)
    if asked is None:
        return most
    if not isinstance(asked, str | int | float):
        raise ValueError(f"{key}: {asked!r} is neither a number nor a text")
    try:
        limit = parse(asked)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    if limit > most:
        raise ValueError(
            f"{key}: {asked!r} is more than this swarm allows; raise {key} in [plugin.lua], or ask for less"
        )
    return limit


def _read(path: Path) -> bytes:
    # Opened without blocking and looked at before it is read: a FIFO or a device would hold up the engine.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        return file.read(wire.MAX_SOURCE + 1)


def checked_source(source: bytes) -> str:
    """Return the text of a script.

    Raises: ValueError, when it is too large, bytecode, or no UTF-8.
    """
    if len(source) > wire.MAX_SOURCE:
        raise ValueError(f"the script is larger than {wire.MAX_SOURCE // 1024} KiB")
    if source.startswith(b"\x1b"):
        raise ValueError("the script is compiled (bytecode); give its text")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the script is not UTF-8 at byte {error.start}") from None
