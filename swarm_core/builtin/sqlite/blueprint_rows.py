"""Blueprints and their versions as they stand in the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from swarm_core.codec import structure, unstructure
from swarm_core.codec.compact import compact
from swarm_core.errors import BlueprintArchived, DocumentError, StoreUnreadable
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.versions import blueprint_not_found, version_not_found, version_of

_COLUMNS = "number, version, parents, committed_at, label, said"
_INSERT = f"INSERT INTO blueprint_versions (blueprint, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_NEWEST = f"SELECT {_COLUMNS} FROM blueprint_versions WHERE blueprint = ? ORDER BY number DESC LIMIT ?"
_ONE = f"SELECT {_COLUMNS} FROM blueprint_versions WHERE blueprint = ? AND version = ? ORDER BY number DESC LIMIT 1"
_COMPARED = 1000  # ids or versions that are compared with what was asked for
_UNTOUCHED = "the others are not touched by it; restore a backup to have it back"

_WRONG = (
    (
        "an entry without its text",
        "SELECT DISTINCT version FROM blueprint_versions WHERE version NOT IN (SELECT version FROM blueprint_texts)",
    ),
    (
        "an entry of no Blueprint",
        "SELECT DISTINCT blueprint FROM blueprint_versions WHERE blueprint NOT IN (SELECT num FROM blueprint_ids)",
    ),
    (
        "a Blueprint with gaps between its entries",
        "SELECT id FROM blueprint_ids WHERE num NOT IN (SELECT blueprint FROM blueprint_versions"
        " GROUP BY blueprint HAVING min(number) = 1 AND max(number) = count(*))",
    ),
)


def find(cursor: sqlite3.Cursor, blueprint_id: str) -> tuple[int, bool] | None:
    """Return the number under which a Blueprint stands in the other tables, and whether it is archived."""
    statement = "SELECT num, archived_at IS NOT NULL FROM blueprint_ids WHERE id = ?"
    row = cursor.execute(statement, (blueprint_id,)).fetchone()
    return None if row is None else (int(row[0]), bool(row[1]))


def require(cursor: sqlite3.Cursor, blueprint_id: str, *, in_use: bool = False) -> int:
    """Return the number of a Blueprint that is there; raises BlueprintNotFound, BlueprintArchived."""
    found = find(cursor, blueprint_id)
    if found is None:
        known = cursor.execute("SELECT id FROM blueprint_ids ORDER BY num DESC LIMIT ?", (_COMPARED,)).fetchall()
        raise blueprint_not_found(blueprint_id, [row[0] for row in known])
    number, archived = found
    if in_use and archived:
        raise BlueprintArchived(blueprint_id)
    return number


def head(cursor: sqlite3.Cursor, blueprint_id: str, number: int) -> BlueprintVersion:
    """Return the newest entry of a Blueprint; raises StoreUnreadable, when it has none."""
    found = newest(cursor, blueprint_id, number, 1)
    if not found:
        raise StoreUnreadable(f"blueprint {blueprint_id!r} has no entry", hint=_UNTOUCHED)
    return found[0]


def newest(cursor: sqlite3.Cursor, blueprint_id: str, number: int, limit: int) -> list[BlueprintVersion]:
    """Return the newest entries of a Blueprint; a negative limit is none."""
    return [_entry(blueprint_id, row) for row in cursor.execute(_NEWEST, (number, limit)).fetchall()]


def one(cursor: sqlite3.Cursor, blueprint_id: str, number: int, version: str) -> BlueprintVersion:
    """Return the newest entry that has a version; raises BlueprintNotFound."""
    row = cursor.execute(_ONE, (number, version)).fetchone()
    if row is not None:
        return _entry(blueprint_id, row)
    known = [entry.version for entry in newest(cursor, blueprint_id, number, _COMPARED)]
    raise version_not_found(blueprint_id, version, known)


def text_of(cursor: sqlite3.Cursor, entry: BlueprintVersion) -> str:
    """Return the text of an entry; raises StoreUnreadable, when it is not the one that was kept."""
    row = cursor.execute("SELECT body FROM blueprint_texts WHERE version = ?", (entry.version,)).fetchone()
    what = f"version {entry.version[:12]} of blueprint {entry.blueprint_id!r}"
    if row is None:
        raise StoreUnreadable(f"{what} has no text", hint=_UNTOUCHED)
    text = str(row[0])
    if version_of(text) != entry.version:
        raise StoreUnreadable(f"{what} is not the text that was kept", hint=_UNTOUCHED)
    return text


def add(cursor: sqlite3.Cursor, number: int | None, text: str, entry: BlueprintVersion) -> None:
    """Write an entry, and its text unless that is there; a Blueprint that is not there yet has no number."""
    if number is None:
        cursor.execute("INSERT INTO blueprint_ids (id) VALUES (?)", (entry.blueprint_id,))
        number = cursor.lastrowid or 0
    cursor.execute("INSERT OR IGNORE INTO blueprint_texts VALUES (?, ?)", (entry.version, text))
    parents, said = compact(list(entry.parents)), compact(unstructure(entry.metadata))
    row = (number, entry.number, entry.version, parents, entry.committed_at, entry.label, said)
    cursor.execute(_INSERT, row)


def problems_of(cursor: sqlite3.Cursor) -> Iterator[str]:
    """Yield what is wrong with the Blueprints, a sentence each."""
    for what, statement in _WRONG:
        for (found,) in cursor.execute(f"{statement} LIMIT 100").fetchall():
            yield f"there is {what}: {found}"
    for version, body in cursor.execute("SELECT version, body FROM blueprint_texts"):
        if version_of(str(body)) != version:
            yield f"the text of version {version} is not the one that was kept"


def _entry(blueprint_id: str, row: tuple[Any, ...]) -> BlueprintVersion:
    number, version, parents, committed_at, label, said = row
    try:
        return BlueprintVersion(
            blueprint_id=blueprint_id,
            version=version,
            number=number,
            parents=tuple(json.loads(parents)),
            committed_at=committed_at,
            label=label,
            metadata=structure(json.loads(said), CommitMetadata),
        )
    except (ValueError, TypeError, DocumentError, RecursionError) as error:
        what = f"entry {number} of blueprint {blueprint_id!r} does not decode: {error}"
        raise StoreUnreadable(what, hint=_UNTOUCHED) from None
