"""What a worker submits, as the bytes of a body."""

from __future__ import annotations

import json
from typing import Any


def as_content(value: Any) -> tuple[bytes, str]:
    """Return the bytes and their media type: text and bytes as they are, anything else as JSON."""
    if isinstance(value, bytes):
        return value, "application/octet-stream"
    if isinstance(value, str):
        return value.encode("utf-8"), "text/plain; charset=utf-8"
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8"), "application/json"
