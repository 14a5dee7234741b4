"""What a commit says of a version: to programs in a header of its own, to people in its message.

Git keeps headers that it does not know, and no message can hold one: what stands there is what a store wrote. It names
the tree that it speaks of, so a commit that was amended by hand says nothing of what it holds now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from dulwich.objects import Commit

from swarm_core.model.shown import shown
from swarm_core.model.version import BlueprintVersion, CommitMetadata, EpochId

_HEADER = b"swarm "
_PERSON = "swarm <swarm@localhost>"


@frozen(kw_only=True)
class Step:
    """One commit of a branch: an entry of the history, or `archived` says what it changes, or it was made by hand."""

    __repr__ = shown

    id: str
    tree: str
    parent: str | None
    entry: BlueprintVersion | None = None
    archived: bool | None = None
    seconds: int = 0
    author: str = ""
    message: str = ""


def step_of(raw: bytes) -> Step:
    """Return what a commit says; raises dulwich's errors when it is none."""
    commit = Commit.from_string(raw)
    name, tree = commit.id.decode(), commit.tree.decode()
    parent = commit.parents[0].decode() if commit.parents else None
    said = _said(raw, tree)
    try:
        if "archived" in said:
            return Step(id=name, tree=tree, parent=parent, archived=bool(said["archived"]))
        return Step(id=name, tree=tree, parent=parent, archived=False, entry=_entry(said, name))
    except (KeyError, TypeError, ValueError):
        return Step(
            id=name,
            tree=tree,
            parent=parent,
            seconds=commit.commit_time,
            author=commit.author.decode(errors="replace"),
            message=commit.message.decode(errors="replace"),
        )


def entry_commit(entry: BlueprintVersion, *, tree: str, parent: str | None) -> Commit:
    """Return the commit of an entry."""
    facts = {**entry.as_json(), "tree": tree}
    del facts["commit"]
    return _commit(facts, _message(entry), seconds=entry.committed_at, parent=parent)


def archive_commit(entry: BlueprintVersion, *, archived: bool, by: str, at: float, tree: str, parent: str) -> Commit:
    """Return the commit that takes a Blueprint out of use, or into use again."""
    facts = {"archived": archived, "blueprint_id": entry.blueprint_id, "by": by, "at": at, "tree": tree}
    done = "Archived" if archived else "Taken into use again"
    return _commit(facts, f"{done} by {_visible(by) or 'somebody'}\n", seconds=at, parent=parent)


def _said(raw: bytes, tree: str) -> Mapping[str, Any]:
    lines = raw.partition(b"\n\n")[0].split(b"\n")
    line = next((line for line in lines if line.startswith(_HEADER)), b"")
    try:
        said = json.loads(line[len(_HEADER) :])
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("tree") == tree else {}


def _entry(said: Mapping[str, Any], name: str) -> BlueprintVersion:
    epoch = said["epoch_id"]
    return BlueprintVersion(
        blueprint_id=said["blueprint_id"],
        version=said["version"],
        number=said["number"],
        parents=tuple(said["parents"]),
        committed_at=said["committed_at"],
        label=said["label"],
        metadata=CommitMetadata(
            rationale=said["rationale"],
            author=said["author"],
            patch_hash=said["patch_hash"],
            epoch_id=None if epoch is None else EpochId(**epoch),
        ),
        commit=name,
    )


def _commit(facts: Mapping[str, Any], message: str, *, seconds: float, parent: str | None) -> Commit:
    said = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    person = f"{_PERSON} {int(seconds)} +0000"
    lines = [f"tree {facts['tree']}", *([f"parent {parent}"] if parent else [])]
    lines += [f"author {person}", f"committer {person}", f"swarm {said}", "", message]
    return Commit.from_string("\n".join(lines).encode())


def _message(entry: BlueprintVersion) -> str:
    said = entry.metadata
    words = _visible(said.rationale).strip("\n") or f"Version {entry.number} of {entry.blueprint_id}"
    facts = {"Blueprint-version": entry.version, "Label": entry.label, "By": said.author}
    trailers = [f"{name}: {_visible(fact, lines=False)}" for name, fact in facts.items() if fact]
    return "\n".join([words, "", *trailers, ""])


def _visible(text: str, *, lines: bool = True) -> str:
    """Return a text that cannot steer a terminal: what cannot be printed is written as an escape."""
    kept = "\n\t" if lines else ""
    return "".join(
        each if each.isprintable() or each in kept else each.encode("unicode_escape").decode() for each in text
    )
