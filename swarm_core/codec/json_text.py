"""JSON text to values: RFC 8259, nothing silently dropped or rounded."""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

from swarm_core.codec.findings import Findings
from swarm_core.codec.limits import LIMITS, Limits
from swarm_core.codec.numbers import BadNumber, binary64, whole
from swarm_core.codec.places import Loaded, Positions, Tree
from swarm_core.codec.text import decode
from swarm_core.errors import DocumentError

# Unterminated strings match to the end, so that no quote is looked at twice.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STRUCTURE = re.compile(rf"{_STRING.pattern}|[\[\]{{}},]", re.DOTALL)
_BUT_BRACKETS = {code: None for code in range(128) if chr(code) not in "[]{}"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_HINTS = {
    "'": "JSON strings take double quotes",
    "/": "JSON has no comments",
    "#": "JSON has no comments",
    "]": "a comma before a closing bracket is not JSON",
    "}": "a comma before a closing bracket is not JSON",
}


def load_json(data: bytes, *, name: str, limits: Limits = LIMITS) -> Loaded:
    """Return the value of a JSON document; `name` is the file that problems refer to.

    Integers are kept exactly within [-2^63, 2^64). Lines and columns are worked out only when they are asked for.
    Raises: DocumentError, with every duplicate key, number and string that is wrong, or with the first error of syntax.
    """
    text = decode(data, name, limits)
    _measure(text, name, limits)
    try:
        value = _DECODER.decode(text)
    except _Suspect:
        raise _error_of(text, name) from None
    except JSONDecodeError as error:
        raise _syntax_error(text, error, name) from None
    except RecursionError:
        raise _too_deep(Findings(text, name), 0, limits) from None
    if _SURROGATE.search(text):
        _examine(text, name).raise_any()
    return Loaded(value=value, positions=Positions(text, lambda: _tree_of(text)))


class _Suspect(Exception):
    """The fast decoder met something that has to be looked at closely."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Suspect
    return found


def _integer(text: str) -> int:
    try:
        return whole(text)
    except BadNumber:
        raise _Suspect from None


def _float(text: str) -> float:
    try:
        return binary64(text)
    except BadNumber:
        raise _Suspect from None


def _constant(text: str) -> NoReturn:
    raise _Suspect


_DECODER = JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_SYNTAX_ONLY = JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def _error_of(text: str, name: str) -> DocumentError:
    """Return the error for a text that the fast decoder gave up on; the rest of it may not even be JSON."""
    try:
        _SYNTAX_ONLY.decode(text)
    except JSONDecodeError as error:
        return _syntax_error(text, error, name)
    return _examine(text, name).error()


def _examine(text: str, name: str) -> Findings:
    from swarm_core.codec.json_walk import examine

    return examine(text, name)


def _tree_of(text: str) -> Tree:
    from swarm_core.codec.json_walk import tree_of

    return tree_of(text)


def _syntax_error(text: str, error: JSONDecodeError, name: str) -> DocumentError:
    findings = Findings(text, name)
    what = error.msg[0].lower() + error.msg[1:]
    findings.add("json_syntax", f"not JSON: {what}", error.pos, hint=_HINTS.get(text[error.pos : error.pos + 1]))
    return findings.error()


def _measure(text: str, name: str, limits: Limits) -> None:
    """Refuse what is too deep or has too many values, before anything is built."""
    if text.count("[") + text.count("{") <= limits.depth and text.count(",") + limits.depth < limits.values:
        return
    bare = _STRING.sub("", text)
    if bare.count(",") + bare.count("[") + bare.count("{") >= limits.values or _depth(bare, limits) > limits.depth:
        raise _first_excess(text, name, limits)


def _depth(bare: str, limits: Limits) -> int:
    """Return how deep the brackets nest; counting ends beyond the limit."""
    depth = deepest = 0
    for mark in bare.translate(_BUT_BRACKETS):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth > limits.depth:
                break
        else:
            depth -= 1
    return deepest


def _first_excess(text: str, name: str, limits: Limits) -> DocumentError:
    """Return the error for the place where the text goes beyond a limit."""
    depth = values = 0
    for found in _STRUCTURE.finditer(text):
        mark = found.group()
        depth += (mark in "[{") - (mark in "]}")
        values += mark in "[{,"
        if depth > limits.depth:
            return _too_deep(Findings(text, name), found.start(), limits)
        if values >= limits.values:
            break
    findings = Findings(text, name)
    findings.add("too_large", f"the document has more than {limits.values:,} values", found.start())
    return findings.error()


def _too_deep(findings: Findings, offset: int, limits: Limits) -> DocumentError:
    findings.add("too_deep", f"arrays and objects nest at most {limits.depth} levels", offset)
    return findings.error()
