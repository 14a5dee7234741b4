"""Durations and sizes as people write them."""

from __future__ import annotations

import math
import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
# Compiled when it is first used, not at every start.
_DURATION = r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\Z"
_SIZE = r"(?ai)([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?b|b|)\Z"
_LONGEST = 10 * 365 * 86400.0
_LARGEST = 2**63


def parse_duration(text: str | float) -> float:
    """Return seconds from `90`, `1.5`, `500ms`, `90s`, `5m`, `2h` or `7d`.

    Raises: ValueError, when the text is no duration, is not positive, or is longer than ten years.
    """
    if isinstance(text, str):
        match = re.match(_DURATION, text.strip())
        if not match:
            raise ValueError(f"{_shown(text)} is no duration: write seconds as a number, or a text such as 90s or 5m")
        seconds = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(text, bool):
        raise ValueError(f"{text!r} is no duration")
    else:
        seconds = float(text) if abs(text) <= _LONGEST else math.inf
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{_shown(text)} is out of range: a duration is more than 0 and at most ten years")
    return seconds


def parse_size(text: str | int) -> int:
    """Return bytes from `4096`, `64KiB`, `16 MiB` or `1GB`; a fraction of a byte is dropped.

    Raises: ValueError, when the text is no size, is less than one byte, or is 2^63 bytes or more.
    """
    size: float
    if isinstance(text, str):
        match = re.match(_SIZE, text.strip())
        if not match:
            raise ValueError(f"{_shown(text)} is no size: write bytes, or a number with KB, MB, GB, KiB, MiB or GiB")
        size = float(match[1]) * _BYTES[match[2].lower()]
    elif isinstance(text, bool):
        raise ValueError(f"{text!r} is no size")
    else:
        size = text
    if not 1 <= size < _LARGEST:
        raise ValueError(f"{_shown(text)} is out of range: a size is from 1 byte to 2^63 bytes")
    return int(size)


def _shown(value: str | float) -> str:
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of more than 19 digits"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
