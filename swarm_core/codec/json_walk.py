"""A slow and thorough walk over JSON text that is well formed: where everything stands, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from json import loads
from typing import Any

from attrs import define

from swarm_core.codec.findings import Findings
from swarm_core.codec.numbers import BadNumber, binary64, no_number, whole
from swarm_core.codec.places import Steps, Tree

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]|[^\s\[\]{}:,"]++', re.DOTALL)
_CONSTANTS = frozenset({"NaN", "Infinity", "-Infinity"})
_WORDS = frozenset({"true", "false", "null"})


def tree_of(text: str) -> Tree:
    """Return the offsets of everything in the text."""
    return _Walk(text, Findings(text, "")).run()


def examine(text: str, name: str) -> Findings:
    """Return every duplicate key, bad number and lone surrogate of the text."""
    findings = Findings(text, name)
    _Walk(text, findings).run()
    return findings


@define
class _Level:
    """An open array or object: the trees of what it holds, the step to what is read now, and whether that is a key."""

    below: Any
    step: str | int = 0
    start: int = 0
    at_key: bool = False


class _Walk:
    def __init__(self, text: str, findings: Findings) -> None:
        self.text, self.findings = text, findings
        self.levels: list[_Level] = [_Level([])]

    def run(self) -> Tree:
        for found in _TOKEN.finditer(self.text):
            token, offset = found.group(), found.start()
            _TAKE.get(token[0], _Walk.scalar)(self, token, offset)
        tree: Tree = self.levels[0].below[0]
        return tree

    def string(self, token: str, offset: int) -> None:
        level = self.levels[-1]
        if not level.at_key:
            self.put(offset, None)
            self.unescaped(token, offset)
            return
        key = level.step = self.unescaped(token, offset)
        if key in level.below:
            self.findings.duplicate(key, offset, level.below[key][0], self.steps)
        level.start, level.at_key = offset, False

    def scalar(self, token: str, offset: int) -> None:
        self.put(offset, None)
        if token in _WORDS:
            return
        try:
            _read_number(token)
        except BadNumber as error:
            self.findings.add(error.code, error.message, offset, steps=self.steps, hint=error.hint)

    def open_array(self, token: str, offset: int) -> None:
        self.levels.append(_Level(self.put(offset, [])))

    def open_object(self, token: str, offset: int) -> None:
        self.levels.append(_Level(self.put(offset, {}), at_key=True))

    def close(self, token: str, offset: int) -> None:
        self.levels.pop()

    def put(self, offset: int, below: Any) -> Any:
        """Note where the value at hand stands."""
        level = self.levels[-1]
        if isinstance(level.below, list):
            level.step = len(level.below)
            level.below.append((offset, below))
        else:
            level.below[level.step] = (level.start, below)
            level.at_key = True
        return below

    def steps(self) -> Steps:
        return tuple(level.step for level in self.levels[1:])

    def unescaped(self, token: str, offset: int) -> str:
        if "\\" not in token:
            return token[1:-1]
        word: str = loads(token, strict=False)
        try:
            word.encode()
        except UnicodeEncodeError as error:
            message = f"the string holds half of a surrogate pair, U+{ord(word[error.start]):04X}"
            hint = "write the character itself, or both halves"
            self.findings.add("bad_unicode", message, offset, steps=self.steps, hint=hint)
        return word


def _read_number(token: str) -> None:
    if token in _CONSTANTS:
        raise no_number(token)
    read: Callable[[str], float] = whole if token.lstrip("-").isdigit() else binary64
    read(token)


_TAKE: dict[str, Callable[[_Walk, str, int], None]] = {
    '"': _Walk.string,
    "[": _Walk.open_array,
    "{": _Walk.open_object,
    "]": _Walk.close,
    "}": _Walk.close,
}
