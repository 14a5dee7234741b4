"""The problems that a loader finds in a text."""

from __future__ import annotations

from collections.abc import Callable

from swarm_core.codec.places import Lines, Steps, place_of, shown
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem

MOST = 100


class Findings:
    """Gathers the problems of one text, with their lines and columns; MOST of them at most."""

    def __init__(self, text: str, name: str) -> None:
        self.lines, self.name = Lines(text), name
        self.found: list[tuple[int, Problem]] = []
        self.more = False

    def add(
        self, code: str, message: str, offset: int, *, steps: Callable[[], Steps] = tuple, hint: str | None = None
    ) -> None:
        """Note one problem; `steps` tells its place when it is needed."""
        if len(self.found) >= MOST:
            self.more = True
            return
        line, column = self.lines.at(offset)
        path = shown(place_of(steps()))
        problem = Problem(code=code, message=message, path=path, hint=hint, file=self.name, line=line, column=column)
        self.found.append((offset, problem))

    def duplicate(self, key: str, offset: int, first: int, steps: Callable[[], Steps]) -> None:
        """Note a key that an object has twice."""
        if len(self.found) >= MOST:
            self.more = True
            return
        line, column = self.lines.at(first)
        message = f"the key {key[:60]!r} stands here for the second time; the first is at line {line}, column {column}"
        self.add("duplicate_key", message, offset, steps=steps, hint="keep one of the two")

    def raise_any(self) -> None:
        """Raise what was found, if anything was.

        Raises: DocumentError.
        """
        if self.found:
            raise self.error()

    def error(self) -> DocumentError:
        """Return what was found, in the order of the text."""
        problems = [problem for _, problem in sorted(self.found, key=lambda found: found[0])]
        if self.more:
            problems.append(too_many(self.name))
        return DocumentError(problems)


def too_many(name: str | None = None) -> Problem:
    """Return the problem that ends a list which is cut off."""
    return Problem(code="too_many_problems", message=f"there are more problems than these {MOST}", file=name)
