"""Problems as SARIF 2.1.0, the format in which code hosts and editors take what checkers find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from swarm_core import __version__
from swarm_core.compile.lints import LINTS
from swarm_core.model.problem import Problem, Severity

_LEVELS: Mapping[Severity, str] = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def sarif(problems: Iterable[Problem], file: str) -> dict[str, Any]:
    """Return a SARIF log with one run; problems without a file of their own are those of `file`."""
    found = list(problems)
    codes = sorted({problem.code for problem in found})
    rules = {code: at for at, code in enumerate(codes)}
    driver = {"name": "swarm check", "version": __version__, "rules": [_rule(code) for code in codes]}
    return {
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, file, rules) for problem in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    lint = LINTS.get(code)
    if lint is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": lint.summary},
        "help": {"text": f"{lint.advice}; see {lint.anchor}"},
    }


def _result(problem: Problem, file: str, rules: Mapping[str, int]) -> dict[str, Any]:
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return {
        "ruleId": problem.code,
        "ruleIndex": rules[problem.code],
        "level": _LEVELS[problem.severity],
        "message": {"text": text},
        "locations": [_location(problem, problem.file or file)],
        "properties": {key: value for key, value in problem.as_json().items() if key == "fix"},
    }


def _location(problem: Problem, file: str) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    if problem.line is not None:
        region = {"startLine": problem.line}
        physical["region"] = region if problem.column is None else {**region, "startColumn": problem.column}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": problem.path}]}


def _uri(file: str) -> str:
    """Return a file's name as a URI reference: an absolute one with its scheme, any other relative."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
