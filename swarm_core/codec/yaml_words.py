"""Plain YAML scalars: the core schema of YAML 1.2, minus what people read in two ways.

`no`, `on`, `yes`, `1:30`, `1_000`, `0b1` and dates are strings. `0x1F` is 31 and `0o17` is 15. A decimal integer with a
zero in front (`017`) is refused: YAML 1.1 took it for octal, 1.2 takes it for decimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from swarm_core.codec.numbers import BadNumber, binary64, no_number, whole

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]++(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_NUMERIC = frozenset("+-.0123456789")


def plain_value(text: str) -> Any:
    """Return what an unquoted scalar stands for.

    Raises: BadNumber.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC:
        for pattern, read in _NUMBERS:
            if pattern.match(text):
                return read(text)
    return text


def _decimal(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0":
        hint = f'write {digits.lstrip("0") or "0"}, 0o17 for octal, or "{text[:40]}" for a string'
        raise BadNumber("bad_number", f"{text[:40]} may be read as decimal or as octal", hint)
    return whole(text)


def _no_number(text: str) -> Any:
    raise no_number(text)


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (_INTEGER, _decimal),
    (_OCTAL, lambda text: whole(text[2:], 8)),
    (_HEX, lambda text: whole(text[2:], 16)),
    (_FLOAT, binary64),
    (_NO_NUMBER, _no_number),
)
