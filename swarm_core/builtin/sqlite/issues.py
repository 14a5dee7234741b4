"""Issues, in the same file as runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import evolve

from swarm_core.builtin.sqlite.part import Part
from swarm_core.builtin.sqlite.texts import sound
from swarm_core.codec.compact import compact
from swarm_core.contracts import IssueStore
from swarm_core.enhance_records import check_given_status, record_of, text_of
from swarm_core.errors import IssueEnded, IssueExists, IssueLost, IssueNotFound, StoreUnreadable
from swarm_core.model.enhance import Applied, InFlight, IssuePayload, IssueStatus, Pending, Rejected, TakenIssue

_Row: TypeAlias = "tuple[Any, ...]"

_COLUMNS = "id, body, state, told, owner, attempt, until"
_FREE = "state IN ('pending', 'in_flight') AND (state = 'pending' OR until <= ?)"
_OLDEST_FREE = f"SELECT {_COLUMNS} FROM issues WHERE {_FREE} ORDER BY num LIMIT 1"
_TAKE = "UPDATE issues SET state = 'in_flight', owner = ?, attempt = ?, until = ? WHERE id = ?"
_GIVE_BACK = "UPDATE issues SET state = 'pending', owner = NULL WHERE id = ?"
_END = "UPDATE issues SET state = ?, told = ? WHERE id = ?"


class SqliteIssueStore(IssueStore):
    """A store on one file. Each write is one transaction, so an issue is taken once, however many processes ask."""

    def __init__(self, part: Part) -> None:
        self._part, self.url = part, part.url

    async def create(self, issue: IssuePayload) -> None:
        """Keep a new issue; raises IssueExists, InvalidId, DocumentError."""
        row = (issue.issue_id, text_of(issue))

        def job(cursor: sqlite3.Cursor) -> None:
            if cursor.execute("SELECT 1 FROM issues WHERE id = ?", row[:1]).fetchone():
                raise IssueExists(issue.issue_id)
            cursor.execute("INSERT INTO issues (id, body, state) VALUES (?, ?, 'pending')", row)

        await self._part.write(job)

    async def get(self, issue_id: str) -> IssuePayload:
        """Return an issue; raises IssueNotFound."""
        return self._issue(await self._row(issue_id))

    async def status(self, issue_id: str) -> IssueStatus:
        """Return where an issue stands; raises IssueNotFound."""
        row = await self._row(issue_id)
        return self._status(row)

    async def list(self) -> Sequence[tuple[str, IssueStatus]]:
        """Return the ids of all issues and where they stand, in the order in which they came."""
        statement = "SELECT id, state, told FROM issues ORDER BY num"
        rows = await self._part.read_many(lambda cursor: cursor.execute(statement).fetchall())
        return [(row[0], status_of(*row, where=self.url)) for row in rows]

    async def pop_pending(self, owner: str, *, now: float, until: float) -> TakenIssue | None:
        """Put the oldest issue that nobody has in flight and return it."""

        def oldest(cursor: sqlite3.Cursor) -> _Row | None:
            row: _Row | None = cursor.execute(_OLDEST_FREE, (now,)).fetchone()
            return row

        def job(cursor: sqlite3.Cursor) -> TakenIssue | None:
            row = oldest(cursor)
            if row is None:
                return None
            taken = TakenIssue(issue=self._issue(row), owner=owner, attempt=row[5] + 1, until=until)
            cursor.execute(_TAKE, (sound(owner), taken.attempt, until, row[0]))
            return taken

        # Whoever looks in vain, which is most of the time, holds up no writer.
        return None if await self._part.read(oldest) is None else await self._part.write(job)

    async def renew(self, taken: TakenIssue, *, until: float) -> TakenIssue:
        """Let the owner of an issue hold it until another time; raises IssueNotFound, IssueLost."""
        issue_id = taken.issue.issue_id

        def job(cursor: sqlite3.Cursor) -> None:
            row = _found(cursor, issue_id)
            if row[2] != InFlight.kind or not _is_of(row, taken):
                raise IssueLost(issue_id, taken.owner)
            cursor.execute("UPDATE issues SET until = ? WHERE id = ?", (until, issue_id))

        await self._part.write(job)
        return evolve(taken, until=until)

    async def holder(self, issue_id: str) -> TakenIssue | None:
        """Return who holds an issue that is in flight; raises IssueNotFound."""
        row = await self._row(issue_id)
        if row[2] != InFlight.kind:
            return None
        owner, attempt, until = row[4:]
        return TakenIssue(issue=self._issue(row), owner=owner, attempt=attempt, until=until)

    async def update_status(
        self, issue_id: str, status: Pending | Applied | Rejected, *, taken: TakenIssue | None = None
    ) -> None:
        """Give an issue another status; raises IssueNotFound, IssueLost, IssueEnded."""
        check_given_status(status)

        def job(cursor: sqlite3.Cursor) -> None:
            row = _found(cursor, issue_id)
            if taken is not None and not _is_of(row, taken):
                raise IssueLost(issue_id, taken.owner)
            now = self._status(row)
            if not isinstance(now, Applied | Rejected):
                _give(cursor, row[0], status)
            elif now != status:
                raise IssueEnded(issue_id, now.kind)

        await self._part.write(job)

    async def _row(self, issue_id: str) -> _Row:
        return await self._part.read(lambda cursor: _found(cursor, issue_id))

    def _issue(self, row: _Row) -> IssuePayload:
        return issue_of(*row[:2], where=self.url)

    def _status(self, row: _Row) -> IssueStatus:
        return status_of(row[0], *row[2:4], where=self.url)


def issue_of(issue_id: str, body: str, *, where: str | None = None) -> IssuePayload:
    """Return an issue as its row has it; raises StoreUnreadable."""
    return record_of(body, IssuePayload, f"issue {issue_id}", where=where)


def status_of(issue_id: str, state: str, told: str | None, *, where: str | None = None) -> IssueStatus:
    """Return an issue's status as its row has it; raises StoreUnreadable."""
    try:
        return _status(state, told)
    except (ValueError, RecursionError) as error:
        said = f"the status of issue {issue_id} does not decode: {error}"
        raise StoreUnreadable(said, where=where, hint="the others are not touched by it") from None


def _found(cursor: sqlite3.Cursor, issue_id: str) -> _Row:
    row: _Row | None = cursor.execute(f"SELECT {_COLUMNS} FROM issues WHERE id = ?", (sound(issue_id),)).fetchone()
    if row is None:
        raise IssueNotFound(issue_id)
    return row


def _is_of(row: _Row, taken: TakenIssue) -> bool:
    """Tell whether this was the issue's last taking."""
    return tuple(row[4:6]) == (sound(taken.owner), taken.attempt)


def _give(cursor: sqlite3.Cursor, issue_id: str, status: Pending | Applied | Rejected) -> None:
    if isinstance(status, Pending):
        cursor.execute(_GIVE_BACK, (issue_id,))
    else:
        told = status.new_version if isinstance(status, Applied) else status.reason
        cursor.execute(_END, (status.kind, compact(told), issue_id))


def _status(state: str, told: str | None) -> IssueStatus:
    match state, None if told is None else json.loads(told):
        case "pending", None:
            return Pending()
        case "in_flight", None:
            return InFlight()
        case "applied", str(version):
            return Applied(new_version=version)
        case "rejected", str(reason):
            return Rejected(reason=reason)
    raise ValueError(f"{state!r} with {told!r}")
