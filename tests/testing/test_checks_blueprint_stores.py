"""check_blueprint_store and its durable sister find stores that lie, lose, mix, forge or overwrite."""

import itertools
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore
from swarm_core.errors import BlueprintNotFound, VersionConflict
from swarm_core.model.version import CommitMetadata
from swarm_core.testing import ContractBroken, check_blueprint_store, check_durable_blueprint_store


def opening(make):
    @asynccontextmanager
    async def open_store():
        yield make()

    return open_store


class Blind(MemoryBlueprintStore):
    """Overwrites whatever is there."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        try:
            return await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)
        except VersionConflict as conflict:
            return await super().write_new(blueprint_id, text, parent=conflict.actual, metadata=metadata)


class Shy(MemoryBlueprintStore):
    """Takes None for any head."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        if parent is None and blueprint_id in self._kept and not self._kept[blueprint_id].archived:
            parent = self._kept[blueprint_id].entries[-1].version
        return await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)


class Greedy(MemoryBlueprintStore):
    """Gives the head's text a new entry."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        entry = await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)
        entries = self._kept[blueprint_id].entries
        if entry.metadata != metadata:
            entries.append(evolve(entry, number=entry.number + 1, metadata=metadata))
        return entries[-1]


class Lines(MemoryBlueprintStore):
    """Keeps what is said as lines of `key: value`."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        lines = f"{metadata.rationale}\nauthor: {metadata.author}".splitlines()
        said = dict(line.partition(": ")[::2] for line in lines if ": " in line)
        read = evolve(metadata, rationale=lines[0], author=said["author"])
        return await super().write_new(blueprint_id, text, parent=parent, metadata=read)


class Folded(MemoryBlueprintStore):
    """Takes ids of another case for the same."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        return await super().write_new(blueprint_id.lower(), text, parent=parent, metadata=metadata)


class Hasty(MemoryBlueprintStore):
    """Asks a slow disk what the head is, and writes later."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        import asyncio

        try:
            _, head = await self.read_head(blueprint_id)
        except BlueprintNotFound:
            head = None
        if (head and head.version) != parent:
            return await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)
        await asyncio.sleep(0)
        now = self._kept[blueprint_id].entries[-1].version if blueprint_id in self._kept else None
        return await super().write_new(blueprint_id, text, parent=now, metadata=metadata)


class Oldest(MemoryBlueprintStore):
    async def history(self, blueprint_id, limit=None):
        return list(reversed(await super().history(blueprint_id)))[:limit]


class Polite(MemoryBlueprintStore):
    async def read_version(self, blueprint_id, version):
        try:
            return await super().read_version(blueprint_id, version)
        except BlueprintNotFound:
            return await super().read_head(blueprint_id)


class Prefixed(MemoryBlueprintStore):
    """Takes the first digits of a version for it."""

    async def read_version(self, blueprint_id, version):
        entries = await self.history(blueprint_id)
        whole = [entry.version for entry in entries if version and entry.version.startswith(version)]
        return await super().read_version(blueprint_id, whole[0] if whole else version)


class Open(MemoryBlueprintStore):
    async def archive_id(self, blueprint_id, *, by):
        self._found(blueprint_id)


class Sealed(MemoryBlueprintStore):
    """Does not let go of the versions of what is archived."""

    async def read_version(self, blueprint_id, version):
        if await self.is_archived(blueprint_id):
            await self.read_head(blueprint_id)
        return await super().read_version(blueprint_id, version)


class Marked(MemoryBlueprintStore):
    """Keeps an entry for each archiving, which the limit counts."""

    async def archive_id(self, blueprint_id, *, by):
        await super().archive_id(blueprint_id, by=by)
        entries = self._kept[blueprint_id].entries
        entries.append(evolve(entries[-1], number=entries[-1].number + 1))


class Curt(MemoryBlueprintStore):
    def _found(self, blueprint_id):
        try:
            return super()._found(blueprint_id)
        except BlueprintNotFound:
            raise BlueprintNotFound(blueprint_id) from None


