"""Ending runs from outside, and removing those that ended long ago."""

import asyncio
import json
from hashlib import sha256

import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.recorded import read_events
from swarm_core.errors import EngineError, OutputNotFound, RunEnded, RunNotFound
from swarm_core.history import History
from swarm_core.model.output import Final, Inline
from swarm_core.model.run import QuestionState
from swarm_core.model.task import RunStatus


class TestCancelOfARunThatNobodyHolds:
    async def test_p14_it_ends_as_cancelled_with_all_its_tasks_and_questions_in_one_commit(self, history, keep, told):
        happened = [*told.passed("T-0", address="/children[0]"), *told.asked("T-1")]
        await keep.run("RUN-a", *happened, status=RunStatus.WAITING, questions=[told.question()])

        run = await history.ask_cancel("RUN-a", "ada")

        events = await history.events("RUN-a")
        assert ("cancelled", None, "ada") == (run.status, run.owner, run.cancel["by"])
        assert ["task_cancelled", "run_ended"] == [event.kind for event in events[-2:]]
        assert {"tasks": 2, "attempts": 2, "pass": 1, "blocked": 0, "cancelled": 1} == dict(run.counts)
        assert QuestionState.CLOSED == (await history.store.question("R-senior-T-1")).state
        assert events[-2].seq == events[-1].seq - 1
        assert [] == read_events(events).unfinished
        assert [] == list(await history.store.owners())

    async def test_an_interrupted_run_whose_owner_is_dead_is_cancelled(self, history, keep, told):
        dead = await keep.dead_owner()
        await keep.run("RUN-a", *told.begun(), status=RunStatus.RUNNING, owner=dead.id)

        run = await history.ask_cancel("RUN-a", "ada")

        assert ("cancelled", run.updated_at) == (run.status, run.ended_at)

    async def test_p14_cancelling_twice_at_once_ends_it_once(self, history, keep, told):
        await keep.run("RUN-a", *told.begun())

        runs = await asyncio.gather(*(history.ask_cancel("RUN-a", by) for by in ("ada", "bob", "eve")))

        assert {"cancelled"} == {run.status for run in runs}
        assert 1 == sum(event.kind == "run_ended" for event in await history.events("RUN-a"))

    async def test_p14_cancelling_a_cancelled_run_is_nothing_new(self, history, keep, told):
        await keep.run("RUN-a", *told.begun())
        before = await history.ask_cancel("RUN-a", "ada")

        assert before == await history.ask_cancel("RUN-a", "bob")

    @pytest.mark.parametrize("status", [RunStatus.DONE, RunStatus.FAILED])
    async def test_a_run_that_has_ended_otherwise_stays_as_it_is(self, history, keep, told, status):
        before = await keep.run("RUN-a", *told.ended(str(status)), status=status)

        with pytest.raises(RunEnded, match=str(status)):
            await history.ask_cancel("RUN-a", "ada")
        assert before == await history.store.get("RUN-a")


class TestCancelOfARunThatSomebodyHolds:
    async def test_its_owner_is_asked_and_waited_for(self, history, keep, told):
        owner = await keep.owner()
        run = await keep.run("RUN-a", status=RunStatus.RUNNING, owner=owner.id)

        async def obey():
            async with asyncio.timeout(20):
                while not (await history.store.get("RUN-a")).cancel:
                    await asyncio.sleep(0.01)
            await keep.append(run, 2, told.ended("cancelled"), status=RunStatus.CANCELLED, ended_at=5.0, release=True)

        async with asyncio.TaskGroup() as group:
            group.create_task(obey())
            ended = await history.ask_cancel("RUN-a", "ada", patience=20)

        assert ("cancelled", "ada") == (ended.status, ended.cancel["by"])

    async def test_an_owner_that_does_not_do_it_in_time_is_told_and_the_wish_holds(self, history, keep, told):
        owner = await keep.owner()
        await keep.run("RUN-a", status=RunStatus.RUNNING, owner=owner.id)

        with pytest.raises(EngineError, match=f"has not ended after 0.1 s: process {owner.pid} on {owner.host}"):
            await history.ask_cancel("RUN-a", "ada", patience=0.1)

        run = await history.store.get("RUN-a")
        assert ("running", "E-1", "ada") == (run.status, run.owner, run.cancel["by"])

    async def test_when_its_owner_dies_meanwhile_the_run_is_ended_here(self, history, keep, told):
        owner = await keep.owner()
        await keep.run("RUN-a", *told.begun(), status=RunStatus.RUNNING, owner=owner.id)

        async with asyncio.TaskGroup() as group:
            group.create_task(history.store.leave(owner.id))
            run = await history.ask_cancel("RUN-a", "ada", patience=20)

        assert "cancelled" == run.status


