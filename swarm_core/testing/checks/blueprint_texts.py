"""The contract of stores of Blueprints: ids, and the words of people and programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import InvalidId, StoreError, StoreUnavailable, StoreUnreadable
from swarm_core.model.version import CommitMetadata
from swarm_core.testing.checks.blueprint_samples import (
    BAD_IDS,
    FULL,
    GOOD_IDS,
    SAID,
    TEXTS,
    a_text,
    raises,
    same_history,
    write,
)
from swarm_core.testing.checks.contract import require

_NO_TEXT = "\ud800 alone"


async def _keeps_ids_apart(store: BlueprintStore) -> None:
    for name in GOOD_IDS:
        await write(store, a_text(name, blueprint_id=name), blueprint_id=name)
    listed = list(await store.list_ids())
    require(listed == sorted(GOOD_IDS), f"list_ids returned {listed!r}, not the ids that were written, sorted")
    for name in GOOD_IDS:
        text, entry = await store.read_head(name)
        require(text == a_text(name, blueprint_id=name), f"read_head of {name!r} returned the text of another one")
        require(entry.blueprint_id == name, f"the entry of {name!r} says that it is of {entry.blueprint_id!r}")
    await store.archive_id("review", by="alice")
    await _require_archived_alone(store)


async def _require_archived_alone(store: BlueprintStore) -> None:
    listed = list(await store.list_ids(archived=True))
    require(listed == ["review"], f"after archive_id of 'review' these are archived: {listed!r}")
    used = list(await store.list_ids())
    require(used == sorted(set(GOOD_IDS) - {"review"}), f"after archive_id of 'review' list_ids returned {used!r}")


async def _refuses_bad_ids(store: BlueprintStore) -> None:
    for name in BAD_IDS:
        for what, call in _calls(store, name).items():
            await raises(call(), InvalidId, f"{what} of {name!r}")
    require(not list(await store.list_ids()), "after refused ids some are listed")


def _calls(store: BlueprintStore, name: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    return {
        "write_new": lambda: store.write_new(name, a_text(blueprint_id=name[:200]), parent=None, metadata=SAID),
        "read_head": lambda: store.read_head(name),
        "read_version": lambda: store.read_version(name, "f" * 64),
        "history": lambda: store.history(name),
        "archive_id": lambda: store.archive_id(name, by="alice"),
        "unarchive_id": lambda: store.unarchive_id(name, by="alice"),
        "is_archived": lambda: store.is_archived(name),
    }


async def _keeps_words(store: BlueprintStore) -> None:
    said = [SAID, FULL, CommitMetadata()]
    said += [CommitMetadata(rationale=text, author=text) for text in TEXTS]
    said += [evolve(FULL, rationale=text) for text in TEXTS]
    entries = await write(store, a_text(0))
    for number, words in enumerate(said, 1):
        entry = await store.write_new("review", a_text(number), parent=entries[-1].version, metadata=words)
        require(entry.metadata == words, f"write_new returned {entry.metadata!r}, where {words!r} was said")
        require(entry.parents == (entries[-1].version,), f"with {words!r} the entry has the parents {entry.parents!r}")
        entries.append(entry)
    await same_history(store, entries, "words of any kind")
    require(not await store.is_archived("review"), "after words of any kind the Blueprint is archived")
    for words, entry in zip([SAID, *said], entries, strict=True):
        _, found = await store.read_version("review", entry.version)
        require(found.metadata == words, f"read_version returned {found.metadata!r}, where {words!r} was said")


async def _refuses_what_is_no_text(store: BlueprintStore) -> None:
    entries = await write(store, a_text(1))
    for words in (CommitMetadata(rationale=_NO_TEXT), CommitMetadata(author=_NO_TEXT)):
        writing = store.write_new("review", a_text(2), parent=entries[0].version, metadata=words)
        error = await raises(writing, StoreError, "write_new with a lone surrogate")
        clear = not isinstance(error, StoreUnavailable | StoreUnreadable)
        require(clear, f"write_new with a lone surrogate raised {error!r}, as if something were wrong with the store")
    await same_history(store, entries, "refused words")


TEXT_PARTS = (_keeps_ids_apart, _refuses_bad_ids, _keeps_words, _refuses_what_is_no_text)
