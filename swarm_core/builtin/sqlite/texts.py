"""How texts stand in the file."""

from __future__ import annotations

import zlib

_LONG = 4096  # characters of a text that is worth compressing


def sound(text: str) -> str:
    """Return a text that UTF-8 can hold: lone surrogates become `\\udXXX`, which in JSON text means the same."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def packed(text: str) -> str | bytes:
    """Return a text as it is kept: compressed when it is long."""
    return sound(text) if len(text) < _LONG else zlib.compress(sound(text).encode())


def unpacked(kept: str | bytes) -> str:
    """Return the text that is kept so; raises ValueError, when it is damaged."""
    try:
        return kept if isinstance(kept, str) else zlib.decompress(kept).decode()
    except zlib.error as error:
        raise ValueError(f"a compressed text is damaged: {error}") from None