class TestCollect:
    @pytest.fixture
    async def runs(self, history, keep, told):
        now = history.clock.time()
        for name, status, at in (
            ("old", RunStatus.DONE, now - 1000),
            ("failed", RunStatus.FAILED, now - 1000),
            ("cancelled", RunStatus.CANCELLED, now - 1000),
            ("new", RunStatus.DONE, now - 10),
        ):
            await keep.run(f"RUN-{name}", *told.passed(), *told.ended(str(status)), status=status, at=at)
        await keep.run("RUN-interrupted", *told.begun(), at=1.0)
        await keep.run("RUN-waiting", *told.asked(), status=RunStatus.WAITING, at=1.0)

    async def ids(self, history):
        return {run.id.removeprefix("RUN-") for run in await history.runs()}

    async def test_what_ended_long_ago_is_removed_and_what_can_go_on_never(self, history, runs):
        removed = await history.collect(500)

        assert {"RUN-old", "RUN-failed", "RUN-cancelled"} == {run.id for run in removed}
        assert {"new", "interrupted", "waiting"} == await self.ids(history)

    async def test_failed_runs_can_be_kept(self, history, runs):
        await history.collect(500, keep_failed=True)

        assert {"new", "failed", "interrupted", "waiting"} == await self.ids(history)

    async def test_a_dry_run_only_tells(self, history, runs):
        before = await self.ids(history)

        told = await history.collect(500, dry_run=True)

        assert 3 == len(told)
        assert before == await self.ids(history)

    async def test_a_run_goes_with_all_it_has_left_but_not_with_what_others_refer_to(self, history, keep, told):
        shared, own = "s" * 4000, "o" * 4000
        await keep.run("RUN-a", *told.passed("T-a", [shared, own]), *told.ended(), status=RunStatus.DONE, threshold=64)
        await keep.run("RUN-b", *told.passed("T-b", [shared]), *told.ended(), status=RunStatus.DONE, threshold=64)
        ref = await history.outputs.append(
            run_id="RUN-a", task_id="T-a", attempt=1, producer_agent="writer", event=Final(Inline("fine"), ok=True)
        )
        digest = sha256(json.dumps(own).encode()).hexdigest()
        assert own == json.loads(await history.outputs.load(digest))

        await history.remove("RUN-a")

        with pytest.raises(OutputNotFound):
            await history.outputs.get(ref)
        with pytest.raises(OutputNotFound):
            await history.outputs.load(digest)
        with pytest.raises(RunNotFound):
            await history.events("RUN-a")
        assert [shared] == (await history.steps("RUN-b"))[0].result

    async def test_outputs_that_are_kept_elsewhere_go_too(self, history, keep, told):
        outputs = MemoryOutputStore()
        await keep.run("RUN-a", *told.ended(), status=RunStatus.DONE)
        final = Final(Inline("fine"), ok=True)
        ref = await outputs.append(run_id="RUN-a", task_id="T-a", attempt=1, producer_agent="writer", event=final)

        await History(history.store, outputs).remove("RUN-a")

        with pytest.raises(OutputNotFound):
            await outputs.get(ref)


class TestHealth:
    async def test_it_tells_where_runs_stand_and_who_holds_them(self, history, keep, told):
        alive, dead = await keep.owner(), await keep.dead_owner()
        await keep.run("RUN-a", status=RunStatus.RUNNING, owner=alive.id)
        await keep.run("RUN-b", status=RunStatus.RUNNING, owner=dead.id)
        await keep.run("RUN-c", *told.asked(), status=RunStatus.WAITING)
        await keep.run("RUN-d", *told.ended(), status=RunStatus.DONE)

        health = await history.health()

        counts = {status: count for status, count in health.counts.items() if count}
        assert {"running": 1, "interrupted": 1, "waiting": 1, "done": 1} == counts
        assert {("E-1", True), ("E-dead", False)} == {(owner.id, alive) for owner, alive in health.owners}
        assert (("RUN-b",), ("RUN-c",), ()) == (health.interrupted, health.waiting, health.problems)
        assert history.store.durability == health.durability
