"""Files by pattern: which names below a Blueprint's folder fit it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from swarm_core.builtin.files import Entry, Folder, parts_of, refuse, shown


def find(folder: Folder, pattern: Any) -> list[str]:
    """Return the paths, sorted, that a pattern fits: `*`, `?` and `[a-z]` within a name, `**` for folders in between.

    A name that begins with a dot fits only what begins with one too. A pattern without any of these is a path and is
    returned as it is; whether there is such a file shows when it is read. Links to folders are not followed.
    Raises: DocumentError, as `Folder.read` does; `too_many_refs`, when there is too much to look through.
    """
    parts = parts_of(pattern)
    if len(parts) > folder.limits.depth:
        refuse("too_many_refs", f"{shown(pattern)} goes through more than {folder.limits.depth} folders")
    fixed = next((place for place, part in enumerate(parts) if _is_pattern(part)), len(parts))
    return sorted({"/".join(found) for found in _fitting(folder, parts[:fixed], parts[fixed:], pattern)})


def _is_pattern(part: str) -> bool:
    return any(character in part for character in "*?[")


def _fitting(folder: Folder, at: list[str], patterns: list[str], whole: str) -> Iterator[list[str]]:
    """Yield the steps to what the rest of a pattern fits below the folder that the steps `at` lead to."""
    if not patterns:
        yield at
        return
    if len(at) > folder.limits.depth:
        refuse("too_many_refs", f"{shown(whole)} leads through more than {folder.limits.depth} folders")
    first, *rest = patterns
    if first == "**":
        yield from _fitting(folder, at, rest, whole)
    for entry in folder.entries(at, "/".join(at) or "."):
        if first == "**":
            if not entry.name.startswith("."):
                yield from _below(folder, at, entry, patterns, whole)
        elif fnmatchcase(entry.name, first) and entry.name.startswith(".") == first.startswith("."):
            if rest:
                yield from _below(folder, at, entry, rest, whole)
            else:
                yield [*at, entry.name]


def _below(folder: Folder, at: list[str], entry: Entry, patterns: list[str], whole: str) -> Iterator[list[str]]:
    path = [*at, entry.name]
    if entry.is_link:
        refuse("ref_symlink", f"{shown('/'.join(path))} is a symbolic link to a folder", "copy what is needed of it")
    if entry.is_folder:
        yield from _fitting(folder, path, patterns, whole)
