"""The ledger, read: what workers really did, in the order in which they did it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import define, frozen
from crash.workers.effects import began


@frozen
class Line:
    """One line: START, END, OVERLAP (another attempt of the step was alive) or HEIR (a process left behind).

    `at` is on the machine's monotonic clock, the same for all processes. `process` tells when the process began.
    """

    kind: str
    run: str
    address: str
    attempt: int
    key: str
    pid: int
    process: str
    at: float
    result: Any = None

    @property
    def step(self) -> tuple[str, str]:
        """Return which step of which run the line is about."""
        return self.run, self.address

    @property
    def lives(self) -> bool:
        """Tell whether the process that wrote the line is still there."""
        return began(self.pid) == self.process


@define
class Ledger:
    """The ledger of one project, read on from where it was read before."""

    path: Path
    lines: list[Line]
    _read: int = 0

    @classmethod
    def at(cls, path: Path) -> Ledger:
        """Return the ledger that workers write to this file."""
        return cls(path, [])

    def fresh(self) -> list[Line]:
        """Return the lines that came since the last look."""
        try:
            size = os.stat(self.path).st_size  # noqa: PTH116 - this is asked a thousand times a second
        except FileNotFoundError:
            return []
        if size == self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        new = parse(whole.decode().splitlines())
        self.lines.extend(new)
        return new


def parse(text: Iterable[str]) -> list[Line]:
    """Return the lines of a ledger's text, without those that a kill tore: their effect was not noted."""
    return [Line(*json.loads(line)) for line in text if line.startswith("[") and line.endswith("]")]
