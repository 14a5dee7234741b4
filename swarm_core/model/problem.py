"""What is wrong with a document, as data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from swarm_core.model.shown import shown


class Severity(StrEnum):
    """How bad a problem is: errors refuse the document, warnings and notes do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@frozen(kw_only=True)
class Problem:
    """One thing that is wrong, where it stands, and what to do about it.

    `path` is a JSONPath-like place (`$.agents[2].kind`); `line` and `column` count from 1 and are None where the source
    has none (a document passed as data). `fix` has the JSON Patch operations (RFC 6902) that mend the document, None
    where that takes thought.
    """

    __repr__ = shown

    code: str
    message: str
    path: str = "$"
    severity: Severity = Severity.ERROR
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    fix: tuple[Mapping[str, Any], ...] | None = field(default=None, hash=False)

    @property
    def place(self) -> str:
        """Return file:line:column and path, as far as they are known."""
        parts = [str(part) for part in (self.file, self.line, self.column) if part is not None]
        return f"{':'.join(parts)}: {self.path}" if parts else self.path

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text

    def as_json(self) -> dict[str, Any]:
        """Return the problem as data; what is unknown is left out."""
        facts = {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "path": self.path,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "fix": None if self.fix is None else [dict(operation) for operation in self.fix],
        }
        return {key: value for key, value in facts.items() if value is not None}
