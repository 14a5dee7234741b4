"""Fingerprints of JSON values, for telling at a replay whether a step is asked with what it was asked before.

A fingerprint is BLAKE2b over canonical JSON text (sorted keys, no blanks, ASCII), in which long strings and containers
from a size on stand as `[NaN,"their own fingerprint"]`: NaN is no JSON, so no value can look like that. What is
remembered for them makes a step cost what is new in its input, not what is in it. Fingerprints stand in journals: with
other rules every recorded run would diverge.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

_LONG = 512  # characters of a string
_LARGE = 128  # of a container inside the value; messages of a growing list are mostly above it
_WORTH_KEEPING = 512  # of the whole value, which is mostly made anew for each step
_STANDS_FOR = 48
_KEPT_AT_MOST = 64 * 1024 * 1024
_NAN = float("nan")
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


class Digests:
    """Takes fingerprints and remembers those that are worth it; what was shown to it must not be changed any more.

    It holds on to what it remembers, about 64 MiB as JSON, so that an id never comes to mean another value.
    """

    __slots__ = ("_kept", "_known")

    def __init__(self) -> None:
        self._known: dict[int, tuple[list[Any], Any]] = {}
        self._kept = 0

    def of(self, value: Any) -> str:
        """Return 16 hex digits: the same for equal JSON values, for others not.

        Values are equal when their canonical JSON texts are: the order of keys does not matter; 1, 1.0 and true differ,
        and so do 0.0 and -0.0.
        """
        kind = type(value)
        if kind is dict or kind is list:
            return self._whole(value)[:16]
        if kind is str and len(value) >= _LONG:
            return self._text(value)[1][:16]  # type: ignore[no-any-return]
        return _digest(value)[:16]

    def _whole(self, value: Any) -> str:
        known = self._known.get(id(value))
        if known is not None:
            return known[0][1]  # type: ignore[no-any-return]
        slim, size = self._slim(value)
        digest = _digest(slim)
        if size >= _WORTH_KEEPING:
            self._keep(value, digest, size)
        return digest

    def _slim(self, value: Any) -> tuple[Any, int]:
        """Return a container with its large parts replaced, and about how large it is so."""
        members, size, at = value, 8 * len(value), 0
        if type(value) is dict:
            size += len("".join(value))
            members = value.values()
        replaced: dict[int, Any] | None = None
        for member in members:
            kind = type(member)
            if kind is str:
                if len(member) < _LONG:
                    size += len(member)
                else:
                    replaced = replaced or {}
                    replaced[at] = self._text(member)
                    size += _STANDS_FOR
            elif kind is dict or kind is list:
                part, below = self._part(member)
                if part is not member:
                    replaced = replaced or {}
                    replaced[at] = part
                size += below
            at += 1  # noqa: SIM113 - enumerate() makes the walk a tenth slower
        return (value if replaced is None else _with(value, replaced)), size

    def _part(self, value: Any) -> tuple[Any, int]:
        known = self._known.get(id(value))
        if known is not None:
            return known[0], _STANDS_FOR
        slim, size = self._slim(value)
        if size < _LARGE:
            return slim, size
        return self._keep(value, _digest(slim), size), _STANDS_FOR

    def _text(self, text: str) -> list[Any]:
        known = self._known.get(id(text))
        if known is not None:
            return known[0]
        # the mark in front tells it from the JSON text of anything
        digest = blake2b(b"'" + text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self._keep(text, digest, len(text))

    def _keep(self, value: Any, digest: str, size: int) -> list[Any]:
        if self._kept > _KEPT_AT_MOST:
            self._known.clear()
            self._kept = 0
        stand_in = [_NAN, digest]
        self._known[id(value)] = (stand_in, value)
        self._kept += size
        return stand_in


def _digest(value: Any) -> str:
    return blake2b(_encode(value).encode("ascii"), digest_size=16).hexdigest()


def _with(value: Any, replaced: dict[int, Any]) -> Any:
    """Return a copy of a container with other members at some places, counted in its order."""
    if type(value) is list:
        return [replaced.get(at, member) for at, member in enumerate(value)]
    return {key: replaced.get(at, member) for at, (key, member) in enumerate(value.items())}
