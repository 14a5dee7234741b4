"""JSON Patch operations on JSON and YAML text: only what they change changes, layout and comments stay.

No edit is trusted: the new text is read again, and has to be what the same operations make of the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from swarm_core.cli.layout import Member, Part, json_layout, yaml_layout
from swarm_core.cli.patching import Unpatchable, index_of, parts, patched
from swarm_core.codec import load_json, load_yaml
from swarm_core.codec.yaml_words import plain_value
from swarm_core.errors import DocumentError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")


class Format:
    """JSON or YAML: how a text of it is read, laid out and written."""

    def __init__(self, load: Callable[..., Any], layout: Callable[[str], Part], *, is_yaml: bool) -> None:
        self._load, self.layout, self.is_yaml = load, layout, is_yaml

    def value(self, text: str) -> Any:
        """Return what a text says; raises DocumentError."""
        return self._load(text.encode(), name="<edited>").value

    def written(self, value: Any, like: str = "") -> str:
        """Return a value as it may stand in brackets; a string in the quotes of the text that it takes the place of."""
        if not self.is_yaml:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict):
            members = (f"{self.written(key)}: {self.written(each)}" for key, each in value.items())
            return f"{{{', '.join(members)}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self.written, value))}]"
        if isinstance(value, str) and _PLAIN.match(value):
            if like.startswith("'"):
                return f"'{value}'"
            if not like.startswith('"') and plain_value(value) == value:
                return value
        return json.dumps(value, ensure_ascii=False)


JSON = Format(load_json, json_layout, is_yaml=False)
YAML = Format(load_yaml, yaml_layout, is_yaml=True)
FORMATS: Mapping[str, Format] = {".json": JSON, ".yaml": YAML, ".yml": YAML}


def edited(text: str, operations: Iterable[Mapping[str, Any]], form: Format) -> str:
    """Return a text after the operations; raises Unpatchable, when they do not fit it or the result is not right."""
    operations = list(operations)
    wanted = patched(form.value(text), operations)
    try:
        for operation in operations:
            text = _EDITS[operation["op"]](text, operation, form)
        found = form.value(text)
    except (DocumentError, LookupError, ValueError) as error:
        raise Unpatchable(f"the text cannot be edited: {error}") from None
    if not same(found, wanted):
        raise Unpatchable("the edited text would not say what it should")
    return text


def same(one: Any, other: Any) -> bool:
    """Tell whether two documents are the same, types of numbers included; the order of keys does not count."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# the operations ----------------------------------------------------------------------------------------------


def _replace(text: str, operation: Mapping[str, Any], form: Format) -> str:
    part = _find(form.layout(text), parts(operation["path"]))
    if not part.plain or (part.members is not None and not part.bracketed):
        raise Unpatchable("a value of several lines is left to people")
    new = form.written(operation["value"], like=text[part.start : part.end])
    return text[: part.start] + new + text[part.end :]


def _move(text: str, operation: Mapping[str, Any], form: Format) -> str:
    source, target = parts(operation["from"]), parts(operation["path"])
    if source[:-1] != target[:-1]:
        raise Unpatchable("only a key can be moved, to another name")
    around = _find(form.layout(text), source[:-1])
    member = around.members[_index(around, source[-1])] if around.members else None
    if member is None or member.key is None:
        raise Unpatchable("only a key can be moved, to another name")
    new = form.written(target[-1], like=text[member.start : member.key_end])
    return text[: member.start] + new + text[member.key_end :]


def _add(text: str, operation: Mapping[str, Any], form: Format) -> str:
    *around, name = parts(operation["path"])
    part = _find(form.layout(text), tuple(around))
    if not part.is_object or part.members is None:
        raise Unpatchable("only an object can be added to")
    new = f"{form.written(name)}: {form.written(operation['value'])}"
    if not part.members:
        return f"{text[: part.start]}{{{new}}}{text[part.end :]}"
    last, indent = part.last if not part.bracketed else part.members[-1].part.end, _indent(text, part.members[0].start)
    if not part.bracketed:
        end = _line_end(text, last)
        before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
        return f"{before}{indent}{new}\n{text[end:]}"
    lines = "\n" in text[part.start : part.members[0].start]
    return f"{text[:last]},{f'{chr(10)}{indent}' if lines else ' '}{new}{text[last:]}"


def _remove(text: str, operation: Mapping[str, Any], form: Format) -> str:
    *around, name = parts(operation["path"])
    part = _find(form.layout(text), tuple(around))
    at = _index(part, name)
    members = part.members or ()
    return _cut_bracketed(text, members, at) if part.bracketed else _cut_lines(text, part, members, at)


_EDITS: Mapping[str, Callable[[str, Mapping[str, Any], Format], str]] = {
    "add": _add,
    "move": _move,
    "remove": _remove,
    "replace": _replace,
}


# cutting -----------------------------------------------------------------------------------------------------


def _cut_bracketed(text: str, members: tuple[Member, ...], at: int) -> str:
    member = members[at]
    if at + 1 < len(members):
        return text[: member.start] + text[members[at + 1].start :]
    start = members[at - 1].part.end if at else member.start
    return text[:start] + text[member.part.end :]


def _cut_lines(text: str, part: Part, members: tuple[Member, ...], at: int) -> str:
    """Take a member of a YAML block out with its lines; what comments stand around it stays."""
    member = members[at]
    begin = member.start if part.is_object else text.rindex("-", 0, member.start)
    line, end = _line_start(text, begin), _line_end(text, member.part.last)
    if text[line:begin].strip():
        raise Unpatchable("what begins in the middle of a line is left to people")
    if len(members) > 1:
        return text[:line] + text[end:]
    nothing = "{}" if part.is_object else "[]"
    return f"{text[:begin]}  {nothing}\n{text[end:]}"


def _find(part: Part, path: tuple[str, ...]) -> Part:
    for name in path:
        part = (part.members or ())[_index(part, name)].part
    return part


def _index(part: Part, name: str) -> int:
    members = part.members or ()
    if not part.is_object:
        return index_of(name, len(members))
    keys = [member.key for member in members]
    if name not in keys:
        raise Unpatchable(f"there is no {name!r} in the text: it comes from another file, or has an older name")
    return keys.index(name)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Return where the line after an offset begins; an offset that stands behind a line break is such a place."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return found + 1 if found >= 0 else len(text)


def _indent(text: str, at: int) -> str:
    return " " * (at - _line_start(text, at))
