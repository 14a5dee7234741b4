"""The histories of Blueprints, as the commits of their branches tell them."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from swarm_core.errors import StoreError
from swarm_core.model.version import BlueprintVersion, CommitMetadata
from swarm_core.versions import entry_of
from swarm_plugin_git.commits import Step
from swarm_plugin_git.objects import Objects
from swarm_plugin_git.texts import canonical, text_of
from swarm_plugin_git.trouble import unreadable

_MOST_BYTES = 32 * 1024 * 1024


@frozen(kw_only=True, eq=False)
class Standing:
    """What holds at a commit: `entry` is the newest one, `own` tells whether the commit made it."""

    step: Step
    entry: BlueprintVersion | None
    own: bool
    archived: bool


class History:
    """Reads histories from a repository, for one thread; remembers commits, which never change."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, Standing] = {}
        self._bytes = 0

    def end(self, commit: str, blueprint_id: str | None = None) -> tuple[BlueprintVersion | None, bool]:
        """Return the entry that holds at a commit, and whether the Blueprint is archived there.

        The entry gets `blueprint_id` where that is told: a branch may have been copied. Raises: StoreUnreadable.
        """
        found = self._standing(commit)
        return self._named(found.entry, blueprint_id), found.archived

    def entries(self, commit: str, blueprint_id: str) -> Iterator[tuple[BlueprintVersion, Step]]:
        """Yield the entries up to a commit, the newest first; raises StoreUnreadable."""
        at: str | None = commit
        while at is not None:
            found = self._standing(at)
            entry = self._named(found.entry, blueprint_id)
            if found.own and entry is not None:
                yield entry, found.step
            at = found.step.parent

    def text(self, entry: BlueprintVersion, tree: str | None = None) -> str:
        """Return the text of an entry; raises StoreUnreadable."""
        assert entry.commit is not None
        data = self._objects.file(tree or self._standing(entry.commit).step.tree)
        text = None if data is None else text_of(data, entry.version)
        if text is None:
            message = f"commit {entry.commit} does not hold version {entry.version} of {entry.blueprint_id!r}"
            raise unreadable(self._objects.url, message)
        return text

    def _standing(self, name: str) -> Standing:
        """Return what holds at a commit, by way of what stands before it as far as that has to be known."""
        if self._bytes > _MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        line: list[Step] = []
        at: str | None = name
        while at is not None and at not in self._known:
            step, size = self._objects.step(at)
            self._bytes += size
            line.append(step)
            at = None if step.entry is not None else step.parent
        for step in reversed(line):
            self._known[step.id] = self._after(self._known.get(step.parent or ""), step)
        return self._known[name]

    def _after(self, before: Standing | None, step: Step) -> Standing:
        if step.entry is not None:
            return Standing(step=step, entry=step.entry, own=True, archived=False)
        archived = before is not None and before.archived
        entry = None if before is None else before.entry
        if step.archived is not None:
            return Standing(step=step, entry=entry, own=False, archived=step.archived)
        made = self._made_by_hand(entry, step)
        if made is None or (entry is not None and made.version == entry.version):
            return Standing(step=step, entry=entry, own=False, archived=archived)
        return Standing(step=step, entry=made, own=True, archived=archived)

    def _made_by_hand(self, before: BlueprintVersion | None, step: Step) -> BlueprintVersion | None:
        """Return the entry that a commit of somebody's own makes, None when it has no Blueprint."""
        data = self._objects.file(step.tree)
        if data is None:
            return None
        try:
            return entry_of(
                before.blueprint_id if before else "-",
                canonical(data),
                head=before,
                metadata=CommitMetadata(rationale=step.message.strip("\n"), author=step.author),
                committed_at=float(step.seconds),
                commit=step.id,
            )
        except (ValueError, RecursionError, StoreError) as error:
            message = f"commit {step.id}, made by hand, holds a blueprint.json that is none: {error}"
            raise unreadable(self._objects.url, message, "put it right with a commit on top of it") from None

    @staticmethod
    def _named(entry: BlueprintVersion | None, blueprint_id: str | None) -> BlueprintVersion | None:
        if entry is None or blueprint_id in (None, entry.blueprint_id):
            return entry
        assert blueprint_id is not None
        return evolve(entry, blueprint_id=blueprint_id)
