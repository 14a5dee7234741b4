"""Jinja templates: how they are read, what is wrong with them, and what they give; also as a program of its own.

As a program it renders one template: JSON `{"template", "slots", "limit"}` on stdin, `{"text"}` or `{"error"}` on
stdout. It imports nothing but Jinja, whose folders are its arguments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

MARKS = ("{{", "{%", "{#")

# What takes time and space in proportion to its input, whatever the template does with it.
_PLAIN_NODES = frozenset(
    [
        "Template",
        "Output",
        "TemplateData",
        "Name",
        "Const",
        "Getattr",
        "Getitem",
        "If",
        "CondExpr",
        "Test",
        "Compare",
        "Operand",
        "And",
        "Or",
        "Not",
        "Filter",
    ]
)
_PLAIN_FILTERS = frozenset(
    [
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "e",
        "escape",
        "first",
        "float",
        "int",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "sort",
        "string",
        "title",
        "tojson",
        "trim",
        "unique",
        "upper",
    ]
)
_PLAIN_METHODS = frozenset({"items", "keys", "values"})
_OTHER_FILES = frozenset({"Extends", "Include", "Import", "FromImport"})


class TemplateFault(Exception):
    """A template is wrong, or cannot be rendered; `line` is where, None when that is not known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message, self.line = message, line
        super().__init__(message if line is None else f"line {line}: {message}")


def environment() -> SandboxedEnvironment:
    """Return what templates are read with: no files, no escaping, nothing undefined, every character kept."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, optimized=False, cache_size=0
    )


def parse(template: str) -> nodes.Template:
    """Return the tree of a template; raises TemplateFault."""
    from jinja2 import TemplateSyntaxError

    reading = environment()
    try:
        tree = reading.parse(template)
    except TemplateSyntaxError as error:
        raise TemplateFault(error.message or "the syntax is wrong", error.lineno) from None
    except RecursionError:
        raise TemplateFault("it is nested too deeply") from None
    for node in _walk(tree):
        _check(node, reading)
    return tree


def _check(node: nodes.Node, reading: SandboxedEnvironment) -> None:
    kind = type(node).__name__
    if kind in _OTHER_FILES:
        raise TemplateFault("a system prompt cannot take in other files", node.lineno)
    if kind in ("Filter", "Test"):
        name: str = getattr(node, "name", "")
        known = reading.filters if kind == "Filter" else reading.tests
        if name not in known:
            raise TemplateFault(f"there is no {kind.lower()} {name!r}", node.lineno)


def is_plain(tree: nodes.Template) -> bool:
    """Tell whether a template can be seen to be rendered in no time for a small input."""
    return _plain(tree, loops=0)


def has_loop(tree: nodes.Template) -> bool:
    """Tell whether a template repeats a part of itself."""
    return any(type(node).__name__ == "For" for node in _walk(tree))


def _plain(node: nodes.Node, loops: int) -> bool:
    from jinja2 import nodes

    if isinstance(node, nodes.For):
        if loops or node.recursive:
            return False
        loops += 1
    elif isinstance(node, nodes.Call):
        method = node.node
        if not isinstance(method, nodes.Getattr) or method.attr not in _PLAIN_METHODS or node.args or node.kwargs:
            return False
    elif isinstance(node, nodes.Filter):
        if node.name not in _PLAIN_FILTERS or node.kwargs:
            return False
    elif not isinstance(node, nodes.Tuple) and type(node).__name__ not in _PLAIN_NODES:
        return False
    return all(_plain(child, loops) for child in node.iter_child_nodes())


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    left = [node]
    while left:
        one = left.pop()
        yield one
        left.extend(one.iter_child_nodes())


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
