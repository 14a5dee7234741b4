"""The contract of stores of Blueprints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise

from swarm_core.contracts import BlueprintStore
from swarm_core.errors import SwarmError, VersionConflict
from swarm_core.model.version import BlueprintVersion
from swarm_core.testing.checks.blueprint_samples import (
    FULL,
    SAID,
    a_text,
    hash_of,
    raises,
    same_head,
    same_history,
    write,
)
from swarm_core.testing.checks.blueprint_texts import TEXT_PARTS
from swarm_core.testing.checks.blueprint_versions import VERSION_PARTS
from swarm_core.testing.checks.contract import ContractBroken, require

OpenBlueprintStore = Callable[[], AbstractAsyncContextManager[BlueprintStore]]
Part = Callable[[BlueprintStore], Awaitable[None]]

_WRITERS, _RIVALS = 20, 8


async def check_blueprint_store(open_store: OpenBlueprintStore) -> None:
    """Run a store of Blueprints through its contract; each part is checked on a store of its own, an empty one.

    `open_store()` returns an async context manager that gives an empty store. Raises: ContractBroken.
    """
    for part in (*VERSION_PARTS, *TEXT_PARTS, _lets_one_win, _counts_every_writer):
        async with open_store() as store:
            await _run(part, store)


async def check_durable_blueprint_store(open_at: OpenBlueprintStore) -> None:
    """Require that what was acknowledged is there after closing and opening, and that two may be open at once.

    `open_at()` returns an async context manager that opens one place, the same each time, empty at first. Raises:
    ContractBroken.
    """
    written: list[BlueprintVersion] = []
    async with open_at() as store:
        await _run(_writing(written), store)
    async with open_at() as store:
        await _run(_reading(written), store)
    async with open_at() as one, open_at() as other:
        await _run(_beside(one), other)


async def _run(part: Part, store: BlueprintStore) -> None:
    """Check one part; an error that no part expects breaks the contract as well."""
    try:
        await part(store)
        problems = list(await store.problems())
    except SwarmError as error:
        raise ContractBroken(f"{part.__name__.strip('_')}: {type(error).__name__}: {error}") from error
    require(not problems, f"{part.__name__.strip('_')}: there are problems then: {problems!r}")


# many writers ------------------------------------------------------------------------------------------------


async def _lets_one_win(store: BlueprintStore) -> None:
    await _race([store], None, range(_RIVALS))
    _, head = await store.read_head("review")
    await _race([store], head.version, range(10, 10 + _RIVALS))
    require(len(await store.history("review")) == 2, "writes that were refused are in the history")


async def _race(stores: Sequence[BlueprintStore], parent: str | None, marks: Sequence[int]) -> None:
    """Let writers of different texts begin with the same parent, and require that one of them is taken."""
    writing = [
        stores[mark % len(stores)].write_new("review", a_text(mark), parent=parent, metadata=SAID) for mark in marks
    ]
    ends = await asyncio.gather(*writing, return_exceptions=True)
    taken = [end for end in ends if isinstance(end, BlueprintVersion)]
    require(len(taken) == 1, f"{len(taken)} of {len(marks)} writers with the parent {parent} were taken, not one")
    others = [end for end in ends if not isinstance(end, BlueprintVersion)]
    fits = all(isinstance(end, VersionConflict) and end.actual == taken[0].version for end in others)
    require(
        fits, f"of writers with one parent, those that lost ended as {others!r}, not as VersionConflict of the winner"
    )


async def _counts_every_writer(store: BlueprintStore) -> None:
    await _fill([store], range(_WRITERS))
    await _require_all(store, range(_WRITERS))


async def _fill(stores: Sequence[BlueprintStore], marks: Sequence[int]) -> None:
    """Let writers that do not know of each other write one text each, in turn on each of the stores."""
    await asyncio.gather(*(_insist(stores[mark % len(stores)], mark) for mark in marks))


async def _insist(store: BlueprintStore, mark: int) -> None:
    """Write a text on top of the head, again when somebody else was faster."""
    parent: str | None = None
    while True:
        try:
            await store.write_new("review", a_text(mark), parent=parent, metadata=SAID)
        except VersionConflict as conflict:
            require(conflict.actual != parent, f"VersionConflict names as the head what the writer named: {parent}")
            parent = conflict.actual
        else:
            return


async def _require_all(store: BlueprintStore, marks: Sequence[int]) -> None:
    entries = list(reversed(await store.history("review")))
    numbers = [entry.number for entry in entries]
    require(numbers == list(range(1, len(entries) + 1)), f"after many writers the entries are numbered {numbers}")
    for before, after in pairwise(entries):
        require(after.parents == (before.version,), f"{after!r} has other parents than the entry before it")
    texts = [(await store.read_version("review", entry.version))[0] for entry in entries]
    require(sorted(texts) == sorted(map(a_text, marks)), f"{len(texts)} entries are there of {len(marks)} written ones")


# what outlives the process -----------------------------------------------------------------------------------


def _writing(written: list[BlueprintVersion]) -> Part:
    async def writes_durably(store: BlueprintStore) -> None:
        written.extend(await write(store, a_text(1), a_text(2)))
        written.append(await store.write_new("review", a_text(3), parent=written[-1].version, metadata=FULL))
        await write(store, a_text(blueprint_id="old"), blueprint_id="old")
        await store.archive_id("old", by="alice")

    return writes_durably


def _reading(written: list[BlueprintVersion]) -> Part:
    async def keeps_durably(store: BlueprintStore) -> None:
        await same_history(store, written, "opening it again")
        await same_head(store, a_text(3), written[-1], "opening it again")
        listed = [list(await store.list_ids()), list(await store.list_ids(archived=True))]
        require(listed == [["review"], ["old"]], f"after opening it again the ids, and the archived ones, are {listed}")

    return keeps_durably


def _beside(one: BlueprintStore) -> Part:
    async def shares(other: BlueprintStore) -> None:
        _, head = await other.read_head("review")
        first = await one.write_new("review", a_text(4), parent=head.version, metadata=SAID)
        await same_head(other, a_text(4), first, "another one has written")
        late = other.write_new("review", a_text(5), parent=head.version, metadata=SAID)
        await raises(late, VersionConflict, "write_new on top of what is the head no more")
        await other.archive_id("review", by="bob")
        require(await one.is_archived("review"), "after another one has archived it, is_archived says no")
        await one.unarchive_id("review", by="bob")
        await _race([one, other], first.version, range(20, 20 + _RIVALS))
        _, head = await one.read_head("review")
        winner = next(mark for mark in range(20, 20 + _RIVALS) if hash_of(a_text(mark)) == head.version)
        await _fill([one, other], range(10, 20))
        await _require_all(other, [1, 2, 3, 4, winner, *range(10, 20)])

    return shares
