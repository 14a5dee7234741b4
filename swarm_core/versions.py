"""What a store of Blueprints makes of what it is given: the entry of a history, and the words for what is not there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from swarm_core.errors import BlueprintNotFound, StoreError
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.version import BlueprintVersion, CommitMetadata

_NAMED = 3


def canonical_text(blueprint: Blueprint) -> str:
    """Return a Blueprint as canonical JSON text: all its fields, sorted keys, no blanks."""
    from swarm_core.codec import blueprint_json

    return json.dumps(blueprint_json(blueprint), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def version_of(text: str) -> str:
    """Return the version of a Blueprint: the SHA-256 of its canonical text in 64 hex digits."""
    return sha256(text.encode()).hexdigest()


def entry_of(
    blueprint_id: str,
    text: str,
    *,
    head: BlueprintVersion | None,
    metadata: CommitMetadata,
    committed_at: float,
    commit: str | None = None,
) -> BlueprintVersion:
    """Return the entry that a text becomes on top of the head, None for the first one.

    Raises: InvalidId; StoreError, when the text is no Blueprint's, or when what is said of it cannot be kept.
    """
    _check_metadata(metadata)
    return BlueprintVersion(
        blueprint_id=check_blueprint_id(blueprint_id),
        version=version_of(_sound("the Blueprint", text)),
        number=1 if head is None else head.number + 1,
        parents=() if head is None else (head.version,),
        committed_at=committed_at,
        label=_label_of(text),
        metadata=metadata,
        commit=commit,
    )


def blueprint_not_found(blueprint_id: str, known: Iterable[str]) -> BlueprintNotFound:
    """Return the error that names the Blueprint that may have been meant."""
    from difflib import get_close_matches

    ids = sorted(known)
    near = get_close_matches(blueprint_id, ids, n=_NAMED)
    if near:
        return BlueprintNotFound(blueprint_id, hint=f"did you mean {' or '.join(map(repr, near))}?")
    if ids:
        more = ", ..." if len(ids) > _NAMED else ""
        return BlueprintNotFound(blueprint_id, hint=f"there are: {', '.join(ids[:_NAMED])}{more}")
    return BlueprintNotFound(blueprint_id, hint="the store holds no Blueprint")


def version_not_found(blueprint_id: str, version: str, newest: Iterable[str]) -> BlueprintNotFound:
    """Return the error that names the version that may have been meant; `newest` has versions, the newest first."""
    from difflib import get_close_matches

    versions = list(dict.fromkeys(newest))
    near = [known for known in versions if version and known.startswith(version)][:_NAMED]
    near = near or get_close_matches(version, versions, n=1, cutoff=0.8)
    hint = f"did you mean {' or '.join(near)}?" if near else f"see them with: swarm bp log {blueprint_id}"
    return BlueprintNotFound(blueprint_id, version[:64], hint=hint)


def _label_of(text: str) -> str | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise StoreError("a Blueprint is kept as the text of one JSON object", hint="nothing was written")
    metadata = document.get("metadata")
    label = metadata.get("version_label") if isinstance(metadata, dict) else None
    return label if isinstance(label, str) else None


def _check_metadata(said: CommitMetadata) -> None:
    epoch = said.epoch_id
    texts = [("rationale", said.rationale), ("author", said.author), ("patch_hash", said.patch_hash)]
    if epoch is not None:
        texts += [("epoch_id.blueprint_id", epoch.blueprint_id), ("epoch_id.start_version", epoch.start_version)]
    for what, text in texts:
        if text is not None:
            _sound(what, text)


def _sound(what: str, text: str) -> str:
    """Return a text that UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        where = f"it holds a lone surrogate at character {error.start}"
        raise StoreError(f"{what} cannot be kept: {where}", hint="nothing was written") from None
    return text
