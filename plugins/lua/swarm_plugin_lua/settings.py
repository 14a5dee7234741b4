"""The section `[plugin.lua]` of the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import field, frozen

from swarm_core.errors import SettingsError
from swarm_core.model.duration import parse_duration, parse_size
from swarm_core.model.ids import is_name
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings, parse_count

T = TypeVar("T")

LEVELS = ("process", "inproc")
LEAST_MEMORY = 1024 * 1024
MOST_PROCESSES = 64


@frozen(kw_only=True)
class LuaSection:
    """The section as it is written; `scripts` maps names to paths, relative to the settings file."""

    isolation: str = "process"
    pool_size: int = field(factory=lambda: min(4, 2 * (os.cpu_count() or 1)))
    time_limit: str | float = "5s"
    memory_limit: str | int = "64MiB"
    scripts: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class LuaSettings:
    """The section, read: the limits are those of scripts that ask for none, and the most that a Blueprint may ask for.

    `time_limit` is in seconds, `memory_limit` in bytes; `scripts` maps names to files.
    """

    isolation: str
    pool_size: int
    time_limit: float
    memory_limit: int
    scripts: Mapping[str, Path]


def read_settings(settings: Settings) -> LuaSettings:
    """Return the section `[plugin.lua]`.

    Raises: SettingsError, with every key that is wrong.
    """
    section = settings.section("lua", LuaSection)
    problems: list[Problem] = []

    def value(key: str, parse: Callable[[Any], T]) -> Any:
        try:
            return parse(getattr(section, key))
        except ValueError as error:
            problems.append(_problem(settings, key, str(error)))
            return None

    folder = settings.file.parent if settings.file else Path()
    read = LuaSettings(
        isolation=value("isolation", _level),
        pool_size=value("pool_size", _pool_size),
        time_limit=value("time_limit", parse_duration),
        memory_limit=value("memory_limit", parse_memory),
        scripts=value("scripts", lambda scripts: _scripts(scripts, folder)),
    )
    if problems:
        raise SettingsError.of(problems)
    return read


def parse_memory(text: str | int) -> int:
    """Return bytes from a size as people write it.

    Raises: ValueError, when it is no size or too small for any script.
    """
    size = parse_size(text)
    if size < LEAST_MEMORY:
        raise ValueError(f"{text!r} is too little for any script; 1MiB is the least")
    return size


def _level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError(f"{text!r} is no isolation; write {' or '.join(map(repr, LEVELS))}")
    return text


def _pool_size(value: int) -> int:
    size = parse_count(value)
    if size > MOST_PROCESSES:
        raise ValueError(f"{size} Lua processes are too many; {MOST_PROCESSES} at most")
    return size


def _scripts(scripts: Mapping[str, str], folder: Path) -> dict[str, Path]:
    for name in scripts:
        if not is_name(name):
            raise ValueError(f"{name!r} cannot name a script: use letters, digits, '_', '.' and '-', 64 at most")
    return {name: folder / path for name, path in scripts.items()}


def _problem(settings: Settings, key: str, message: str) -> Problem:
    return Problem(
        code="invalid_setting",
        message=message,
        path=f"plugin.lua.{key}",
        file=str(settings.file) if settings.file else None,
    )
