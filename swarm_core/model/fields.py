"""What the fields of nodes and expressions may hold, apart from nodes and expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from swarm_core.errors import did_you_mean
from swarm_core.model.nodes import MAX_LOOP, Holds, Join, Path
from swarm_core.model.path import BadPath, parse_path
from swarm_core.model.value import NotJson, json_copy

_JOINS = tuple(str(join) for join in Join)


class Unfit(ValueError):
    """A value does not fit its field; has what a Problem needs to know."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(message)


def wrong_type(expected: str, got: Any, hint: str | None = None) -> Unfit:
    """Return the error for a value of another JSON type than expected."""
    return Unfit("wrong_type", f"expected {expected}, got {type_name(got)}", hint)


def type_name(value: Any) -> str:
    """Return what people call the JSON type of a value, with the value where it is short."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    names: Mapping[type, str] = {dict: "an object", list: "an array"}
    return names.get(type(value), f"a {type(value).__name__}")


def shown(value: Any) -> str:
    """Return a scalar as it may stand in a message: in quotes when it is a string, and never long."""
    if isinstance(value, int) and value.bit_length() > 256:
        return "of more than 77 digits"
    if isinstance(value, str) and len(value) > 40:
        return f"{value[:37]!r}..."
    return repr(value)


def read_string(value: Any) -> str:
    """Return the value when it is a string."""
    if type(value) is str:
        return value
    raise wrong_type("a string", value)


def read_path_text(value: Any) -> str:
    """Return the value when it is a path."""
    if type(value) is not str:
        raise wrong_type("a path string", value, "for example '$.plan.steps'")
    try:
        parse_path(value)
    except BadPath as error:
        raise Unfit("bad_path", str(error)) from None
    return value


def read_path(value: Any) -> Path:
    """Return a path as the expression that reads it."""
    return _path_of(read_path_text(value))


@lru_cache(maxsize=4_096)
def _path_of(text: str) -> Path:
    """Return the one expression for a path: a flow names the same few again and again."""
    return Path(at=text)


def read_json(value: Any) -> Any:
    """Return a copy of a JSON value."""
    try:
        return json_copy(value)
    except NotJson as error:
        raise Unfit("too_deep" if "nested" in str(error) else "bad_value", str(error)) from None


def read_count(value: Any) -> int:
    """Return the value when it is an integer from 0."""
    return _integer(value, 0)


def read_lanes(value: Any) -> int:
    """Return the value when it is an integer from 1."""
    return _integer(value, 1)


def _integer(value: Any, least: int) -> int:
    expected = f"an integer from {least} to {MAX_LOOP}"
    if type(value) is not int:
        raise wrong_type(expected, value)
    if least <= value <= MAX_LOOP:
        return value
    raise Unfit("out_of_range", f"expected {expected}, got {shown(value)}")


def read_join(value: Any) -> Join:
    """Return the join of that name."""
    if type(value) is not str:
        raise wrong_type("a string", value)
    if value in _JOINS:
        return Join(value)
    raise Unfit("unknown_join", f"unknown join {shown(value)}", did_you_mean(value[:80], _JOINS, otherwise="joins"))


READERS: Mapping[Holds, Callable[[Any], Any]] = {
    Holds.STRING: read_string,
    Holds.PATH_TEXT: read_path_text,
    Holds.PATH: read_path,
    Holds.JSON: read_json,
    Holds.COUNT: read_count,
    Holds.LANES: read_lanes,
    Holds.JOIN: read_join,
}
