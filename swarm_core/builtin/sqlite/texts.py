"""How texts and JSON values stand in the file."""

from __future__ import annotations

import json
from typing import Any

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def sound(text: str) -> str:
    """Return a text that UTF-8 can hold: lone surrogates become `\\udXXX`, which in JSON text means the same."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def encoded(value: Any) -> str:
    """Return a JSON value as text."""
    return sound(_compact(value))
