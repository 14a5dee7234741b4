"""Levels: how a Blueprint, the settings and the command line want each lint to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from attrs import evolve, frozen

from swarm_core.compile.lints.catalog import LINTS, SEVERITIES
from swarm_core.errors import did_you_mean
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.path import place
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import Settings

_PLACE = "$.metadata.lints"
_FLAG = "flag"


@frozen(kw_only=True, eq=False, repr=False)
class Levels:
    """The level of every lint by code, and what is wrong with what was asked for."""

    of: Mapping[str, str]
    problems: tuple[Problem, ...] = ()

    def told(self, found: Iterable[Problem]) -> Iterator[Problem]:
        """Yield what lints found as bad as their levels say, without what is allowed."""
        for problem in found:
            severity = SEVERITIES[self.of[problem.code]]
            if severity is not None:
                yield evolve(problem, severity=severity)

    def any_told(self, codes: Iterable[str], *, denied: bool = False) -> bool:
        """Tell whether any of these lints is told at all, or, with `denied`, as an error."""
        return any(self.of[code] == "deny" if denied else self.of[code] != "allow" for code in codes)


def read_levels(blueprint: Blueprint, settings: Settings) -> Levels:
    """Return the levels: a flag's count before the Blueprint's, those before the settings', those before the defaults.

    A code that no lint has is a warning where it was asked for: another version may know it.
    """
    flags = {code: level for code, level in settings.lints.items() if settings.origins.get(f"lints.{code}") == _FLAG}
    asked = {**settings.lints, **blueprint.metadata.lints, **flags}
    known = {code: level for code, level in asked.items() if code in LINTS}
    problems = (*_unknown_in_blueprint(blueprint), *_unknown_in_settings(settings))
    return Levels(of={**DEFAULTS, **known}, problems=problems)


DEFAULTS: Mapping[str, str] = {code: lint.level for code, lint in LINTS.items()}


def unknown_lint(code: str, known: Collection[str] = tuple(LINTS)) -> tuple[str, str]:
    """Return what is wrong with a code that no lint has, and what may have been meant."""
    return f"no lint is called {code[:80]!r}; only lints have levels", did_you_mean(code[:80], known, otherwise="lints")


def _unknown_in_blueprint(blueprint: Blueprint) -> Iterator[Problem]:
    for code in blueprint.metadata.lints:
        if code not in LINTS:
            yield _unknown(code, place(_PLACE, code))


def _unknown_in_settings(settings: Settings) -> Iterator[Problem]:
    for code in settings.lints:
        if code not in LINTS:
            origin = settings.origins.get(f"lints.{code}") or (str(settings.file) if settings.file else "settings")
            yield evolve(_unknown(code, f"lints.{code}"), file=origin)


def _unknown(code: str, path: str) -> Problem:
    message, hint = unknown_lint(code)
    return Problem(code="unknown_lint", message=message, path=path, severity=Severity.WARNING, hint=hint)
