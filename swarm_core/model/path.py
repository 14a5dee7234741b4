"""Paths: `$.plan["any key"].steps[-1]`, the language's way to say where a value stands.

The root is `$` or `ctx`. Then follow segments: `.name` (anything without `.` and `[`), `["any key"]` (without `"`), and
`[0]` or `[-1]`, an element of an array counted from its start or its end. A dot may stand before a bracket.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_SEGMENTS = 1_000

Segment = str | int

_ROOT = re.compile(r"\$|ctx")
_NAME = re.compile(r"[^.\[]+")
_KEY = re.compile(r'\["([^"]+)"\]')
_INDEX = re.compile(r"\[(0|-?[1-9][0-9]{0,14})\]")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,79}\Z")


class BadPath(ValueError):
    """A text is no path; `column`, from 1, says where it stops being one."""

    def __init__(self, text: str, column: int, reason: str) -> None:
        self.text, self.column, self.reason = text, column, reason
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        super().__init__(f"malformed path {shown!r} at column {column}: {reason}")


def parse_path(text: str) -> tuple[Segment, ...]:
    """Return the segments of a path below the root: object keys as str, array indexes as int.

    Raises: BadPath.
    """
    root = _ROOT.match(text)
    if not root:
        raise BadPath(text, 1, "a path begins with '$' or 'ctx'")
    if "\0" in text:
        raise BadPath(text, text.index("\0") + 1, "a path holds no NUL character")
    segments: list[Segment] = []
    at = root.end()
    while at < len(text):
        if len(segments) >= MAX_SEGMENTS:
            raise BadPath(text, at + 1, f"a path has at most {MAX_SEGMENTS:,} segments")
        segment, at = _segment(text, at)
        segments.append(segment)
    return tuple(segments)


def _segment(text: str, at: int) -> tuple[Segment, int]:
    if text[at] == ".":
        at += 1
        if name := _NAME.match(text, at):
            return name.group(), name.end()
        if not text.startswith("[", at):
            raise BadPath(text, at + 1, "a name is missing after '.'")
    if text[at] != "[":
        raise BadPath(text, at + 1, "expected '.', '[' or the end")
    if key := _KEY.match(text, at):
        return key.group(1), key.end()
    if index := _INDEX.match(text, at):
        return int(index.group(1)), index.end()
    raise BadPath(text, at + 1, 'a bracket holds a quoted key (["key"]) or an index ([0], [-1])')


def place(parent: str, key: Any) -> str:
    """Return the place of a member in a document: `$.children[2]`, `$.extra["odd key"]`."""
    if isinstance(key, int):
        return f"{parent}[{key}]"
    text = str(key)
    if _PLAIN.match(text):
        return f"{parent}.{text}"
    return f"{parent}[{json.dumps(text if len(text) <= 80 else text[:77] + '...', ensure_ascii=False)}]"
