"""Runs as they stand: found by the beginning of their ids, told by what of their owners lives."""

import asyncio

import pytest

from swarm_core.errors import RunNotFound, SettingsError, StoreUnreadable
from swarm_core.history import History, open_history, open_store
from swarm_core.model.run import JournalRow, QuestionState, RunFilter, RunWrite
from swarm_core.model.task import RunStatus, TaskStatus
from swarm_core.settings import Settings


class TestNames:
    async def test_a_run_is_found_by_its_id_and_by_its_beginning(self, history, keep):
        await keep.run("RUN-abc1")
        await keep.run("RUN-xyz")

        found = [await history.run(name) for name in ("RUN-abc1", "RUN-a", "abc", "x")]

        assert ["RUN-abc1", "RUN-abc1", "RUN-abc1", "RUN-xyz"] == [run.id for run in found]

    async def test_cl154_an_ambiguous_beginning_lists_the_runs_that_have_it(self, history, keep):
        for name in ("RUN-ab1", "RUN-ab2", "RUN-c"):
            await keep.run(name)

        with pytest.raises(RunNotFound, match="several begin with it: RUN-ab2, RUN-ab1; write more of the id"):
            await history.run("RUN-ab")

    async def test_an_id_that_begins_another_is_itself(self, history, keep):
        await keep.run("RUN-ab")
        await keep.run("RUN-abc")

        assert "RUN-ab" == (await history.run("RUN-ab")).id

    async def test_cl154_a_run_of_another_store_is_not_found_and_the_error_says_where_was_looked(self, history, keep):
        await keep.run("RUN-5d0c2f9a41b7e603")

        with pytest.raises(RunNotFound) as caught:
            await history.run("RUN-5d0c2f9a41b7e604")

        assert "RUN-5d0c2f9a41b7e603" in str(caught.value)
        assert history.store.url in str(caught.value)

    @pytest.mark.parametrize("name", ["", "'; DROP TABLE runs; --", "%", "RUN-a\nb", "\N{SNOWMAN}", "*"])
    async def test_odd_names_are_not_found(self, history, keep, name):
        await keep.run("RUN-ab")
        await keep.run("RUN-cd")

        with pytest.raises(RunNotFound):
            await history.run(name)


class TestOwners:
    async def test_a_run_whose_owner_lives_is_running_and_one_whose_owner_is_dead_is_interrupted(self, history, keep):
        alive, dead = await keep.owner(), await keep.dead_owner()
        await keep.run("RUN-a", status=RunStatus.RUNNING, owner=alive.id)
        await keep.run("RUN-b", status=RunStatus.RUNNING, owner=dead.id)
        await keep.run("RUN-c", status=RunStatus.RUNNING, owner="E-forgotten")

        standing = {run.id: (run.status, run.owner) for run in await history.runs()}

        assert {
            "RUN-a": ("running", "E-1"),
            "RUN-b": ("interrupted", None),
            "RUN-c": ("interrupted", None),
        } == standing

    async def test_an_owner_that_gives_no_sign_of_life_for_longer_than_its_lease_is_dead(self, history, keep):
        silent = await keep.owner(seen_mono=history.clock.monotonic() - 100, seen_at=history.clock.time() - 100)
        await keep.run("RUN-a", status=RunStatus.RUNNING, owner=silent.id)

        patient = History(history.store, history.outputs, lease=1000)

        assert "interrupted" == (await history.stands("RUN-a")).status
        assert "running" == (await patient.stands("RUN-a")).status

    async def test_filters_go_by_where_a_run_stands(self, history, keep, told):
        alive = await keep.owner()
        await keep.run("RUN-a", status=RunStatus.RUNNING, owner=alive.id)
        await keep.run("RUN-b", status=RunStatus.RUNNING, owner="E-dead")
        await keep.run("RUN-c", status=RunStatus.INTERRUPTED)
        await keep.run("RUN-d", *told.ended(), status=RunStatus.DONE)

        async def ids(*statuses, **facts):
            return [run.id for run in await history.runs(RunFilter(statuses=statuses, **facts))]

        assert ["RUN-c", "RUN-b"] == await ids(RunStatus.INTERRUPTED)
        assert ["RUN-a"] == await ids(RunStatus.RUNNING)
        assert ["RUN-d", "RUN-c", "RUN-b"] == await ids(RunStatus.INTERRUPTED, RunStatus.DONE)
        assert ["RUN-c"] == await ids(RunStatus.INTERRUPTED, limit=1)
        assert ["RUN-b"] == await ids(RunStatus.INTERRUPTED, before="RUN-c")


