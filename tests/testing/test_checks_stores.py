"""check_output_store finds stores that lie, lose, mix or reorder."""

from contextlib import asynccontextmanager

import attrs
import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.errors import OutputNotFound
from swarm_core.testing import ContractBroken, check_output_store


def opening(make):
    @asynccontextmanager
    async def open_store():
        yield make()

    return open_store


class TestOutputStore:
    async def test_row_78_the_memory_store_keeps_the_contract(self):
        await check_output_store(opening(MemoryOutputStore))

    async def test_a_shared_store_is_not_empty(self):
        store = MemoryOutputStore()

        with pytest.raises(ContractBroken):
            await check_output_store(opening(lambda: store))

    async def test_pl143_a_store_that_acknowledges_and_loses_is_found(self):
        class Losing(MemoryOutputStore):
            async def append(self, **facts):
                ref = await super().append(**facts)
                if facts["producer_agent"] == "reader":
                    self._latest["writer"] = ref
                return ref

        await self.broken(Losing, "not the newest")

    async def test_an_answer_of_none_for_unknown_is_found(self):
        class Polite(MemoryOutputStore):
            async def get(self, ref):
                try:
                    return await super().get(ref)
                except OutputNotFound:
                    return None

        await self.broken(Polite, "returned None, where OutputNotFound is due")

    async def test_a_reordered_list_is_found(self):
        class Sorted(MemoryOutputStore):
            async def list_for_attempt(self, task_id, attempt):
                return sorted(await super().list_for_attempt(task_id, attempt), key=lambda record: record.id)

        await self.broken(Sorted, "in the order they came|lost, mixed or reordered")

    async def test_mixed_attempts_are_found(self):
        class Prefix(MemoryOutputStore):
            async def list_for_attempt(self, task_id, attempt):
                return [record for record in self._records.values() if record.task_id == task_id]

        await self.broken(Prefix, "not the one output of that attempt")

    async def test_a_dropped_field_is_found(self):
        class Careless(MemoryOutputStore):
            async def get(self, ref):
                return attrs.evolve(await super().get(ref), parent_refs=())

        await self.broken(Careless, "get returned")

    async def test_a_forgotten_forgetting_is_found(self):
        class Hoarding(MemoryOutputStore):
            async def forget_run(self, run_id):
                pass

        await self.broken(Hoarding, "get of a forgotten output returned")

    async def test_a_stale_newest_is_found(self):
        class Stale(MemoryOutputStore):
            async def forget_run(self, run_id):
                await super().forget_run(run_id)
                self._latest.clear()

        await self.broken(Stale, "output not found: writer, but it was appended and not forgotten")

    async def test_a_reference_of_another_form_is_found(self):
        class Numbering(MemoryOutputStore):
            async def append(self, **facts):
                return (await super().append(**facts)).removeprefix("out-")

        await self.broken(Numbering, "not an id of the form out-")

    async def test_a_reference_given_twice_is_found(self):
        class Repeating(MemoryOutputStore):
            def __init__(self):
                super().__init__(random_bits=lambda bits: 1)

        await self.broken(Repeating, "gave the reference out-0000000000000001 twice")

    @staticmethod
    async def broken(make, sentence):
        with pytest.raises(ContractBroken, match=sentence):
            await check_output_store(opening(make))
