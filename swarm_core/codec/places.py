"""Where things stand: places such as `$.agents[0].kind`, and their lines and columns in a text."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from swarm_core.model.path import place

Steps = tuple[str | int, ...]

# A value's offset in the text, and the trees of its members or items (None for a scalar). A member stands where its key
# does, because that is what the reader of a problem looks for.
Tree = tuple[int, Any]

_LONGEST = 240
# Compiled when it is first used, not at every start.
_ROOT = r"[^.\[]*"
_STEP = r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]"
_BREAK = r"\r\n?|\n"


def place_of(steps: Steps, root: str = "$") -> str:
    """Return the text of a place: `$.agents[0].kind` for `("agents", 0, "kind")`."""
    return root + "".join(place("", step) for step in steps)


def shown(path: str) -> str:
    """Return a place that is fit for a message: the middle of a very long one is left out."""
    return path if len(path) <= _LONGEST else f"{path[: _LONGEST // 2]} ... {path[-_LONGEST // 2 :]}"


def steps_of(text: str) -> Steps:
    """Return the steps of a place below its root, as far as they can be read."""
    steps: list[str | int] = []
    root = re.match(_ROOT, text)
    at = root.end() if root else 0
    step = re.compile(_STEP)
    while found := step.match(text, at):
        name, index, key = found.groups()
        steps.append(int(index) if index is not None else name if name is not None else json.loads(key))
        at = found.end()
    return tuple(steps)


class Lines:
    """Turns offsets in a text into lines and columns, both from 1."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts: list[int] | None = None

    def at(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset."""
        if self.starts is None:
            self.starts = [0, *(found.end() for found in re.finditer(_BREAK, self.text))]
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


class Positions(Mapping[str, tuple[int, int]]):
    """Maps each place of a document to its line and column; `grow` is called when the first one is asked for."""

    def __init__(self, text: str, grow: Callable[[], Tree]) -> None:
        self._lines, self._grow = Lines(text), grow
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        """The offsets of the whole document."""
        if self._tree is None:
            self._tree = self._grow()
        return self._tree

    def __getitem__(self, place: str) -> tuple[int, int]:
        tree = self.tree
        for step in steps_of(place):
            try:
                tree = tree[1][step]
            except (LookupError, TypeError):
                raise KeyError(place) from None
        return self._lines.at(tree[0])

    def __iter__(self) -> Iterator[str]:
        waiting = [("$", self.tree)]
        while waiting:
            path, (_, below) = waiting.pop()
            yield path
            members = below.items() if isinstance(below, dict) else enumerate(below or ())
            waiting.extend((place(path, step), tree) for step, tree in reversed(list(members)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@frozen(kw_only=True, eq=False, repr=False)
class Loaded:
    """A JSON value, and where each part of it stands in its text."""

    value: Any
    positions: Positions


def locate(positions: Mapping[str, tuple[int, int]], path: str) -> tuple[int, int] | None:
    """Return the line and column of a place, or of the nearest place around it that is known."""
    if path in positions:
        return positions[path]
    steps = steps_of(path)
    for length in range(len(steps) - 1, -1, -1):
        around = place_of(steps[:length])
        if around in positions:
            return positions[around]
    return None
