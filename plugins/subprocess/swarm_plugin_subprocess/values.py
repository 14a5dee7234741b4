"""JSON that a program printed: read as data, bounded, never a surprise later."""

from __future__ import annotations

from json import JSONDecoder
from math import isfinite
from typing import Any, NoReturn

from swarm_core.model.value import MAX_DEPTH

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text_of(data: bytes) -> str:
    """Return bytes as text; what is no UTF-8 becomes U+FFFD, everything else stays as it is."""
    return data.decode("utf-8", "replace")


def read_json(text: str) -> Any:
    """Return the one JSON value that a text is.

    Lone surrogates become U+FFFD, since no text with one can be stored or sent. Of a key that stands twice the last
    counts. Integers outside [-2^63, 2^64) are floats. Raises: ValueError, for anything else than one value, for numbers
    that JSON has not (NaN, 1e400), and for values nested deeper than the engine takes.
    """
    stripped = text.strip().removeprefix("\ufeff")
    try:
        value = _DECODER.decode(stripped)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if stripped.count("[") + stripped.count("{") > MAX_DEPTH:
        _check_depth(value)
    return _without_surrogates(value) if "\\u" in stripped else value


_SURELY_SMALL = 19  # digits, the sign counted
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _whole(text: str) -> int | float:
    """Return an integer, outside [-2^63, 2^64) as the nearest float, as flows read it."""
    if len(text) < _SURELY_SMALL:
        return int(text)
    number = int(text)
    return number if -(2**63) <= number < 2**64 else _finite(text)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


_DECODER = JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_no_constant)
