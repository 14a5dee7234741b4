"""What is asked of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from swarm_core.errors import BlueprintArchived, BlueprintNotFound, StoreUnreadable
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion
from swarm_core.versions import blueprint_not_found, version_not_found
from swarm_plugin_git.checkup import problems_of
from swarm_plugin_git.names import branch_of, id_of, is_cut
from swarm_plugin_git.repository import Repository
from swarm_plugin_git.trouble import unreadable

_HEADS = 256


class Nothing:
    """Answers what is asked of a repository that nobody has made yet."""

    def head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Say that there is none."""
        raise blueprint_not_found(check_blueprint_id(blueprint_id), ())

    def version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Say that there is none."""
        return self.head(blueprint_id)

    def entries(self, blueprint_id: str, limit: int | None) -> Sequence[BlueprintVersion]:
        """Say that there are none."""
        return [self.head(blueprint_id)[1]]

    def is_archived(self, blueprint_id: str) -> bool:
        """Say that there is none."""
        return bool(self.head(blueprint_id))

    def ids(self, *, archived: bool) -> Sequence[str]:
        """Return none."""
        return []

    def problems(self) -> Sequence[str]:
        """Return none."""
        return []


class Reading:
    """Answers what is asked of one repository, in one thread; remembers heads by what their branches hold."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._branches, self._history = repository.branches, repository.history
        self._heads: dict[str, tuple[str, str, BlueprintVersion]] = {}

    def head(self, blueprint_id: str) -> tuple[str, BlueprintVersion]:
        """Return the text and the entry of the head; raises as the store's `read_head`."""
        commit = self._commit(blueprint_id)
        known = self._heads.get(blueprint_id)
        if known is not None and known[0] == commit:
            return known[1:]
        entry, archived = self._end(commit, blueprint_id)
        if archived:
            raise BlueprintArchived(blueprint_id)
        text = self._history.text(entry)
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[blueprint_id] = (commit, text, entry)
        return text, entry

    def version(self, blueprint_id: str, version: str) -> tuple[str, BlueprintVersion]:
        """Return the text of a version and its newest entry; raises as the store's `read_version`."""
        commit = self._commit(blueprint_id)
        known = []
        for entry, step in self._history.entries(commit, blueprint_id):
            if entry.version == version:
                return self._history.text(entry, step.tree), entry
            known.append(entry.version)
        raise version_not_found(blueprint_id, version, known)

    def entries(self, blueprint_id: str, limit: int | None) -> Sequence[BlueprintVersion]:
        """Return entries, the newest first; raises as the store's `history`."""
        commit = self._commit(blueprint_id)
        self._end(commit, blueprint_id)
        return [entry for entry, _ in islice(self._history.entries(commit, blueprint_id), limit)]

    def is_archived(self, blueprint_id: str) -> bool:
        """Tell whether a Blueprint is archived; raises as the store's method of this name."""
        return self._end(self._commit(blueprint_id), blueprint_id)[1]

    def ids(self, *, archived: bool) -> Sequence[str]:
        """Return the ids that are in use or archived; what cannot be read counts as in use."""
        found = (self._listed(branch) for branch in self._branches.names())
        return sorted(name for name, is_archived in filter(None, found) if is_archived == archived)

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the repository, a sentence each."""
        return problems_of(self.repository)

    def _listed(self, branch: str) -> tuple[str, bool] | None:
        """Return the id of a branch and whether it is archived, None when it is the branch of no Blueprint."""
        told = id_of(branch)
        if told is None and not is_cut(branch):
            return None
        try:
            commit = self._branches.read(branch)
            entry, archived = self._history.end(commit, told) if commit else (None, False)
        except StoreUnreadable:
            return None if told is None else (told, False)
        if entry is None or branch_of(entry.blueprint_id) != branch:
            return None
        return entry.blueprint_id, archived

    def _commit(self, blueprint_id: str) -> str:
        commit = self._branches.read(branch_of(check_blueprint_id(blueprint_id)))
        if commit is None:
            raise self.not_found(blueprint_id)
        return commit

    def _end(self, commit: str, blueprint_id: str) -> tuple[BlueprintVersion, bool]:
        entry, archived = self._history.end(commit, blueprint_id)
        if entry is None:
            message = f"branch {branch_of(blueprint_id)!r} has no blueprint.json"
            raise unreadable(self.repository.place.url, message, "it is no Blueprint's; rename the branch")
        return entry, archived

    def not_found(self, blueprint_id: str) -> BlueprintNotFound:
        """Return the error that names the Blueprint that may have been meant."""
        return blueprint_not_found(blueprint_id, [*self.ids(archived=False), *self.ids(archived=True)])
