"""Plain JSON: what a value must be before the flow computes with it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from swarm_core.model.value import MAX_DEPTH, NotJson

_LEAST, _BEYOND = -(2**63), 2**64
_EASY = frozenset((str, bool, type(None)))
_BASES: tuple[tuple[type, Any], ...] = ((int, int), (float, float), (dict, dict), (list, list), (tuple, list))


def plain_json(value: Any, *, fresh: bool = False) -> Any:
    """Return the value as plain JSON: the value itself where it is so already, else a changed copy of what must change.

    Integers outside [-2^63, 2^64) become binary64 floats, tuples become lists, subclasses of the JSON types (StrEnum,
    OrderedDict) those types. With `fresh` every container is copied, so that the result shares none with the value.
    Structure shared inside the value is looked at once. Raises: NotJson.
    """
    if type(value) in _EASY:
        return value
    return _Plain(fresh).take(value, 0)


class _Plain:
    __slots__ = ("alive", "fresh", "known")

    def __init__(self, fresh: bool) -> None:
        self.fresh = fresh
        self.known: dict[int, Any] = {}
        self.alive: list[Any] = []  # stand-ins: their ids must not be used twice

    def take(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _EASY:
            return value
        if kind is int:
            return value if _LEAST <= value < _BEYOND else _as_float(value)
        if kind is float:
            if isfinite(value):
                return value
            raise NotJson(f"{value} is no JSON number")
        if kind is dict or kind is list:
            made = self.known.get(id(value))
            return self._container(value, kind, depth) if made is None else made
        return self._other(value, depth)

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            raise NotJson(f"the value is nested deeper than {MAX_DEPTH} levels, or holds itself")
        made = value.copy() if self.fresh else value
        for key, member in value.items() if kind is dict else enumerate(value):
            if kind is dict and type(key) is not str:
                return self._odd_keys(value, depth)
            if type(member) in _EASY:
                continue
            taken = self.take(member, depth + 1)
            if taken is not member:
                if made is value:
                    made = value.copy()
                made[key] = taken
        self.known[id(value)] = made
        return made

    def _odd_keys(self, value: dict[Any, Any], depth: int) -> Any:
        for key in value:
            if not isinstance(key, str):
                raise NotJson(f"an object has a key of type {type(key).__name__}; keys are strings")
        return self._stand_in({str.__str__(key): member for key, member in value.items()}, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return str.__str__(value)
        for base, plain in _BASES:
            if isinstance(value, base):
                return self._stand_in(plain(value), depth)
        raise NotJson(f"a {type(value).__name__} is no JSON value")

    def _stand_in(self, value: Any, depth: int) -> Any:
        self.alive.append(value)
        return self.take(value, depth)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise NotJson("an integer is too large for a JSON number") from None
