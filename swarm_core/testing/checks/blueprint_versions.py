"""The contract of stores of Blueprints: versions, their order, compare-and-set, archived ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import BlueprintArchived, BlueprintNotFound, VersionConflict
from swarm_core.model.version import BlueprintVersion
from swarm_core.testing.checks.blueprint_samples import (
    FULL,
    SAID,
    a_text,
    facts,
    hash_of,
    raises,
    same_head,
    same_history,
    write,
)
from swarm_core.testing.checks.contract import require

_SLACK = 2.0  # seconds: a store may keep whole ones


async def _keeps_versions(store: BlueprintStore) -> None:
    began = time.time()
    texts = [a_text(1), a_text(2, label="1.2.0"), a_text("\N{SNOWMAN} \0 à")]
    entries = await write(store, *texts)
    parents: tuple[str, ...] = ()
    for number, (text, entry) in enumerate(zip(texts, entries, strict=True), 1):
        expected = BlueprintVersion(
            blueprint_id="review",
            version=hash_of(text),
            number=number,
            parents=parents,
            committed_at=0.0,
            label="1.2.0" if number == 2 else None,
            metadata=SAID,
        )
        require(facts(entry) == expected, f"write_new returned {entry!r}, where {expected!r} is due")
        found = await store.read_version("review", entry.version)
        require(found == (text, entry), f"read_version returned {found!r}, where {(text, entry)!r} is due")
        parents = (entry.version,)
    await same_history(store, entries, "three versions")
    await same_head(store, texts[-1], entries[-1], "three versions")
    _require_times(entries, began, time.time())


def _require_times(entries: list[BlueprintVersion], began: float, ended: float) -> None:
    times = [entry.committed_at for entry in entries]
    fits = times == sorted(times) and began - _SLACK <= times[0] and times[-1] <= ended + _SLACK
    require(fits, f"the entries were committed at {times}, between {began} and {ended}, in this order")


async def _keeps_the_same_once(store: BlueprintStore) -> None:
    entries = await write(store, a_text(1), a_text(2))
    for parent in (entries[1].version, entries[0].version, None):
        again = await store.write_new("review", a_text(2), parent=parent, metadata=FULL)
        require(again == entries[1], f"writing the head's text again returned {again!r}, where the head is due")
    await same_history(store, entries, "writing the head's text again")


async def _goes_back(store: BlueprintStore) -> None:
    entries = await write(store, a_text(1), a_text(2), a_text(1))
    versions = [entry.version for entry in entries]
    require(versions[0] == versions[2], f"going back to an earlier text gave the version {versions[2]}, not {versions}")
    require(entries[2].number == 3, f"going back to an earlier text gave entry {entries[2].number}, not a third one")
    await same_history(store, entries, "going back to an earlier text")
    found = await store.read_version("review", versions[0])
    require(found == (a_text(1), entries[2]), f"read_version returned {found!r}, not the newest entry of the version")


async def _compares_and_sets(store: BlueprintStore) -> None:
    await _require_conflict(store, "f" * 64, None)
    require(not list(await store.list_ids()), "after a refused first write the id is listed")
    entries = await write(store, a_text(1), a_text(2))
    for parent in (entries[0].version, None, "f" * 64, entries[1].version[:12], entries[1].version.upper(), "", "../x"):
        await _require_conflict(store, parent, entries[1].version)
    await same_history(store, entries, "refused writes")
    await same_head(store, a_text(2), entries[1], "refused writes")
    await raises(store.read_version("review", hash_of(a_text(9))), BlueprintNotFound, "read_version of a refused text")


async def _require_conflict(store: BlueprintStore, parent: str | None, actual: str | None) -> None:
    what = f"write_new with the parent {parent!r}, where the head is {actual!r},"
    writing = store.write_new("review", a_text(9), parent=parent, metadata=SAID)
    error: VersionConflict = await raises(writing, VersionConflict, what)
    told = (error.blueprint_id, error.expected, error.actual)
    require(told == ("review", parent, actual), f"{what} raised a VersionConflict that says {told!r}")


async def _limits_history(store: BlueprintStore) -> None:
    entries = await write(store, *map(a_text, range(7)))
    newest = list(reversed(entries))
    for limit in (0, 1, 3, 7, 8, 10_000):
        found = list(await store.history("review", limit))
        require(found == newest[:limit], f"history with the limit {limit} returned {found!r}")
    await store.archive_id("review", by="alice")
    await store.unarchive_id("review", by="alice")
    found = list(await store.history("review", 3))
    require(found == newest[:3], f"after archiving and back, history with the limit 3 returned {found!r}")


async def _archives(store: BlueprintStore) -> None:
    entries = await write(store, a_text(1), a_text(2))
    await write(store, a_text(blueprint_id="other"), blueprint_id="other")
    for _ in range(2):
        await store.archive_id("review", by="alice\nparent: x")
        await _require_archived(store, entries)
    for _ in range(2):
        await store.unarchive_id("review", by="")
        require(not await store.is_archived("review"), "is_archived says yes after unarchive_id")
        await same_head(store, a_text(2), entries[1], "unarchive_id")
        await _require_listed(store, ["other", "review"], [])
    third = await store.write_new("review", a_text(3), parent=entries[1].version, metadata=SAID)
    require(third.parents == (entries[1].version,), f"after unarchive_id a new entry has the parents {third.parents!r}")
    await same_history(store, [*entries, third], "archiving and back")


async def _require_archived(store: BlueprintStore, entries: list[BlueprintVersion]) -> None:
    await raises(store.read_head("review"), BlueprintArchived, "read_head of an archived Blueprint")
    for text in (a_text(2), a_text(3)):
        writing = store.write_new("review", text, parent=entries[1].version, metadata=SAID)
        await raises(writing, BlueprintArchived, "write_new of an archived Blueprint")
    require(await store.is_archived("review"), "is_archived says no after archive_id")
    require(not await store.is_archived("other"), "is_archived says yes of a Blueprint that was not archived")
    await same_history(store, entries, "archive_id")
    found = await store.read_version("review", entries[0].version)
    require(found == (a_text(1), entries[0]), f"read_version of an archived Blueprint returned {found!r}")
    await _require_listed(store, ["other"], ["review"])


async def _require_listed(store: BlueprintStore, used: list[str], archived: list[str]) -> None:
    listed = [list(await store.list_ids()), list(await store.list_ids(archived=True))]
    require(listed == [used, archived], f"the ids, and the archived ones, are {listed}, not {[used, archived]}")


async def _names_what_is_near(store: BlueprintStore) -> None:
    (entry,) = await write(store, a_text())
    asked: dict[str, Callable[[str], Awaitable[Any]]] = {
        "read_head": store.read_head,
        "history": store.history,
        "is_archived": store.is_archived,
    }
    for name, asking in asked.items():
        error: BlueprintNotFound = await raises(asking("reviewer"), BlueprintNotFound, f"{name} of an unknown id")
        require("review" in (error.hint or ""), f"{name} of an unknown id gives the hint {error.hint!r}")
        require((error.blueprint_id, error.version) == ("reviewer", None), f"{name} of an unknown id says {error!r}")
    await raises(store.read_version("reviewer", entry.version), BlueprintNotFound, "read_version of an unknown id")
    for change in (store.archive_id, store.unarchive_id):
        await raises(change("reviewer", by="alice"), BlueprintNotFound, f"{change.__name__} of an unknown id")
    for version in (
        "f" * 64,
        entry.version[:12],
        entry.version.upper(),
        "",
        "HEAD",
        "../../etc/passwd",
        "\0",
        "\udcff",
    ):
        await raises(store.read_version("review", version), BlueprintNotFound, f"read_version of {version!r}")
    await _require_listed(store, ["review"], [])


VERSION_PARTS = (
    _keeps_versions,
    _keeps_the_same_once,
    _goes_back,
    _compares_and_sets,
    _limits_history,
    _archives,
    _names_what_is_near,
)
