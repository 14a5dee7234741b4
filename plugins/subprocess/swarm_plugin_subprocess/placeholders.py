"""Texts with placeholders, such as `--model={model}`: read once, filled in for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

from attrs import frozen

from swarm_core.errors import did_you_mean

PLACEHOLDERS: Mapping[str, str] = {
    "system": "the agent's system prompt",
    "system_file": "a private file with the system prompt",
    "prompt": "the step's input",
    "model": "the agent's model",
    "tools_csv": "the agent's tools, with commas between them",
    "work_dir": "the folder that the command runs in",
    "task_id": "the task",
    "attempt": "which attempt at the task this is, from 1",
}

Values = Mapping[str, str | None]
"""What stands behind the placeholders; None for what the agent has not got."""


@frozen
class Filled:
    """A text with placeholders: `parts` are pairs of literal text and the placeholder after it, None at the end."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> frozenset[str]:
        """Return the placeholders in it."""
        return frozenset(name for _, name in self.parts if name is not None)

    @property
    def bare(self) -> str | None:
        """Return the placeholder that the whole text is, None when there is more in it."""
        return self.parts[0][1] if len(self.parts) == 1 and not self.parts[0][0] else None

    @property
    def prefix(self) -> str:
        """Return the literal text at its beginning."""
        return self.parts[0][0] if self.parts else ""

    def fill(self, values: Values) -> str | None:
        """Return the text, None when the agent has not got something that it needs."""
        if any(values[name] is None for name in self.names):
            return None
        return "".join(literal + (values[name] or "" if name else "") for literal, name in self.parts)

    def fill_what_is_there(self, values: Values) -> str:
        """Return the text; what the agent has not got is left out, with the blanks and line ends after it."""
        text, missing = "", False
        for literal, name in self.parts:
            text += literal.lstrip() if missing else literal
            missing = name is not None and values[name] is None
            text += (values[name] or "") if name else ""
        return text


def read_text(text: str) -> Filled:
    """Return a text as its parts; `{{` and `}}` stand for braces.

    Raises: ValueError, for a placeholder that is none of PLACEHOLDERS, and for a brace by itself.
    """
    try:
        found = list(Formatter().parse(text))
    except ValueError:
        raise ValueError(f"a brace stands by itself in {text[:80]!r}; {_ESCAPE}") from None
    parts = []
    for literal, name, form, conversion in found:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            written = "".join([name, f"!{conversion}" if conversion else "", f":{form}" if form else ""])
            hint = did_you_mean(name, PLACEHOLDERS, otherwise="placeholders")
            raise ValueError(f"unknown placeholder {{{written[:80]}}}; {hint}; {_ESCAPE}")
        parts.append((literal, name))
    return Filled(tuple(parts))


_ESCAPE = "a brace itself is written {{ or }}"
