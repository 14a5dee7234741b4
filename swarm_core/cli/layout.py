"""Where the parts of a JSON or YAML text stand, from their first character to their last."""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import Any

from attrs import frozen

_BLANK = re.compile(r"[ \t\r\n]*")


@frozen(eq=False, repr=False)
class Part:
    """One value in a text: `start` and `end` are its offsets, `members` what it holds in order.

    `bracketed` says that it is written with brackets, as in JSON; else it is a block of YAML lines. A scalar has no
    `members`; `plain` says that it can be written anew where it stands.
    """

    start: int
    end: int
    members: tuple[Member, ...] | None = None
    is_object: bool = False
    bracketed: bool = True
    plain: bool = True

    @property
    def last(self) -> int:
        """Return the end of what is said in it: a YAML block reaches over the comments that follow it."""
        if self.bracketed or not self.members:
            return self.end
        return self.members[-1].part.last


@frozen(eq=False, repr=False)
class Member:
    """A member: its key and where that stands, or None for an array's; `start` is where the whole of it begins."""

    part: Part
    start: int
    key: str | None = None
    key_end: int = 0


def json_layout(text: str) -> Part:
    """Return the layout of JSON text that is well formed."""
    part, _ = _json_part(text, _skip(text, 0))
    return part


def yaml_layout(text: str) -> Part:
    """Return the layout of YAML text that is well formed and not deep."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _yaml_part(yaml.compose(text, Loader=loader))


# JSON --------------------------------------------------------------------------------------------------------

_DECODER = JSONDecoder()


def _json_part(text: str, at: int) -> tuple[Part, int]:
    if text[at] not in "[{":
        _, end = _DECODER.raw_decode(text, at)
        return Part(at, end), end
    is_object, members, here = text[at] == "{", [], _skip(text, at + 1)
    while text[here] not in "]}":
        member, here = _json_member(text, here, is_object=is_object)
        members.append(member)
        here = _skip(text, here)
        if text[here] == ",":
            here = _skip(text, here + 1)
    return Part(at, here + 1, tuple(members), is_object), here + 1


def _json_member(text: str, at: int, *, is_object: bool) -> tuple[Member, int]:
    if not is_object:
        part, end = _json_part(text, at)
        return Member(part, at), end
    key, key_end = _DECODER.raw_decode(text, at)
    colon = _skip(text, key_end)
    part, end = _json_part(text, _skip(text, colon + 1))
    return Member(part, at, key, key_end), end


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


# YAML --------------------------------------------------------------------------------------------------------


def _yaml_part(node: Any) -> Part:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node.value, str):
        return Part(start, end, plain=node.style not in ("|", ">"))
    if node.id == "mapping":
        members = tuple(
            Member(_yaml_part(value), key.start_mark.index, key.value, key.end_mark.index) for key, value in node.value
        )
        return Part(start, end, members, is_object=True, bracketed=bool(node.flow_style))
    items = tuple(Member(part := _yaml_part(item), part.start) for item in node.value)
    return Part(start, end, items, bracketed=bool(node.flow_style))