class Timeless(MemoryBlueprintStore):
    def __init__(self):
        super().__init__(now=itertools.count(1_700_000_000, -1).__next__)


class Unlabelled(MemoryBlueprintStore):
    async def write_new(self, blueprint_id, text, *, parent, metadata):
        entry = await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)
        entries = self._kept[blueprint_id].entries
        entries[-1] = evolve(entries[-1], label=None)
        return evolve(entry, label=None)


class Careless(MemoryBlueprintStore):
    async def write_new(self, blueprint_id, text, *, parent, metadata):
        return await super().write_new(blueprint_id, text, parent=parent, metadata=evolve(metadata, epoch_id=None))


class Tolerant(MemoryBlueprintStore):
    """Writes something else for what is no text."""

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        clean = {"rationale": metadata.rationale.encode("utf-8", "replace").decode()}
        return await super().write_new(blueprint_id, text, parent=parent, metadata=evolve(metadata, **clean))


class Worried(MemoryBlueprintStore):
    async def problems(self):
        return ["it creaks"]


class TestBlueprintStore:
    @pytest.mark.parametrize(
        ("broken", "sentence"),
        [
            (Blind, "with the parent 'f+', where the head is None, returned"),
            (Shy, "with the parent None, where the head is '[0-9a-f]+', returned"),
            (Greedy, "writing the head's text again returned"),
            (Lines, "where the head is|was said|is due"),
            (Folded, "keeps_ids_apart: VersionConflict"),
            (Hasty, "8 of 8 writers with the parent None were taken, not one"),
            (Oldest, "history returned"),
            (Polite, "read_version of a refused text returned"),
            (Prefixed, "read_version of '[0-9a-f]{12}' returned"),
            (Open, "read_head of an archived Blueprint returned"),
            (Sealed, "BlueprintArchived"),
            (Marked, "history with the limit 3 returned|after archive_id history returned"),
            (Curt, "gives the hint None"),
            (Timeless, "were committed at"),
            (Unlabelled, "label=None.*where.*label='1.2.0'"),
            (Careless, "epoch_id"),
            (Tolerant, "write_new with a lone surrogate returned"),
            (Worried, "it creaks"),
        ],
        ids=lambda value: value.__name__ if isinstance(value, type) else "",
    )
    async def test_a_store_that_breaks_one_part_of_the_contract_is_found(self, broken, sentence):
        with pytest.raises(ContractBroken, match=f"(?s){sentence}"):
            await check_blueprint_store(opening(broken))

    async def test_a_store_that_is_not_empty_is_found(self):
        store = MemoryBlueprintStore()

        with pytest.raises(ContractBroken):
            await check_blueprint_store(opening(lambda: store))


class TestDurableBlueprintStore:
    async def test_a_store_that_forgets_is_found(self):
        with pytest.raises(ContractBroken, match="BlueprintNotFound: blueprint 'review' not found"):
            await check_durable_blueprint_store(opening(MemoryBlueprintStore))

    async def test_a_store_that_looks_only_when_it_is_opened_is_found(self):
        first = MemoryBlueprintStore()
        copies = []

        def copied():
            store = MemoryBlueprintStore()
            store._kept = {name: evolve(kept, entries=list(kept.entries)) for name, kept in first._kept.items()}
            copies.append(store)
            return first if len(copies) < 3 else store

        with pytest.raises(ContractBroken, match="after another one has written"):
            await check_durable_blueprint_store(opening(copied))

    async def test_what_was_said_is_compared_after_opening_again(self):
        store = MemoryBlueprintStore()

        def forgetful():
            for kept in store._kept.values():
                kept.entries = [evolve(entry, metadata=CommitMetadata()) for entry in kept.entries]
            return store

        with pytest.raises(ContractBroken, match="after opening it again history returned"):
            await check_durable_blueprint_store(opening(forgetful))
