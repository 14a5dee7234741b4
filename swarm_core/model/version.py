"""Versions of Blueprints: what a store says of each, and how one is chosen."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import field, frozen

from swarm_core.model.shown import shown


@frozen(kw_only=True)
class EpochId:
    """One round of changes to a Blueprint: where it began, and when (Unix milliseconds)."""

    __repr__ = shown

    blueprint_id: str
    start_version: str
    started_at_ms: int


@frozen(kw_only=True)
class CommitMetadata:
    """What is said of a new version: why it is there, who made it, and, when a patch made it, which one.

    `rationale` and `author` are any text; no store lets them pass for anything else. `patch_hash` is the SHA-256 of the
    patch, 64 hex digits.
    """

    __repr__ = shown

    rationale: str = ""
    author: str | None = None
    patch_hash: str | None = None
    epoch_id: EpochId | None = None


@frozen(kw_only=True)
class BlueprintVersion:
    """One entry of a Blueprint's history.

    `version` is the SHA-256 of the Blueprint's canonical JSON, 64 hex digits; going back to an earlier text gives an
    entry with the earlier version. `number` counts the entries from 1. `parents` are the versions it was made from,
    none for the first. `committed_at` is Unix seconds. `label` is the Blueprint's own `metadata.version_label`.
    `commit` is the store's name of the entry where it has one, such as the hash of a git commit.
    """

    __repr__ = shown

    blueprint_id: str
    version: str
    number: int
    parents: tuple[str, ...]
    committed_at: float
    label: str | None = None
    metadata: CommitMetadata = field(factory=CommitMetadata)
    commit: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry as data."""
        said = self.metadata
        epoch = said.epoch_id
        return {
            "blueprint_id": self.blueprint_id,
            "version": self.version,
            "number": self.number,
            "parents": list(self.parents),
            "committed_at": self.committed_at,
            "label": self.label,
            "rationale": said.rationale,
            "author": said.author,
            "patch_hash": said.patch_hash,
            "epoch_id": epoch
            and {
                "blueprint_id": epoch.blueprint_id,
                "start_version": epoch.start_version,
                "started_at_ms": epoch.started_at_ms,
            },
            "commit": self.commit,
        }


@frozen(kw_only=True)
class Latest:
    """The head of the history."""

    __repr__ = shown

    kind: ClassVar[str] = "latest"


@frozen(kw_only=True)
class Fixed:
    """The version with this hash, 64 hex digits."""

    __repr__ = shown

    kind: ClassVar[str] = "fixed"
    value: str


@frozen(kw_only=True)
class SemverReq:
    """The highest version whose label meets a requirement such as `^1` or `>=1.2, <2`."""

    __repr__ = shown

    kind: ClassVar[str] = "semver_req"
    req: str


VersionSelector = Latest | Fixed | SemverReq
"""How a version is chosen; in a document told apart by `kind`."""


@frozen(kw_only=True)
class InlineRef:
    """A Blueprint that is told as it is: the document itself."""

    __repr__ = shown

    kind: ClassVar[str] = "inline"
    value: Any


@frozen(kw_only=True)
class IdRef:
    """A Blueprint that a store keeps under an id, in the version that is selected."""

    __repr__ = shown

    kind: ClassVar[str] = "id"
    id: str
    version: VersionSelector = field(factory=Latest)


BlueprintRef = InlineRef | IdRef
"""How a document says which Blueprint it means; told apart by `kind`."""
