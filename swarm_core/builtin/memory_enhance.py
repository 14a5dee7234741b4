"""Issues, enhance settings and the enhance log kept in this process, for as long as it lives."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve

from swarm_core.contracts import EnhanceLogStore, EnhanceSettingStore, IssueStore
from swarm_core.enhance_records import check_given_status, record_of, text_of
from swarm_core.errors import (
    EnhanceLogConflict,
    EnhanceLogNotFound,
    EnhanceSettingNotFound,
    IssueEnded,
    IssueExists,
    IssueLost,
    IssueNotFound,
)
from swarm_core.model.enhance import (
    Applied,
    EnhanceLogEntry,
    EnhanceSetting,
    InFlight,
    IssuePayload,
    IssueStatus,
    Pending,
    Rejected,
    TakenIssue,
)


@define(eq=False)
class _Kept:
    """All there is of one issue; `attempt` and `until` are those of the last taking."""

    issue: IssuePayload
    status: IssueStatus
    owner: str | None = None
    attempt: int = 0
    until: float = 0.0

    def free(self, now: float) -> bool:
        """Tell whether nobody has it."""
        return isinstance(self.status, Pending) or (isinstance(self.status, InFlight) and self.until <= now)

    def is_of(self, taken: TakenIssue) -> bool:
        """Tell whether this was the last taking."""
        return (self.owner, self.attempt) == (taken.owner, taken.attempt)


class MemoryIssueStore(IssueStore):
    """Keeps issues in a dictionary. It knows no event loop, so it outlives the swarms that use it."""

    url = "memory://"

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}  # the oldest first
        self._open: dict[str, _Kept] = {}  # those that have not ended, the oldest first

    async def create(self, issue: IssuePayload) -> None:
        """Keep a new issue; raises IssueExists, InvalidId, DocumentError."""
        text_of(issue)
        if issue.issue_id in self._kept:
            raise IssueExists(issue.issue_id)
        self._kept[issue.issue_id] = self._open[issue.issue_id] = _Kept(issue, Pending())

    async def get(self, issue_id: str) -> IssuePayload:
        """Return an issue; raises IssueNotFound."""
        return self._found(issue_id).issue

    async def status(self, issue_id: str) -> IssueStatus:
        """Return where an issue stands; raises IssueNotFound."""
        return self._found(issue_id).status

    async def list(self) -> Sequence[tuple[str, IssueStatus]]:
        """Return the ids of all issues and where they stand, in the order in which they came."""
        return [(issue_id, kept.status) for issue_id, kept in self._kept.items()]

    async def pop_pending(self, owner: str, *, now: float, until: float) -> TakenIssue | None:
        """Put the oldest issue that nobody has in flight and return it."""
        kept = next((kept for kept in self._open.values() if kept.free(now)), None)
        if kept is None:
            return None
        kept.status, kept.owner, kept.until = InFlight(), owner, until
        kept.attempt += 1
        return TakenIssue(issue=kept.issue, owner=owner, attempt=kept.attempt, until=until)

    async def renew(self, taken: TakenIssue, *, until: float) -> TakenIssue:
        """Let the owner of an issue hold it until another time; raises IssueNotFound, IssueLost."""
        kept = self._found(taken.issue.issue_id)
        if not isinstance(kept.status, InFlight) or not kept.is_of(taken):
            raise IssueLost(taken.issue.issue_id, taken.owner)
        kept.until = until
        return evolve(taken, until=until)

    async def holder(self, issue_id: str) -> TakenIssue | None:
        """Return who holds an issue that is in flight; raises IssueNotFound."""
        kept = self._found(issue_id)
        if not isinstance(kept.status, InFlight) or kept.owner is None:
            return None
        return TakenIssue(issue=kept.issue, owner=kept.owner, attempt=kept.attempt, until=kept.until)

    async def update_status(
        self, issue_id: str, status: Pending | Applied | Rejected, *, taken: TakenIssue | None = None
    ) -> None:
        """Give an issue another status; raises IssueNotFound, IssueLost, IssueEnded."""
        check_given_status(status)
        kept = self._found(issue_id)
        if taken is not None and not kept.is_of(taken):
            raise IssueLost(issue_id, taken.owner)
        if isinstance(kept.status, Applied | Rejected):
            if kept.status != status:
                raise IssueEnded(issue_id, kept.status.kind)
            return
        kept.status = status
        if isinstance(status, Pending):
            kept.owner = None
        else:
            del self._open[issue_id]

    def _found(self, issue_id: str) -> _Kept:
        kept = self._kept.get(issue_id)
        if kept is None:
            raise IssueNotFound(issue_id)
        return kept


class MemoryEnhanceSettingStore(EnhanceSettingStore):
    """Keeps settings as text, so that nobody changes one that is kept."""

    url = "memory://"

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def put(self, setting: EnhanceSetting) -> None:
        """Keep a setting; raises InvalidId, DocumentError."""
        self._texts[setting.id] = text_of(setting)

    async def get(self, setting_id: str) -> EnhanceSetting:
        """Return a setting; raises EnhanceSettingNotFound."""
        self._require(setting_id)
        return record_of(self._texts[setting_id], EnhanceSetting, f"enhance setting {setting_id!r}")

    async def delete(self, setting_id: str) -> None:
        """Remove a setting; raises EnhanceSettingNotFound."""
        self._require(setting_id)
        del self._texts[setting_id]

    async def list(self) -> Sequence[str]:
        """Return the ids of all settings, sorted."""
        return sorted(self._texts)

    def _require(self, setting_id: str) -> None:
        if setting_id not in self._texts:
            raise EnhanceSettingNotFound(setting_id, self._texts)


class MemoryEnhanceLogStore(EnhanceLogStore):
    """Keeps entries as text, so that nobody changes one that is kept."""

    url = "memory://"

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}  # in the order in which they came

    async def append(self, entry: EnhanceLogEntry) -> None:
        """Keep the entry of an issue; raises EnhanceLogConflict, InvalidId, DocumentError."""
        text = text_of(entry)
        if entry.issue_id in self._texts:
            raise EnhanceLogConflict(entry.issue_id)
        self._texts[entry.issue_id] = text

    async def get(self, issue_id: str) -> EnhanceLogEntry:
        """Return the entry of an issue; raises EnhanceLogNotFound."""
        if issue_id not in self._texts:
            raise EnhanceLogNotFound(issue_id)
        return self._entry(issue_id)

    async def list_all(self) -> Sequence[EnhanceLogEntry]:
        """Return all entries, the oldest first."""
        return sorted(map(self._entry, self._texts), key=lambda entry: entry.ts_ms)

    async def list_by_blueprint(self, blueprint_id: str) -> Sequence[EnhanceLogEntry]:
        """Return the entries of one Blueprint, the oldest first."""
        return [entry for entry in await self.list_all() if entry.blueprint_id == blueprint_id]

    def _entry(self, issue_id: str) -> EnhanceLogEntry:
        return record_of(self._texts[issue_id], EnhanceLogEntry, f"the entry for issue {issue_id}")