class TestResumable:
    async def test_interrupted_runs_and_those_whose_answers_came_can_go_on_the_oldest_first(self, history, keep, told):
        alive = await keep.owner()
        waiting = {"status": RunStatus.WAITING}
        await keep.run("RUN-a")
        await keep.run("RUN-b", *told.asked("T-b", "R-b"), questions=[told.question("R-b", "RUN-b", "T-b")], **waiting)
        await keep.run("RUN-c", *told.asked("T-c", "R-c"), questions=[told.question("R-c", "RUN-c", "T-c")], **waiting)
        await keep.run("RUN-d", status=RunStatus.RUNNING, owner="E-dead")
        await keep.run("RUN-e", status=RunStatus.RUNNING, owner=alive.id)
        await keep.run("RUN-f", *told.ended(), status=RunStatus.DONE)
        await history.store.answer("R-c", "left", by="ada", at=2.0)

        assert ["RUN-a", "RUN-c", "RUN-d"] == [run.id for run in await history.resumable()]

    async def test_a_question_whose_time_is_over_lets_its_run_go_on(self, history, keep, told):
        over, not_yet = history.clock.time() - 1, history.clock.time() + 1000
        for name, expires in (("a", over), ("b", not_yet)):
            await keep.run(
                f"RUN-{name}", *told.asked(f"T-{name}", f"R-{name}"), status=RunStatus.WAITING,
                questions=[told.question(f"R-{name}", f"RUN-{name}", f"T-{name}", expires_at=expires)],
            )  # fmt: skip

        assert ["RUN-a"] == [run.id for run in await history.resumable()]

    async def test_an_answer_that_was_taken_before_does_not_let_a_run_go_on(self, history, keep, told):
        happened = [*told.asked("T-1", "R-1"), ("senior_answered", "T-1", 1, {"key": "R-1", "answer": 1, "by": "ada"}),
                    ("task_resumed", "T-1", 1, {"key": "R-1"}), *told.asked("T-1", "R-2")[2:]]  # fmt: skip
        answered = told.question("R-1", state=QuestionState.ANSWERED, answer=1, answered_by="ada", answered_at=2.0)
        await keep.run("RUN-a", *happened, status=RunStatus.WAITING, questions=[answered, told.question("R-2")])

        assert [] == await history.resumable()


class TestEvents:
    async def test_events_come_in_order_from_any_number_on(self, history, keep, told):
        await keep.run("RUN-a", *told.passed("T-1"), *told.passed("T-2"), *told.ended(), status=RunStatus.DONE, rows=4)

        everything = await history.events("RUN-a")

        assert list(range(1, 11)) == [event.seq for event in everything]
        for after in range(11):
            assert everything[after:] == await history.events("RUN-a", after)

    async def test_large_values_stand_in_their_places(self, history, keep, told):
        result = {"verdict": "ok", "log": "x" * 5000, "nested": {"$output": "y" * 5000}}
        await keep.run(
            "RUN-a",
            *told.passed(result=result),
            *told.ended(),
            status=RunStatus.DONE,
            result={"out": result},
            threshold=64,
        )

        (step,) = await history.steps("RUN-a")

        assert result == step.result
        assert {"out": result} == await history.result("RUN-a")

    async def test_a_row_that_does_not_decode_is_named_and_the_other_runs_are_read(self, history, keep):
        run = await keep.run("RUN-a")
        await keep.run("RUN-b")
        row = JournalRow(run_id="RUN-a", first_seq=2, last_seq=2, body="[[]]")
        await history.store.commit([RunWrite(run_id="RUN-a", epoch=run.epoch, rows=(row,))])

        with pytest.raises(StoreUnreadable, match="events 2 to 2 of run RUN-a do not decode"):
            await history.events("RUN-a")
        assert 1 == len(await history.events("RUN-b"))


