"""Equality of JSON values: numbers as binary64, true is not 1, keys in any order."""

from __future__ import annotations

from typing import Any

from swarm_core.errors import FlowError

MAX_COMPARED = 16 * 1024 * 1024
_ABSENT = object()
_NUMBERS = (int, float)


def json_equal(a: Any, b: Any) -> bool:
    """Tell whether two plain JSON values are equal.

    Raises: FlowError of kind LimitError, after MAX_COMPARED members.
    """
    kind, other = type(a), type(b)
    if kind is other:
        if kind is dict or kind is list:
            return a is b or _deep_equal(a, b)
        if kind is not int:
            return bool(a == b)
    elif kind not in _NUMBERS or other not in _NUMBERS:
        return False
    return float(a) == float(b)


def _deep_equal(a: Any, b: Any) -> bool:
    """Compare two containers without recursion; a pair that was met before is not walked again."""
    waiting, met, left = [(a, b)], set(), MAX_COMPARED
    while waiting:
        a, b = waiting.pop()
        if len(a) != len(b):
            return False
        pair = (id(a), id(b))
        if pair in met:
            continue
        met.add(pair)
        left -= len(a)
        if left < 0:
            raise FlowError("LimitError", f"more than {MAX_COMPARED:,} members to compare", op="max_compared")
        for one, two in _pairs(a, b):
            if one is two:
                continue
            kind = type(one)
            if kind is type(two) and (kind is dict or kind is list):
                waiting.append((one, two))
            elif not json_equal(one, two):
                return False
    return True


def _pairs(a: Any, b: Any) -> Any:
    if type(a) is list:
        return zip(a, b, strict=True)
    return ((member, b.get(key, _ABSENT)) for key, member in a.items())
