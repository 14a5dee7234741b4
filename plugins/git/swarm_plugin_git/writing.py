"""What is written into a repository."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import time

from swarm_core.errors import BlueprintArchived, VersionConflict
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.versions import entry_of
from swarm_plugin_git.commits import archive_commit, entry_commit
from swarm_plugin_git.locks import Patience, sweep
from swarm_plugin_git.names import branch_of
from swarm_plugin_git.packing import pack_if_many
from swarm_plugin_git.reading import Reading
from swarm_plugin_git.repository import Repository
from swarm_plugin_git.texts import laid_out
from swarm_plugin_git.trouble import unreadable


class Writing:
    """Writes into one repository, in one thread.

    The lock of a Blueprint's branch is held from the look at its head until it is moved; the objects that make up an
    entry are there before.
    """

    def __init__(self, repository: Repository, closing: threading.Event) -> None:
        self._repository, self._reading = repository, Reading(repository)
        self._branches, self._objects = repository.branches, repository.objects
        place = repository.place
        self._patience = Patience(url=place.url, seconds=place.lock_timeout, closing=closing)
        sweep(repository.make_scratch())

    def write(self, blueprint_id: str, text: str, *, parent: str | None, metadata: CommitMetadata) -> BlueprintVersion:
        """Add an entry, unless the head has this text; raises as the store's `write_new`."""
        branch = branch_of(check_blueprint_id(blueprint_id))
        with self._branches.locked(branch, self._patience):
            commit = self._branches.read(branch)
            head = None if commit is None else self._head(commit, blueprint_id)
            at = time() if head is None else max(time(), head.committed_at)
            entry = entry_of(blueprint_id, text, head=head, metadata=metadata, committed_at=at)
            if head is not None and head.version == entry.version:
                return head
            actual = None if head is None else head.version
            if parent != actual:
                raise VersionConflict(blueprint_id, expected=parent, actual=actual)
            return self._add(branch, commit, entry, text)

    def archive(self, blueprint_id: str, *, archived: bool, by: str) -> None:
        """Take a Blueprint out of use, or into use again; raises as the store's `archive_id`."""
        branch = branch_of(check_blueprint_id(blueprint_id))
        if self._reading.is_archived(blueprint_id) == archived:
            return
        with self._branches.locked(branch, self._patience):
            commit = self._branches.read(branch)
            if commit is None:
                raise self._reading.not_found(blueprint_id)
            entry, is_archived = self._repository.history.end(commit, blueprint_id)
            if entry is None or is_archived == archived:
                return
            at = max(time(), entry.committed_at)
            tree = self._objects.step(commit)[0].tree
            who = by.encode(errors="backslashreplace").decode()
            marked = archive_commit(entry, archived=archived, by=who, at=at, tree=tree, parent=commit)
            self._objects.write([marked])
            self._branches.move(branch, marked.id.decode())

    def tidy(self) -> None:
        """Pack what is loose when there is much of it; takes up to a second."""
        with suppress(Exception):  # what was written is safe, and the next writer tries again
            pack_if_many(self._objects, self._repository.scratch)

    def _head(self, commit: str, blueprint_id: str) -> BlueprintVersion:
        entry, archived = self._repository.history.end(commit, blueprint_id)
        if archived:
            raise BlueprintArchived(blueprint_id)
        if entry is None:
            message = f"branch {branch_of(blueprint_id)!r} has no blueprint.json"
            raise unreadable(self._repository.place.url, message, "it is no Blueprint's; rename the branch")
        return entry

    def _add(self, branch: str, commit: str | None, entry: BlueprintVersion, text: str) -> BlueprintVersion:
        before = None if commit is None else self._objects.step(commit)[0].tree
        blob, tree = self._objects.tree_with(laid_out(text), before)
        made = entry_commit(entry, tree=tree.id.decode(), parent=commit)
        self._objects.write([blob, tree, made])
        name = made.id.decode()
        if commit is None:
            self._branches.begin(branch, name)
        else:
            self._branches.move(branch, name)
        added, _ = self._repository.history.end(name, entry.blueprint_id)
        assert added is not None
        return added
