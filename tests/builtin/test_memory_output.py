from __future__ import annotations

import pytest

from swarm_core.builtin.memory import MEMORY_OUTPUTS, MemoryOutputStore
from swarm_core.errors import OutputNotFound
from swarm_core.model.ids import check_id
from swarm_core.model.output import Artifact, Inline, OutputRecord, Progress


@pytest.fixture
def store():
    return MemoryOutputStore()


@pytest.fixture
def append(store):
    """Append an output, by default a progress of agent `a` in run `RUN-1`."""

    async def appended(stage="s", *, run="RUN-1", task="T-1", attempt=1, by="a", event=None, parents=()):
        return await store.append(
            run_id=run,
            task_id=task,
            attempt=attempt,
            producer_agent=by,
            event=event or Progress(stage),
            parent_refs=parents,
        )

    return appended


class TestRow78:
    async def test_row_78_the_latest_of_a_producer_is_the_last_one(self, store, append):
        await append("A")
        second = await append("B")

        latest = await store.get_latest_by_name("a")

        assert (second, Progress("B")) == (latest.id, latest.event)

    async def test_row_78_an_earlier_one_can_still_be_read(self, store, append):
        first = await append("A")
        await append("B")

        assert Progress("A") == (await store.get(first)).event

    async def test_row_78_unknown_is_not_found(self, store):
        for ask in (store.get("out-00"), store.get_latest_by_name("nobody")):
            with pytest.raises(OutputNotFound):
                await ask

    async def test_row_78_an_attempts_outputs_come_in_order(self, store, append):
        refs = [await append(stage) for stage in "ABC"]
        await append(attempt=2)
        await append(task="T-2")

        assert refs == [record.id for record in await store.list_for_attempt("T-1", 1)]

    async def test_row_78_an_unknown_attempt_has_no_outputs(self, store):
        assert await store.list_for_attempt("T-9", 1) == []


class TestRecord:
    async def test_everything_that_was_said_is_kept(self, store, append):
        parent = await append()
        event = Artifact("report", Inline({"a": 1}))

        ref = await append(event=event, run="RUN-2", task="T-2", attempt=3, by="b", parents=[parent])

        expected = OutputRecord(
            id=ref, run_id="RUN-2", task_id="T-2", attempt=3, producer_agent="b", event=event, parent_refs=(parent,)
        )
        assert expected == await store.get(ref)

    async def test_references_are_output_ids(self, append):
        ref = await append()

        assert ref == check_id("out-", ref)


class TestForget:
    async def test_a_forgotten_run_is_gone_everywhere(self, store, append):
        ref = await append(run="RUN-1")

        await store.forget_run("RUN-1")

        assert await store.list_for_attempt("T-1", 1) == []
        for ask in (store.get(ref), store.get_latest_by_name("a")):
            with pytest.raises(OutputNotFound):
                await ask

    async def test_other_runs_stay(self, store, append):
        kept = await append("kept", run="RUN-2", task="T-2")
        await append("dropped", run="RUN-1")

        await store.forget_run("RUN-1")

        assert kept == (await store.get_latest_by_name("a")).id

    async def test_forgetting_an_unknown_run_changes_nothing(self, store, append):
        ref = await append()

        await store.forget_run("RUN-9")

        assert ref == (await store.get(ref)).id

    async def test_the_newest_of_what_is_left_becomes_the_latest(self, store, append):
        for run in ("RUN-1", "RUN-2", "RUN-3"):
            await append(run, run=run, task=f"T-{run}")

        await store.forget_run("RUN-3")

        assert Progress("RUN-2") == (await store.get_latest_by_name("a")).event


async def test_the_factory_opens_an_empty_store_each_time():
    async with MEMORY_OUTPUTS.open("memory://") as first, MEMORY_OUTPUTS.open("memory://") as second:
        await first.append(run_id="R", task_id="T", attempt=1, producer_agent="a", event=Progress("s"))

        assert (len(await first.list_for_attempt("T", 1)), len(await second.list_for_attempt("T", 1))) == (1, 0)
