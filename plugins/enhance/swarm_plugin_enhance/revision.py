"""From a Blueprint and a patch to the next version: its document, its label, its profiles' hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from hashlib import sha256
from typing import Any

from attrs import frozen

from swarm_core.codec import blueprint_json, structure_blueprint
from swarm_core.errors import DocumentError
from swarm_core.versions import canonical_text, version_of
from swarm_plugin_enhance.patch import BadPatch, Patch, patched

_NO_LABEL = "0.0.0"


@frozen(kw_only=True, eq=False)
class Revision:
    """The next version of a Blueprint: its whole document, its hash, and whether anything changed."""

    document: Mapping[str, Any]
    hash: str
    changed: bool


def revise(before: Mapping[str, Any], patch: Patch) -> Revision:
    """Return the version that a patch makes of a Blueprint.

    The label goes up when anything changed, and each profile's `version_hash` is that of its prompt, whatever the
    patch says of them. Raises: BadPatch, when it does not fit, or what comes out is no Blueprint.
    """
    after = patched(before, patch)
    if not isinstance(after, Mapping):
        raise BadPatch("it leaves no Blueprint")
    after = _with_label(_with_hashes(deepcopy(dict(after)), before), _label(before))
    changed = _whole(after) != _whole(before)
    if changed:
        after = _with_label(after, bumped(_label(before), patch.bump))
    document = _whole(after)
    return Revision(document=document, hash=hash_of(document), changed=changed)


def hash_of(document: Mapping[str, Any]) -> str:
    """Return the version that a store gives a Blueprint; raises DocumentError."""
    return version_of(canonical_text(structure_blueprint(document)))


def bumped(label: Any, bump: str) -> str:
    """Return the semantic version after a label, that after 0.0.0 when the label is none."""
    from nodesemver import inc  # type: ignore[import-untyped]

    after: str | None = inc(label, bump, False) if isinstance(label, str) and len(label) <= 256 else None
    return after or str(inc(_NO_LABEL, bump, False))


def _whole(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a Blueprint with all its fields, as it is kept."""
    try:
        return blueprint_json(structure_blueprint(document))
    except DocumentError as error:
        said = "; ".join(str(problem) for problem in error.problems[:3])
        raise BadPatch(f"what it makes is no Blueprint: {said}"[:1000]) from None


def _label(document: Mapping[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("version_label") if isinstance(metadata, Mapping) else None


def _with_label(document: dict[str, Any], label: Any) -> dict[str, Any]:
    metadata = document.get("metadata")
    if metadata is None:
        metadata = {}
    if isinstance(metadata, Mapping):
        rest = {key: value for key, value in metadata.items() if key != "version_label"}
        document["metadata"] = rest if label is None else {**rest, "version_label": label}
    return document


def _with_hashes(document: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(_profiles(before))
    for place, profile in _profiles(document):
        was = known.get(place)
        if was is not None and was.get("system_prompt", "") == profile.get("system_prompt", ""):
            _set_hash(profile, was.get("version_hash"))
        elif isinstance(prompt := profile.get("system_prompt", ""), str):
            _set_hash(profile, sha256(prompt.encode(errors="surrogatepass")).hexdigest())
    return document


def _profiles(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Yield the profiles by what they are of: the list and the name."""
    for part in ("agents", "operators"):
        items = document.get(part)
        for item in items if isinstance(items, list | tuple) else ():
            if isinstance(item, Mapping) and isinstance(profile := item.get("profile"), dict):
                yield (part, str(item.get("name"))), profile


def _set_hash(profile: dict[str, Any], digest: Any) -> None:
    if digest is None:
        profile.pop("version_hash", None)
    else:
        profile["version_hash"] = digest
