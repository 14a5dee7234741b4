"""What a Blueprint's own fields may hold beyond their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from swarm_core.codec.faults import Fault
from swarm_core.codec.numbers import shorten
from swarm_core.model.blueprint import (
    LINT_LEVELS,
    ON_INVALID,
    RETRY_CAUSES,
    SCHEMA_VERSION,
    SUBPROCESS_FORMATS,
    AgentDef,
    AgentHint,
    Blueprint,
    BlueprintMetadata,
    FileOrigin,
    OperatorDef,
    RetryHint,
    SubprocessDef,
    SubprocessOutput,
    VerdictContract,
)
from swarm_core.model.budget import LIMITS, MOST, MOST_AMOUNT, AgentBudget, Budget, counter_fault
from swarm_core.model.duration import parse_duration
from swarm_core.model.ids import is_name
from swarm_core.model.path import BadPath, parse_path

_TEN_YEARS = 10 * 365 * 86400
_LABEL_LENGTH = 200
# Compiled when it is first used, not at every start.
_SEMVER = (
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z.-]+)?\Z"
)
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_NAME_HINT = "use letters, digits, '_', '.' and '-', a letter or digit first, 64 at most"
_LABEL_HINT = f"use printable characters, no blanks around them, {_LABEL_LENGTH} at most"


@frozen(eq=False, repr=False)
class Rule:
    """A check of one field's value, after its type; `schema` says the same in JSON Schema, as far as that can."""

    check: Callable[[Any], Fault | None]
    schema: Mapping[str, Any]


def _name(value: str) -> Fault | None:
    if is_name(value):
        return None
    return Fault("bad_name", f"{_quoted(value)} cannot be a name", hint=_NAME_HINT)


def _label(value: str) -> Fault | None:
    if 0 < len(value) <= _LABEL_LENGTH and value == value.strip() and value.isprintable():
        return None
    return Fault("bad_name", f"{_quoted(value)} cannot be a name", hint=_LABEL_HINT)


def _no_nul(value: str) -> Fault | None:
    return Fault("bad_path", "the path holds a NUL character") if "\0" in value else None


def _version(value: str) -> Fault | None:
    found, (major, minor, _) = re.match(_SEMVER, value), SCHEMA_VERSION.split(".")
    supported = f"this version reads {major}.{minor}.x"
    if not found:
        return Fault("schema_version", f"{_quoted(value)} is no version such as {SCHEMA_VERSION}", hint=supported)
    if found.group(1, 2) != (major, minor):
        return Fault("schema_version", f"schema_version {shorten(value)} is not supported", hint=supported)
    return None


def _duration(value: Any) -> Fault | None:
    try:
        parse_duration(value)
    except ValueError as error:
        return Fault("bad_duration", str(error))
    return None


def _duration_or_none_at_all(value: Any) -> Fault | None:
    return None if value in (0, "0", "0s") else _duration(value)


def _causes(value: tuple[str, ...]) -> Fault | None:
    for index, cause in enumerate(value):
        if cause not in RETRY_CAUSES:
            return Fault("bad_value", f"unknown cause {shorten(cause)!r}", (index,), near=(cause, RETRY_CAUSES))
    return None


def _one_of(words: tuple[str, ...], what: str) -> Rule:
    def check(value: str) -> Fault | None:
        if value in words:
            return None
        return Fault("bad_value", f"unknown {what} {_quoted(value)}", near=(value, words))

    return Rule(check, {"enum": list(words)})


def _pointer(value: str) -> Fault | None:
    if re.match(r"(/([^/~]|~[01])*)*\Z", value):
        return None
    return Fault("bad_pointer", f"{_quoted(value)} is no JSON Pointer", hint="such as /result or /items/0, RFC 6901")


def _truth(value: str) -> Fault | None:
    return _pointer(value.removeprefix("!"))


def _path(value: str) -> Fault | None:
    try:
        parse_path(value)
    except BadPath as error:
        return Fault("bad_path", str(error), hint="such as $.verdict; $ is the whole result")
    return None


def _levels(value: Mapping[str, str]) -> Fault | None:
    for code, level in value.items():
        if level not in LINT_LEVELS:
            return Fault("bad_value", f"unknown level {_quoted(level)}", (code,), near=(level, LINT_LEVELS))
    return None


def _verdicts(value: tuple[str, ...]) -> Fault | None:
    if not value:
        return Fault("bad_value", "a verdict has one value at least")
    for index, each in enumerate(value):
        if each in value[:index]:
            return Fault("bad_value", f"the value {_quoted(each)} stands twice", (index,))
    return None


