"""What a writer does when somebody else is faster."""

import pytest

from swarm_core.builtin.memory_blueprints import MemoryBlueprintStore
from swarm_core.cli.bp_write import on_top
from swarm_core.errors import VersionConflict
from swarm_core.model.version import CommitMetadata

SAID = CommitMetadata(rationale="mine")


class Busy(MemoryBlueprintStore):
    """Somebody else writes right before each of the first three writes, on top of what is there."""

    def __init__(self):
        super().__init__()
        self.others = ['{"n":1}', '{"n":2}', '{"n":3}']
        self.head = None

    async def write_new(self, blueprint_id, text, *, parent, metadata):
        if self.others:
            other = self.others.pop(0)
            entry = await super().write_new(blueprint_id, other, parent=self.head, metadata=CommitMetadata())
            self.head = entry.version
        return await super().write_new(blueprint_id, text, parent=parent, metadata=metadata)


async def test_without_a_parent_it_writes_on_top_of_whatever_is_there_then():
    store = Busy()

    entry, added = await on_top(store, "review", '{"n":0}', SAID, None)

    assert (4, True) == (entry.number, added)
    assert ["mine", "", "", ""] == [each.metadata.rationale for each in await store.history("review")]


async def test_with_a_parent_it_gives_up_and_writes_nothing():
    store = Busy()

    with pytest.raises(VersionConflict):
        await on_top(store, "review", '{"n":0}', SAID, "none")

    assert [""] == [each.metadata.rationale for each in await store.history("review")]
