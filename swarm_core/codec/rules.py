"""What a Blueprint's own fields may hold beyond their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from swarm_core.codec.faults import Fault
from swarm_core.codec.numbers import shorten
from swarm_core.model.blueprint import (
    RETRY_CAUSES,
    SCHEMA_VERSION,
    AgentDef,
    AgentHint,
    Blueprint,
    BlueprintMetadata,
    FileOrigin,
    OperatorDef,
    RetryHint,
)
from swarm_core.model.budget import LIMITS, MOST, MOST_AMOUNT, AgentBudget, Budget, counter_fault
from swarm_core.model.duration import parse_duration
from swarm_core.model.ids import is_name

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
    (RetryHint, "on"): Rule(_causes, {"items": {"enum": list(RETRY_CAUSES)}}),
}

REST: Mapping[type, str] = {AgentHint: "extra"}
"""Classes that take any field, and the attribute that gathers those that they do not know."""

ALWAYS: frozenset[tuple[type, str]] = frozenset({(Blueprint, "schema_version")})
"""Fields that are written even where they have their default."""
