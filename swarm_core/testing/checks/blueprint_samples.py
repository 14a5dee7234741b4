"""What the checks of stores of Blueprints write, and how they look at it."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from hashlib import sha256
from typing import Any

from attrs import evolve

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import SwarmError
from swarm_core.model.version import BlueprintVersion, CommitMetadata, EpochId
from swarm_core.testing.checks.contract import ContractBroken, require

SAID = CommitMetadata(rationale="because", author="alice")
FULL = CommitMetadata(
    rationale="a patch made it",
    author="the patch spawner",
    patch_hash="e" * 64,
    epoch_id=EpochId(blueprint_id="review", start_version="a" * 64, started_at_ms=1_700_000_000_123),
)

GOOD_IDS = (
    *("review", "Review", "REVIEW", "review.lock", "review..x", "review.", "re view", "r\u0435view", "\u5b57"),
    *("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}", "\N{SNOWMAN}" * 200, "x" * 200),
    *("HEAD", "main", "con", "a:b", "a%2Fb", "a%2fb", "~^:?*[{}", "'; DROP TABLE blueprints; --", "$(id)", "%s%n"),
    *("0", "_", "a" * 64, "blueprint.json"),
)
"""Ids that must all be kept, and none taken for another one."""

BAD_IDS = (
    *("", " ", ".", "..", "../review", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", ".git", "-rf", "a@b"),
    *("review\0", "a\nb", "a\tb", " review", "review ", "x" * 201, "re\u202eview", "review\udcff", "\u200b", "\x7f"),
)

TEXTS = (
    *("", " ", "one line", "two\nlines\n", "\n\n", "\r\n", "a\rb", "  blanks  ", "\ttab", "#comment", "-- x\n---\n"),
    *("parent: " + "f" * 64, "parents: []\nversion: 1", "tree " + "0" * 40 + "\nparent " + "0" * 40, "archive: true"),
    *("Swarm-Metadata: {}", '{"rationale":"x","author":"mallory"}', '"}, "author": "mallory', "author: mallory"),
    *("\0", "a\0b", "".join(map(chr, range(32))), "\x7f\x85\u2028\u2029", "\ufeff", "\N{SNOWMAN} \U0001f41d e\u0301"),
    *("gpgsig -----BEGIN PGP SIGNATURE-----", "%s%n%00", "'; DROP TABLE versions; --", "word " * 20_000),
)
"""What people and programs may say of a version; none of it means anything to a store."""


def a_text(mark: Any = 1, *, blueprint_id: str = "review", label: str | None = None) -> str:
    """Return the canonical text of a Blueprint; other marks make other texts."""
    step = {"in": {"op": "lit", "value": mark}, "kind": "step", "out": {"at": "$.out", "op": "path"}, "ref": "writer"}
    document: dict[str, Any] = {
        "agents": [{"kind": "function", "name": "writer", "spec": {"fn_id": "identity"}}],
        "flow": step,
        "id": blueprint_id,
        "schema_version": "0.1.0",
    }
    if label is not None:
        document["metadata"] = {"version_label": label}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hash_of(text: str) -> str:
    """Return the version that a text must have."""
    return sha256(text.encode()).hexdigest()


async def write(
    store: BlueprintStore, *texts: str, blueprint_id: str = "review", said: CommitMetadata = SAID
) -> list[BlueprintVersion]:
    """Write texts one on top of the other, from nothing, and return their entries."""
    entries: list[BlueprintVersion] = []
    for text in texts:
        parent = entries[-1].version if entries else None
        entries.append(await store.write_new(blueprint_id, text, parent=parent, metadata=said))
    return entries


async def same_history(store: BlueprintStore, expected: list[BlueprintVersion], after: str) -> None:
    """Require that the history of `review` has these entries; `expected` has the oldest first."""
    found = list(await store.history("review"))
    newest = list(reversed(expected))
    require(found == newest, f"after {after} history returned {found!r}, where {newest!r} is due")


async def same_head(store: BlueprintStore, text: str, entry: BlueprintVersion, after: str) -> None:
    """Require that the head is this one."""
    found = await store.read_head(entry.blueprint_id)
    require(found == (text, entry), f"after {after} read_head returned {found!r}, where {(text, entry)!r} is due")


def facts(entry: BlueprintVersion) -> BlueprintVersion:
    """Return an entry without what each store, and each moment, has its own of."""
    return evolve(entry, committed_at=0.0, commit=None)


async def raises(awaitable: Awaitable[Any], kind: type[SwarmError], what: str) -> Any:
    """Require that something raises an error of a kind, and return it."""
    try:
        found = await awaitable
    except SwarmError as error:
        if isinstance(error, kind):
            return error
        raise ContractBroken(f"{what} raised {error!r}, where {kind.__name__} is due") from error
    raise ContractBroken(f"{what} returned {found!r}, where {kind.__name__} is due")
