"""The section `[plugin.subprocess]` of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.errors import SettingsError, did_you_mean
from swarm_core.model.blueprint import SubprocessDef
from swarm_core.model.duration import parse_size
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings
from swarm_plugin_subprocess.templates import TemplateSection, template_problems

LIMITS = ("as", "core", "cpu", "fsize", "nofile", "nproc")


@frozen(kw_only=True)
class SubprocessSection:
    """The section as it is written.

    `pass_env` names variables of the engine that programs also get; `*` at the end stands for anything. `max_stdout`
    bounds what one program may print. `limits` are resource limits of each program. `any_cwd` lets a Blueprint name a
    working directory outside of its own folder. `templates` are commands that agents may name.
    """

    pass_env: tuple[str, ...] = ()
    max_stdout: str | int = "16MiB"
    limits: Mapping[str, str | int] = field(factory=dict)
    any_cwd: bool = False
    templates: Mapping[str, TemplateSection] = field(factory=dict)


@frozen(kw_only=True)
class SubprocessSettings:
    """The section, read; `max_stdout` is in bytes."""

    pass_env: tuple[str, ...]
    max_stdout: int
    limits: Mapping[str, int]
    any_cwd: bool
    templates: Mapping[str, SubprocessDef] = field(factory=dict)


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
    templates = {name: each.named(name) for name, each in section.templates.items()}
    problems += _template_problems(templates, settings)
    if problems:
        raise SettingsError.of(problems)
    return SubprocessSettings(
        pass_env=section.pass_env,
        max_stdout=max_stdout,
        limits=limits,
        any_cwd=section.any_cwd,
        templates=templates,
    )


def _template_problems(templates: Mapping[str, SubprocessDef], settings: Settings) -> Iterator[Problem]:
    file = str(settings.file) if settings.file else None
    for name, template in templates.items():
        for problem in template_problems(template, f"plugin.subprocess.templates.{name}"):
            yield evolve(problem, code="invalid_setting", file=file)


def _limit(name: str) -> Callable[[str | int], int]:
    def parse(value: str | int) -> int:
        if name not in LIMITS:
            raise ValueError(f"{name!r} is no limit; {did_you_mean(name, LIMITS)}")
        return 0 if value == 0 else parse_size(value)

    return parse
