"""JSON values: checking, copying and bounding what crosses from workers into the flow and back."""

from __future__ import annotations

from math import isfinite
from typing import Any

MAX_DEPTH = 200

_LEAST, _BEYOND = -(2**63), 2**64
_KINDS: tuple[Any, ...] = (str, int, float, dict, list, tuple)
_UNBOUNDED = 2**62
_EASY = frozenset({bool, type(None)})


class NotJson(ValueError):
    """A value is no JSON, is nested too deeply, or is too large; the text says where and why."""


class TooLarge(NotJson):
    """A value is a JSON value, and larger than it may be."""


def json_copy(value: Any, *, max_bytes: int | None = None) -> Any:
    """Return a copy of a JSON value that shares no container with it.

    Tuples become lists, integers outside [-2^63, 2^64) binary64 floats, subclasses of JSON's types (StrEnum,
    defaultdict) those types. Structure that is shared inside the value stays shared in the copy, so the cost grows with
    what there is, not with what would be printed. Sizes are estimates: the characters of strings and 8 for everything
    else.
    Raises: NotJson; TooLarge, a class of it.
    """
    return _Copier(max_bytes if max_bytes is not None else _UNBOUNDED).copy(value, 0)


class _Copier:
    """Copies one value. The loops over containers are written out: they run once for each value of each result."""

    __slots__ = ("alive", "left", "limit", "seen")

    def __init__(self, max_bytes: int) -> None:
        self.limit = self.left = max_bytes
        self.seen: dict[int, Any] = {}
        self.alive: list[Any] = []  # stand-ins made on the way: their ids must not be used twice

    def copy(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - one way out for each kind of JSON value
        kind = type(value)
        if kind is dict:
            return self._dict(value, depth)
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is str:
            self._spend(len(value))
            return value if value.isascii() else _checked(value)
        if kind in _EASY:
            return value
        if kind is int:
            return value if _LEAST <= value < _BEYOND else _as_float(value)
        if kind is float:
            return _finite(value)
        return self._other(value, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        if depth >= MAX_DEPTH:
            raise _too_deep()
        seen, spent = self.seen, 8 * len(value) + 8
        made: dict[str, Any] = {}
        for key, item in value.items():
            name = key if type(key) is str and key.isascii() else _key(key)
            spent += len(name)
            kind = type(item)
            if kind is str:
                spent += len(item)
                made[name] = item if item.isascii() else _checked(item)
            elif kind is int:
                made[name] = item if _LEAST <= item < _BEYOND else _as_float(item)
            elif kind in _EASY:
                made[name] = item
            else:
                known = seen.get(id(item))
                made[name] = self.copy(item, depth + 1) if known is None else known
        self._spend(spent)
        seen[id(value)] = made
        return made

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        if depth >= MAX_DEPTH:
            raise _too_deep()
        seen, spent = self.seen, 8 * len(value) + 8
        made: list[Any] = []
        for item in value:
            kind = type(item)
            if kind is str:
                spent += len(item)
                made.append(item if item.isascii() else _checked(item))
            elif kind is int:
                made.append(item if _LEAST <= item < _BEYOND else _as_float(item))
            elif kind in _EASY:
                made.append(item)
            else:
                known = seen.get(id(item))
                made.append(self.copy(item, depth + 1) if known is None else known)
        self._spend(spent)
        seen[id(value)] = made
        return made

    def _other(self, value: Any, depth: int) -> Any:
        for plain in _KINDS:
            if isinstance(value, plain):
                stand_in = plain(value)
                self.alive.append(stand_in)
                return self.copy(stand_in, depth)
        raise NotJson(f"{type(value).__name__} is no JSON value")

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooLarge(f"the value is larger than {self.limit} bytes")


def _too_deep() -> NotJson:
    return NotJson(f"the value is nested deeper than {MAX_DEPTH} levels, or holds itself")


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        raise NotJson("an integer is too large for a JSON number") from None


def _finite(number: float) -> float:
    if not isfinite(number):
        raise NotJson(f"{number} is no JSON number")
    return number


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotJson(f"a string holds a lone surrogate at character {error.start}") from None
    return text


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _checked(str.__str__(key))
    raise NotJson(f"an object has the key {key!r}; keys are strings")
