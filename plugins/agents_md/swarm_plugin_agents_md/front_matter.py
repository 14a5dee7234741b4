"""An agent file's two parts: YAML between two lines of `---`, and the text below, which is kept byte for byte."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from swarm_core.codec import Limits, load_yaml
from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem

LIMITS = Limits(size=64 * 1024, depth=32, values=10_000, aliases=0)

_BOM = b"\xef\xbb\xbf"
_FENCE = re.compile(rb"---[ \t]*(?:\r?\n|\Z)")
_CLOSING = re.compile(rb"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)


@frozen(kw_only=True)
class Parts:
    """The front matter's fields, the line of each, and the body."""

    fields: Mapping[str, Any]
    positions: Mapping[str, tuple[int, int]]
    body: str


def has_front_matter(data: bytes) -> bool:
    """Tell whether a file begins as an agent file does; a byte order mark is looked over."""
    return _FENCE.match(data.removeprefix(_BOM)) is not None


def split(data: bytes, path: str) -> Parts:
    """Return the parts of an agent file; `path` is the file that problems name.

    Raises: DocumentError `no_frontmatter`, `frontmatter_unclosed`, `wrong_type`, `not_utf8`, or what is wrong with the
    YAML, in the lines of the file.
    """
    data = data.removeprefix(_BOM)
    opening = _FENCE.match(data)
    if opening is None:
        hint = "begin the file with a line ---, then name: and the other fields, then a line ---, then the prompt"
        raise refused("no_frontmatter", "the file does not begin with front matter", path, hint=hint)
    closing = _CLOSING.search(data, opening.end())
    if closing is None:
        hint = "put a line --- between the fields and the prompt"
        raise refused("frontmatter_unclosed", "the front matter that begins here does not end", path, hint=hint)
    body = _body(data, closing.end(), path)
    # An empty line in place of the opening one: the YAML keeps the lines that it has in the file.
    fields, positions = _fields(b"\n" + data[opening.end() : closing.start()], path)
    return Parts(fields=fields, positions=positions, body=body)


def refused(code: str, message: str, path: str, *, line: int = 1, hint: str | None = None) -> DocumentError:
    """Return the error for a file that is wrong at one place."""
    return DocumentError([Problem(code=code, message=message, file=path, line=line, hint=hint)])


def _body(data: bytes, start: int, path: str) -> str:
    try:
        return data[start:].decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        line = data.count(b"\n", 0, at) + 1
        message = f"byte {at} (0x{data[at]:02x}) is not UTF-8"
        raise refused("not_utf8", message, path, line=line, hint="save it as UTF-8") from None


def _fields(yaml: bytes, path: str) -> tuple[Mapping[str, Any], Mapping[str, tuple[int, int]]]:
    try:
        loaded = load_yaml(yaml, name=path, limits=LIMITS)
    except DocumentError as error:
        if error.problems[0].code == "blueprint_empty":
            return {}, {}
        raise DocumentError([_explained(problem) for problem in error.problems]) from None
    if loaded.value is not None and not isinstance(loaded.value, dict):
        hint = "write one field a line, such as name: reviewer"
        raise refused("wrong_type", "the front matter is no mapping of fields", path, line=2, hint=hint)
    return loaded.value or {}, loaded.positions


def _explained(problem: Problem) -> Problem:
    """Return a problem of the YAML in terms of an agent file."""
    if problem.code == "alias_limit":
        return evolve(problem, message="aliases are not read in front matter", hint="write the value out")
    if problem.code == "yaml_syntax" and "mapping values are not allowed" in problem.message:
        hint = "a text with a colon and a blank in it stands in quotes, or indented below `description: >-`"
        return evolve(problem, hint=hint)
    return problem