class TestSteps:
    async def test_steps_tell_where_they_stand_how_often_they_were_tried_and_what_came_of_them(
        self, history, keep, told
    ):
        failed = {"error": "no luck", "cause": "failed", "retry_in": 0.5}
        await keep.run(
            "RUN-a",
            *told.passed("T-1", address="/children[0]", result=7),
            *told.begun("T-2", "critic", "/children[1]"),
            ("task_attempt_failed", "T-2", 1, failed),
            ("task_attempt_started", "T-2", 2, {"agent": "critic"}),
            ("budget_spent", "T-2", 2, {"spent": {"tokens": 12}}),
            ("budget_spent", "T-2", 2, {"spent": {"tokens": 3, "cost": 0.5}}),
            ("task_attempt_failed", "T-2", 2, {"error": "again", "cause": "failed"}),
            ("task_blocked", "T-2", 2, {"result": None, "error": "again"}),
            *told.begun("T-3", address="/children[2]"),
        )

        first, second, third = await history.steps("RUN-a")

        assert ("/children[0]", "writer", "pass", 1, 3.0, 7) == (
            first.address, first.agent, first.status, first.attempts, first.seconds, first.result
        )  # fmt: skip
        assert ("blocked", 2, "again", {"tokens": 15, "cost": 0.5}) == (
            second.status, second.attempts, second.error, second.spent
        )  # fmt: skip
        assert (TaskStatus.RUNNING, None, False) == (third.status, third.seconds, third.ended)

    async def test_children_are_told_with_the_task_that_started_them(self, history, keep, told):
        await keep.run("RUN-a", *told.begun("T-1"), *told.passed("T-2", address="/children[0]/child@0", parent="T-1"))

        parent, child = await history.steps("RUN-a")

        assert (("T-2",), "T-1") == (parent.children, child.parent)

    async def test_a_step_that_waits_says_on_what(self, history, keep, told):
        await keep.run("RUN-a", *told.asked(key="R-1"))

        (step,) = await history.steps("RUN-a")

        assert (TaskStatus.SUSPENDED, "R-1") == (step.status, step.question)

    async def test_a_migration_drops_what_has_lost_its_place_with_all_it_had_started(self, history, keep, told):
        await keep.run(
            "RUN-a",
            *told.passed("T-1", address="/children[0]"),
            *told.passed("T-2", address="/children[1]"),
            *told.passed("T-3", address="/children[1]/child@0", parent="T-2"),
            ("run_migrated", None, None, {"from": "a", "to": "b", "dropped": ["/children[1]"]}),
            *told.passed("T-4", address="/children[1]", result="new"),
        )

        assert ["T-1", "T-4"] == [step.task_id for step in await history.steps("RUN-a")]


class TestFollow:
    async def test_an_ended_run_is_told_to_its_end(self, history, keep, told):
        await keep.run("RUN-a", *told.passed(), *told.ended(), status=RunStatus.DONE)

        followed = [event.kind async for event in history.follow("RUN-a")]

        assert ["run_started", "run_ended"] == [followed[0], followed[-1]]

    async def test_a_run_that_nobody_holds_is_told_as_far_as_it_is(self, history, keep, told):
        await keep.run("RUN-a", *told.begun())

        assert 3 == len([event async for event in history.follow("RUN-a")])

    async def test_p5_what_is_written_meanwhile_is_told_once_and_in_order_until_the_end(self, history, keep, told):
        owner = await keep.owner()
        run = await keep.run("RUN-a", status=RunStatus.RUNNING, owner=owner.id)
        seen = asyncio.Queue()

        async def follow():
            async for event in history.follow("RUN-a"):
                await seen.put(event)

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(follow())
            assert 1 == (await seen.get()).seq
            await keep.append(run, 2, [("task_created", "T-1", None, {"agent": "a", "address": "/"})])
            assert 2 == (await seen.get()).seq
            change = await keep.append(run, 3, told.ended(), status=RunStatus.DONE)
            assert 3 == (await seen.get()).seq

        assert seen.empty()
        assert change == {}

    async def test_following_ends_when_the_owner_dies(self, history, keep, told):
        owner = await keep.owner()
        await keep.run("RUN-a", *told.begun(), status=RunStatus.RUNNING, owner=owner.id)
        kinds = []

        async with asyncio.timeout(20):
            async for event in history.follow("RUN-a"):
                kinds.append(event.kind)
                if len(kinds) == 3:
                    await history.store.leave(owner.id)

        assert "task_attempt_started" == kinds[-1]
        assert "interrupted" == (await history.stands("RUN-a")).status


class TestOpening:
    async def test_the_store_of_the_settings_is_opened_where_none_is_named(self, tmp_path):
        from swarm_core.settings import load_settings

        settings = load_settings(overrides={"store.url": f"sqlite:///{tmp_path}/one.db"}, environ={}, cwd=tmp_path)

        async with open_store(settings) as store:
            assert f"sqlite:///{tmp_path}/one.db" == store.url
        assert (tmp_path / "one.db").exists()

    @pytest.mark.parametrize(
        ("url", "hint"), [("sqlit:///x.db", "did you mean 'sqlite'"), ("postgres://me:secret@x/y", "installed")]
    )
    async def test_an_unknown_scheme_is_told_with_the_nearest_and_without_what_may_be_secret(self, url, hint):
        with pytest.raises(SettingsError) as caught:
            async with open_history(Settings(), url):
                pass

        assert hint in str(caught.value)
        assert "secret" not in str(caught.value)