def _command(value: tuple[str, ...]) -> Fault | None:
    if not value or not value[0]:
        return Fault("bad_value", "a command begins with its program", () if not value else (0,))
    for index, part in enumerate(value):
        if "\0" in part:
            return Fault("bad_value", "an argument holds a NUL character", (index,))
    return None


def _counters(value: Mapping[str, Any]) -> Fault | None:
    for name, amount in value.items():
        if (text := counter_fault(name, amount)) is not None:
            return Fault("bad_counter", text, (name,))
    return None


def _between(least: int, most: int) -> Rule:
    def check(value: int | None) -> Fault | None:
        if value is None or least <= value <= most:
            return None
        return Fault("out_of_range", f"{shorten(str(value))} is out of range: {least:,} to {most:,}")

    return Rule(check, {"minimum": least, "maximum": most})


def _quoted(text: str) -> str:
    return repr(shorten(text))


def _unless_none(rule: Rule) -> Rule:
    return Rule(lambda value: None if value is None else rule.check(value), rule.schema)


_NAME = Rule(_name, {"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"})
_LABEL = Rule(
    _label,
    {
        "minLength": 1,
        "maxLength": _LABEL_LENGTH,
        "pattern": rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?$",
    },
)
_DURATION = Rule(
    _duration,
    {"exclusiveMinimum": 0, "maximum": _TEN_YEARS, "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*$"},
)
_WAIT = Rule(
    _duration_or_none_at_all,
    {"minimum": 0, "maximum": _TEN_YEARS, "pattern": r"^(0|\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*)$"},
)

_LIMIT = _between(1, MOST)
_COUNTERS = Rule(
    _counters,
    {
        "propertyNames": {**_NAME.schema, "not": {"enum": list(LIMITS)}},
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": MOST_AMOUNT},
    },
)

LAYER_KEY = _LABEL
_POINTER = _unless_none(Rule(_pointer, {"pattern": "^(/([^/~]|~[01])*)*$"}))

RULES: Mapping[tuple[type, str], Rule] = {
    (Blueprint, "id"): _LABEL,
    (Blueprint, "schema_version"): Rule(
        _version, {"pattern": r"^0\.1\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"}
    ),
    (BlueprintMetadata, "default_run_ttl_secs"): _between(1, _TEN_YEARS),
    (FileOrigin, "path"): Rule(_no_nul, {"pattern": r"^[^\u0000]*$"}),
    (AgentDef, "name"): _NAME,
    (OperatorDef, "name"): _LABEL,
    **{(Budget, name): _unless_none(_DURATION) if name == "wall_time" else _LIMIT for name in LIMITS},
    (Budget, "counters"): _COUNTERS,
    (AgentBudget, "dispatches"): _LIMIT,
    (AgentBudget, "attempts"): _LIMIT,
    (AgentBudget, "counters"): _COUNTERS,
    (AgentHint, "timeout"): _unless_none(_DURATION),
    (AgentHint, "concurrency"): _between(1, 1_000_000),
    (RetryHint, "max_attempts"): _between(1, 1_000_000),
    (RetryHint, "backoff"): _WAIT,
    (RetryHint, "max_backoff"): _WAIT,
    (BlueprintMetadata, "lints"): Rule(_levels, {"additionalProperties": {"enum": list(LINT_LEVELS)}}),
    (VerdictContract, "values"): Rule(_verdicts, {"minItems": 1, "uniqueItems": True}),
    (VerdictContract, "path"): Rule(_path, {"pattern": r"^(\$|ctx)"}),
    (VerdictContract, "on_invalid"): _one_of(ON_INVALID, "treatment"),
    (SubprocessDef, "name"): _NAME,
    (SubprocessDef, "command"): Rule(_command, {"minItems": 1}),
    (SubprocessOutput, "format"): _one_of(SUBPROCESS_FORMATS, "format"),
    (SubprocessOutput, "result_ptr"): _POINTER,
    (SubprocessOutput, "ok_from"): _unless_none(Rule(_truth, {"pattern": "^!?(/([^/~]|~[01])*)*$"})),
    (RetryHint, "on"): Rule(_causes, {"items": {"enum": list(RETRY_CAUSES)}}),
}

REST: Mapping[type, str] = {AgentHint: "extra"}
"""Classes that take any field, and the attribute that gathers those that they do not know."""

ALWAYS: frozenset[tuple[type, str]] = frozenset({(Blueprint, "schema_version")})
"""Fields that are written even where they have their default."""
