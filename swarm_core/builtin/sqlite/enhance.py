"""Enhance settings and the enhance log, in the same file as runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from swarm_core.builtin.sqlite.part import Part
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.contracts import EnhanceLogStore, EnhanceSettingStore
from swarm_core.enhance_records import record_of, text_of
from swarm_core.errors import EnhanceLogConflict, EnhanceLogNotFound, EnhanceSettingNotFound
from swarm_core.model.enhance import EnhanceLogEntry, EnhanceSetting

_APPEND = """
    INSERT INTO enhance_log (issue_id, blueprint_id, ts_ms, body) VALUES (?, ?, ?, ?) ON CONFLICT (issue_id) DO NOTHING
"""
_ENTRIES = "SELECT issue_id, body FROM enhance_log"


class SqliteEnhanceSettingStore(EnhanceSettingStore):
    """Settings in one file."""

    def __init__(self, part: Part) -> None:
        self._part, self.url = part, part.url

    async def put(self, setting: EnhanceSetting) -> None:
        """Keep a setting; raises InvalidId, DocumentError."""
        row = (setting.id, text_of(setting))
        await self._part.write(
            lambda cursor: cursor.execute("INSERT OR REPLACE INTO enhance_settings VALUES (?, ?)", row)
        )

    async def get(self, setting_id: str) -> EnhanceSetting:
        """Return a setting; raises EnhanceSettingNotFound."""

        def question(cursor: sqlite3.Cursor) -> str:
            statement = "SELECT body FROM enhance_settings WHERE id = ?"
            row = cursor.execute(statement, (sound(setting_id),)).fetchone()
            if row is None:
                raise _no_setting(cursor, setting_id)
            return str(row[0])

        return setting_of(setting_id, await self._part.read(question), where=self.url)

    async def delete(self, setting_id: str) -> None:
        """Remove a setting; raises EnhanceSettingNotFound."""

        def job(cursor: sqlite3.Cursor) -> None:
            cursor.execute("DELETE FROM enhance_settings WHERE id = ?", (sound(setting_id),))
            if cursor.rowcount != 1:
                raise _no_setting(cursor, setting_id)

        await self._part.write(job)

    async def list(self) -> Sequence[str]:
        """Return the ids of all settings, sorted."""
        return await self._part.read(_setting_ids)


def _no_setting(cursor: sqlite3.Cursor, setting_id: str) -> EnhanceSettingNotFound:
    return EnhanceSettingNotFound(setting_id, _setting_ids(cursor))


def _setting_ids(cursor: sqlite3.Cursor) -> list[str]:
    return sorted(row[0] for row in cursor.execute("SELECT id FROM enhance_settings").fetchall())


class SqliteEnhanceLogStore(EnhanceLogStore):
    """The log in one file."""

    def __init__(self, part: Part) -> None:
        self._part, self.url = part, part.url

    async def append(self, entry: EnhanceLogEntry) -> None:
        """Keep the entry of an issue; raises EnhanceLogConflict, InvalidId, DocumentError."""
        row = (entry.issue_id, entry.blueprint_id, entry.ts_ms, text_of(entry))

        def job(cursor: sqlite3.Cursor) -> None:
            cursor.execute(_APPEND, row)
            if cursor.rowcount != 1:
                raise EnhanceLogConflict(entry.issue_id)

        await self._part.write(job)

    async def get(self, issue_id: str) -> EnhanceLogEntry:
        """Return the entry of an issue; raises EnhanceLogNotFound."""
        statement = f"{_ENTRIES} WHERE issue_id = ?"
        row = await self._part.read(lambda cursor: cursor.execute(statement, (sound(issue_id),)).fetchone())
        if row is None:
            raise EnhanceLogNotFound(issue_id)
        return entry_of(*row, where=self.url)

    async def list_all(self) -> Sequence[EnhanceLogEntry]:
        """Return all entries, the oldest first."""
        return await self._list(f"{_ENTRIES} ORDER BY ts_ms, num")

    async def list_by_blueprint(self, blueprint_id: str) -> Sequence[EnhanceLogEntry]:
        """Return the entries of one Blueprint, the oldest first."""
        return await self._list(f"{_ENTRIES} WHERE blueprint_id = ? ORDER BY ts_ms, num", sound(blueprint_id))

    async def _list(self, statement: str, *values: str) -> Sequence[EnhanceLogEntry]:
        def question(cursor: sqlite3.Cursor) -> list[EnhanceLogEntry]:
            return [entry_of(*row, where=self.url) for row in cursor.execute(statement, values).fetchall()]

        return await self._part.read_many(question)


def setting_of(setting_id: str, body: str, *, where: str | None = None) -> EnhanceSetting:
    """Return a setting as its row has it; raises StoreUnreadable."""
    return record_of(body, EnhanceSetting, f"enhance setting {setting_id!r}", where=where)


def entry_of(issue_id: str, body: str, *, where: str | None = None) -> EnhanceLogEntry:
    """Return an entry as its row has it; raises StoreUnreadable."""
    return record_of(body, EnhanceLogEntry, f"the log's entry for issue {issue_id}", where=where)
