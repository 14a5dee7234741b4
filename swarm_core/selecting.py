"""Which version of a Blueprint is meant, and choosing it from a store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import BlueprintArchived, BlueprintNotFound, DocumentError, InvalidSemver, NoMatchingVersion
from swarm_core.model.ids import check_blueprint_id
from swarm_core.model.problem import Problem
from swarm_core.model.version import (
    BlueprintRef,
    BlueprintVersion,
    Fixed,
    IdRef,
    InlineRef,
    Latest,
    SemverReq,
    VersionSelector,
)

SCHEME = "bp:"
"""What a source begins with that names a Blueprint of a store."""

_SCANNED = 1024  # of the newest entries, as in the original
_LONGEST = 256
_HEX = r"[0-9a-fA-F]{4,64}\Z"
_WHOLE = r"[0-9a-f]{64}\Z"
_BARE = r"\d+(\.\d+){0,2}([-+].*)?\Z"
_NAMED = 3


# reading -----------------------------------------------------------------------------------------------------


def parse_source(text: str) -> IdRef:
    """Return what `bp:NAME[@SELECTOR]` means; see `parse_selector`.

    Raises: InvalidId, InvalidSemver.
    """
    name, at, selector = text.removeprefix(SCHEME).partition("@")
    return IdRef(id=check_blueprint_id(name), version=parse_selector(selector) if at else Latest())


def parse_selector(text: str) -> VersionSelector:
    """Return what people write: `latest`, the first 4 to 64 digits of a version's hash, or a requirement of semver.

    Raises: InvalidSemver.
    """
    if text == "latest":
        return Latest()
    if re.match(_HEX, text):
        return Fixed(value=text.lower())
    _range(text)
    return SemverReq(req=text)


def parse_ref(value: Mapping[str, Any]) -> BlueprintRef:
    """Return what a document means that says which Blueprint is wanted.

    Raises: DocumentError, InvalidId, InvalidSemver.
    """
    from swarm_core.codec import structure

    ref = structure(dict(value), cast(type[BlueprintRef], BlueprintRef))
    if isinstance(ref, InlineRef):
        return ref
    check_blueprint_id(ref.id)
    if isinstance(ref.version, SemverReq):
        _range(ref.version.req)
    if isinstance(ref.version, Fixed) and not re.match(_WHOLE, ref.version.value):
        said = "a version is the 64 hex digits of its hash, lower case"
        raise DocumentError([Problem(code="bad_version", message=said, path="$.version.value")])
    return ref


def ref_json(ref: IdRef) -> dict[str, Any]:
    """Return a reference as a document."""
    selector: dict[str, Any] = {"kind": ref.version.kind}
    if isinstance(ref.version, Fixed):
        selector["value"] = ref.version.value
    elif isinstance(ref.version, SemverReq):
        selector["req"] = ref.version.req
    return {"kind": ref.kind, "id": ref.id, "version": selector}


# choosing ----------------------------------------------------------------------------------------------------


async def choose(store: BlueprintStore, ref: IdRef) -> tuple[str, BlueprintVersion]:
    """Return the text of the version that is meant, and its entry.

    A requirement is met by the labels of the newest 1,024 entries: the highest one that fits counts, entries without a
    label do not. The first digits of a hash do where only one version begins so. Raises: BlueprintNotFound,
    BlueprintArchived; InvalidSemver, NoMatchingVersion; StoreError.
    """
    selector = ref.version
    if isinstance(selector, Latest):
        return await store.read_head(ref.id)
    if isinstance(selector, SemverReq):
        version = await _highest(store, ref.id, selector.req)
    else:
        version = await _whole(store, ref.id, selector.value)
    return await store.read_version(ref.id, version)


async def _whole(store: BlueprintStore, blueprint_id: str, digits: str) -> str:
    """Return the one version that begins with some digits."""
    if re.match(_WHOLE, digits):
        return digits
    entries = await store.history(blueprint_id)
    found = [version for version in dict.fromkeys(entry.version for entry in entries) if version.startswith(digits)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BlueprintNotFound(blueprint_id, digits, hint=f"see them with: swarm bp log {blueprint_id}")
    named = ", ".join(version[: len(digits) + 8] for version in found[:_NAMED])
    raise BlueprintNotFound(blueprint_id, digits, hint=f"{len(found)} versions begin so: {named}; write more digits")


async def _highest(store: BlueprintStore, blueprint_id: str, requirement: str) -> str:
    """Return the version with the highest label that meets a requirement, the newest of equal ones."""
    from nodesemver import SemVer  # type: ignore[import-untyped]

    wanted = _range(requirement)
    if await store.is_archived(blueprint_id):
        raise BlueprintArchived(blueprint_id)
    entries = [entry for entry in await store.history(blueprint_id, _SCANNED) if entry.label is not None]
    best: tuple[SemVer, BlueprintVersion] | None = None
    for entry in entries:
        label = _label(entry)
        if wanted.test(label) and (best is None or label.compare(best[0]) > 0):
            best = label, entry
    if best is None:
        raise _no_match(blueprint_id, requirement, entries)
    return best[1].version


def _no_match(blueprint_id: str, requirement: str, entries: Sequence[BlueprintVersion]) -> NoMatchingVersion:
    labels = list(dict.fromkeys(entry.label for entry in entries if entry.label is not None))
    return NoMatchingVersion(blueprint_id, requirement, labels=labels)


def _label(entry: BlueprintVersion) -> Any:
    from nodesemver import make_semver

    text = entry.label or ""
    try:
        return make_semver(_short(text), False)
    except ValueError:
        raise InvalidSemver(text, blueprint_id=entry.blueprint_id) from None


def _range(requirement: str) -> Any:
    """Return what tells whether a version meets a requirement as npm and cargo write them; raises InvalidSemver."""
    # It has cargo's rules for pre-releases and refuses what is no requirement. Of the others, semantic-version lets
    # `^1` take a pre-release, and semver knows single comparisons only.
    from nodesemver import make_range

    try:
        alternatives = [_comparators(part) for part in _short(requirement).split("||")]
        return make_range(" || ".join(alternatives), False)
    except ValueError:
        raise InvalidSemver(requirement) from None


def _comparators(text: str) -> str:
    """Return one alternative as npm writes it: no commas, and the caret that cargo means by a bare version."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ValueError("nothing stands between two commas")
    if " - " in text:
        return text
    joined = re.sub(r"([<>=~^]+)\s+", r"\1", " ".join(parts))
    return " ".join(f"^{each}" if re.match(_BARE, each) else each for each in joined.split())


def _short(text: str) -> str:
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise ValueError("no semantic version is that long, or holds other characters than those of ASCII")
    return text
