"""The store of runs in memory."""

import pytest

from swarm_core.builtin.memory import MEMORY_RUNS
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.errors import RunNotFound
from swarm_core.model.run import Durability, JournalRow, RunFilter, RunWrite, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.testing import check_run_store, simulate


def a_run(run_id="RUN-1", **facts):
    known = {"blueprint_id": "b", "blueprint_hash": "0" * 64, "launch": {}, "status": RunStatus.RUNNING}
    return StoredRun(id=run_id, created_at=1.0, updated_at=1.0, **{**known, **facts})


async def test_it_keeps_the_contract():
    await check_run_store(lambda: MEMORY_RUNS.open("memory://"))


async def test_the_factory_opens_an_empty_store_each_time():
    async with MEMORY_RUNS.open("memory://") as first, MEMORY_RUNS.open("memory://") as second:
        await first.commit([RunWrite(run_id="RUN-1", epoch=1, create=a_run())])

        assert (1, 0) == (len(await first.runs(RunFilter())), len(await second.runs(RunFilter())))
        assert Durability.NONE is first.durability


def test_it_outlives_the_loops_of_those_who_write_to_it():
    store = MemoryRunStore()

    async def begin():
        await store.commit([RunWrite(run_id="RUN-1", epoch=1, create=a_run())])
        await store.outputs.keep("RUN-1", {"d": b"x"})

    async def go_on():
        claimed = await store.claim("RUN-1", "E-2", 1)
        row = JournalRow(run_id="RUN-1", first_seq=1, last_seq=1, body="[]")
        return await store.commit([RunWrite(run_id="RUN-1", epoch=claimed.epoch, rows=(row,))])

    simulate(begin, seed=1)

    assert {} == simulate(go_on, seed=2)


async def test_what_was_handed_over_can_be_changed_without_changing_what_is_kept():
    store, launch, answer = MemoryRunStore(), {"init_ctx": [1]}, ["yes"]

    await store.commit([RunWrite(run_id="RUN-1", epoch=1, create=a_run(launch=launch))])
    launch["init_ctx"].append(2)
    answer.append("no")

    assert {"init_ctx": [1]} == (await store.get("RUN-1")).launch


async def test_an_unknown_run_is_told_with_the_ones_that_begin_like_it():
    store = MemoryRunStore()
    for name in ("RUN-1234", "RUN-1299", "RUN-7777"):
        await store.commit([RunWrite(run_id=name, epoch=1, create=a_run(name))])

    with pytest.raises(RunNotFound, match="did you mean RUN-1299 or RUN-1234"):
        await store.get("RUN-12")


async def test_an_unknown_run_that_is_like_none_is_told_with_the_newest():
    store = MemoryRunStore()
    for number in range(5):
        await store.commit([RunWrite(run_id=f"RUN-{number}", epoch=1, create=a_run(f"RUN-{number}"))])

    with pytest.raises(RunNotFound, match="the newest: RUN-4, RUN-3, RUN-2"):
        await store.get("???????????")
