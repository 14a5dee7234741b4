"""JSON Pointers (RFC 6901)."""

from __future__ import annotations

import re
from typing import Any

NOWHERE: Any = object()
"""Stands for a value that is not there, where None is one."""

_INDEX = re.compile(r"0|[1-9][0-9]*\Z")


def look_up(value: Any, pointer: str) -> Any:
    """Return what a pointer leads to in a JSON value, NOWHERE when that is nothing."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return NOWHERE
    return value
