"""How a Blueprint stands in its file: laid out for people, and told apart by its canonical text."""

from __future__ import annotations

import json
from hashlib import sha256


def laid_out(text: str) -> bytes:
    """Return canonical text as the file's bytes: indented, where that loses nothing."""
    try:
        value = json.loads(text)
        pretty = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)
        return f"{pretty}\n".encode() if canonical(pretty.encode()) == text else text.encode()
    except (ValueError, RecursionError):
        return text.encode()


def canonical(data: bytes) -> str:
    """Return the canonical text of what a file holds; raises ValueError, RecursionError."""
    value = json.loads(data, parse_constant=_refuse)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def text_of(data: bytes, version: str) -> str | None:
    """Return the text that a file was made from, None when it was made from another one."""
    for read in (canonical, bytes.decode):
        try:
            text = read(data)
            if sha256(text.encode()).hexdigest() == version:
                return text
        except (ValueError, RecursionError):
            continue
    return None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
