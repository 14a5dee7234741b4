"""The branch of each Blueprint: its id, percent-encoded where git or a file system would not take it as it is."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import unquote

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_LONGEST = 180  # a branch is a file, and its lock has a longer name: file systems take 255 bytes
_KEPT = 100
_CUT = "%-"  # no percent-encoding holds it


def branch_of(blueprint_id: str) -> str:
    """Return the name of a Blueprint's branch; no two ids have branches that differ in case or accents only.

    An id that makes a very long name is cut, and told apart by its SHA-256.
    """
    name = "".join(_encoded(blueprint_id, place) for place in range(len(blueprint_id)))
    if len(name) <= _LONGEST:
        return name
    kept = name[:_KEPT]
    whole = kept[: kept.rindex("%")] if "%" in kept[-2:] else kept
    return f"{whole}{_CUT}{sha256(blueprint_id.encode()).hexdigest()}"


def id_of(branch: str) -> str | None:
    """Return the id that a branch's name tells, None when it is cut or none of ours."""
    try:
        blueprint_id = unquote(branch, errors="strict")
        return blueprint_id if branch_of(blueprint_id) == branch else None
    except UnicodeError:
        return None


def is_cut(branch: str) -> bool:
    """Tell whether a branch's name is that of an id which it does not tell."""
    return _CUT in branch


def _encoded(text: str, place: int) -> str:
    character = text[place]
    if character in _PLAIN or (character == "." and _may_be_a_dot(text, place)):
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _may_be_a_dot(text: str, place: int) -> bool:
    """Tell whether git takes a dot here: not at the ends, not beside another one, not in a last `.lock`."""
    around = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
    return len(around) == 2 and set(around) <= _PLAIN and text[place:] != ".lock"
