"""Blueprints kept in this process, for as long as it lives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice

from attrs import define, field

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import BlueprintArchived, VersionConflict
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.versions import blueprint_not_found, entry_of, version_not_found


@define(eq=False)
class _Kept:
    """All there is of one Blueprint, the oldest entry first."""

    entries: list[BlueprintVersion] = field(factory=list)
    texts: dict[str, str] = field(factory=dict)
    archived: bool = False


class MemoryBlueprintStore(BlueprintStore):
    """Keeps Blueprints in dictionaries. It knows no event loop, so it outlives the swarms that use it."""

    url = "memory://"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._kept: dict[str, _Kept] = {}

    async def write_new(
        self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata
    ) -> BlueprintVersion:
        """Add a version on top of the head; raises VersionConflict, BlueprintArchived, InvalidId."""
        kept = self._kept.get(check_blueprint_id(blueprint_id), _Kept())
        head = kept.entries[-1] if kept.entries else None
        entry = entry_of(blueprint_id, text, head=head, metadata=metadata, committed_at=self._now())
        if kept.archived:
            raise BlueprintArchived(blueprint_id)
        if head is not None and head.version == entry.version:
            return head
        actual = None if head is None else head.version
        if actual != parent:
            raise VersionConflict(blueprint_id, expected=parent, actual=actual)
        self._kept[blueprint_id] = kept
        kept.entries.append(entry)
        kept.texts[entry.version] = text
        return entry

    async def read_head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Return the text of the head, and its entry; raises BlueprintNotFound, BlueprintArchived."""
        kept = self._found(blueprint_id)
        if kept.archived:
            raise BlueprintArchived(blueprint_id)
        head = kept.entries[-1]
        return kept.texts[head.version], head

    async def read_version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Return the text of a version, and the newest entry that has it; raises BlueprintNotFound."""
        kept = self._found(blueprint_id)
        newest = reversed(kept.entries)
        if version not in kept.texts:
            raise version_not_found(blueprint_id, version, (entry.version for entry in newest))
        return kept.texts[version], next(entry for entry in newest if entry.version == version)

    async def history(self, blueprint_id: str, limit: int | None = None) -> Sequence[BlueprintVersion]:
        """Return the entries of a Blueprint, the newest first; raises BlueprintNotFound."""
        newest = reversed(self._found(blueprint_id).entries)
        return list(islice(newest, None if limit is None else max(limit, 0)))

    async def list_ids(self, *, archived: bool = False) -> Sequence[str]:
        """Return the ids that are in use, sorted, or those that are archived."""
        return sorted(name for name, kept in self._kept.items() if kept.archived is archived)

    async def archive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint out of use; raises BlueprintNotFound."""
        self._found(blueprint_id).archived = True

    async def unarchive_id(self, blueprint_id: str, *, by: str) -> None:
        """Take a Blueprint into use again; raises BlueprintNotFound."""
        self._found(blueprint_id).archived = False

    async def is_archived(self, blueprint_id: str) -> bool:
        """Tell whether a Blueprint is archived; raises BlueprintNotFound."""
        return self._found(blueprint_id).archived

    async def problems(self) -> Sequence[str]:
        """Return nothing: there is nothing that could be damaged."""
        return []

    def _found(self, blueprint_id: str) -> _Kept:
        kept = self._kept.get(check_blueprint_id(blueprint_id))
        if kept is None:
            raise blueprint_not_found(blueprint_id, self._kept)
        return kept
