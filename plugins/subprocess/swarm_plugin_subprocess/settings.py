"""The section `[plugin.subprocess]` of the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.model.duration import parse_size
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings

LIMITS = ("as", "core", "cpu", "fsize", "nofile", "nproc")


@frozen(kw_only=True)
class SubprocessSection:
    """The section as it is written.

    `pass_env` names variables of the engine that programs also get; `*` at the end stands for anything. `max_stdout`
    bounds what one program may print. `limits` are resource limits of each program. `any_cwd` lets a Blueprint name a
    working directory outside of its own folder.
    """

    pass_env: tuple[str, ...] = ()
    max_stdout: str | int = "16MiB"
    limits: Mapping[str, str | int] = field(factory=dict)
    any_cwd: bool = False


@frozen(kw_only=True)
class SubprocessSettings:
    """The section, read; `max_stdout` is in bytes."""

    pass_env: tuple[str, ...]
    max_stdout: int
    limits: Mapping[str, int]
    any_cwd: bool


def read_settings(settings: Settings) -> SubprocessSettings:
    """Return the section `[plugin.subprocess]`.

    Raises: SettingsError, with every key that is wrong.
    """
    section = settings.section("subprocess", SubprocessSection)
    problems: list[Problem] = []

    def read(key: str, parse: Callable[[Any], int], value: Any) -> int:
        try:
            return parse(value)
        except ValueError as error:
            file = str(settings.file) if settings.file else None
            problems.append(
                Problem(code="invalid_setting", message=str(error), path=f"plugin.subprocess.{key}", file=file)
            )
            return 0

    max_stdout = read("max_stdout", parse_size, section.max_stdout)
    limits = {name: read(f"limits.{name}", _limit(name), value) for name, value in section.limits.items()}
    if problems:
        raise SettingsError.of(problems)
    return SubprocessSettings(pass_env=section.pass_env, max_stdout=max_stdout, limits=limits, any_cwd=section.any_cwd)


def _limit(name: str) -> Callable[[str | int], int]:
    def parse(value: str | int) -> int:
        if name not in LIMITS:
            raise ValueError(f"{name!r} is no limit; {did_you_mean(name, LIMITS)}")
        return 0 if value == 0 else parse_size(value)

    return parse
