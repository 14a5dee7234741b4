"""Jinja templates: how they are read, and what they give; also as a program of its own.

As a program it renders one template: JSON `{"template", "slots", "limit"}` on stdin, `{"text"}` or `{"error"}` on
stdout. It imports nothing but Jinja, whose folders are its arguments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

_OTHER_FILES = ("Extends", "Include", "Import", "FromImport")
_SIMPLE = frozenset({"Template", "Output", "TemplateData", "Name", "Const", "Getattr", "Getitem"})


class TemplateFault(Exception):
    """A template is wrong, or cannot be rendered."""


def environment() -> SandboxedEnvironment:
    """Return what templates are read with: no files, no escaping, nothing undefined, every character kept."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, optimized=False, cache_size=0
    )


def is_simple(template: str) -> bool:
    """Tell whether a template only puts values in their places; raises TemplateFault for one that is wrong."""
    from jinja2 import TemplateSyntaxError

    reading = environment()
    try:
        tree = reading.parse(template)
        reading.compile(template)
    except TemplateSyntaxError as error:
        raise TemplateFault(f"line {error.lineno}: {error.message}") from None
    except RecursionError:
        raise TemplateFault("it is nested too deeply") from None
    return _simple(tree)


def _simple(tree: nodes.Template) -> bool:
    left: list[Any] = [tree]
    simple = True
    while left:
        node = left.pop()
        name = type(node).__name__
        if name in _OTHER_FILES:
            raise TemplateFault(f"line {node.lineno}: a system prompt cannot take in other files")
        simple = simple and name in _SIMPLE
        left.extend(node.iter_child_nodes())
    return simple


def rendered(template: str, slots: Mapping[str, Any], limit: int) -> str:
    """Return what a template gives for its slots, `limit` characters at most; raises TemplateFault."""
    from jinja2 import TemplateError

    pieces, size = [], 0
    try:
        for piece in environment().from_string(template).generate(slots):
            size += len(piece)
            if size > limit:
                raise TemplateFault(f"it gives more than {limit:,} characters")
            pieces.append(piece)
    except TemplateError as error:
        raise TemplateFault(error.message or type(error).__name__) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise TemplateFault(f"{type(error).__name__}: {error}"[:1000]) from None
    return "".join(pieces)


def main() -> None:
    """Render what stands on stdin."""
    sys.path.extend(sys.argv[1:])
    order = json.load(sys.stdin.buffer)
    try:
        answer = {"text": rendered(order["template"], order["slots"], order["limit"])}
    except TemplateFault as error:
        answer = {"error": str(error)}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
