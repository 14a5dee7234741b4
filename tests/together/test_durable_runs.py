"""Runs in a store, through the API: stopped, resumed, rerun, migrated, answered, let go of while they wait."""

import asyncio
from collections import Counter

import pytest

from swarm_core import Settings, Swarm
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.engine.offload import read_rows
from swarm_core.errors import (
    AlreadyAnswered,
    InvalidTransition,
    ResumeKeyNotFound,
    RunEnded,
    RunLost,
    RunNotFound,
    RunOwned,
    SettingsError,
    StepNotFound,
)
from swarm_core.factories import Function
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings


def path(at):
    return {"op": "path", "at": at}


def step(ref, out="$.out", value=None):
    return {"kind": "step", "ref": ref, "in": value or path("$"), "out": path(out)}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def lanes(body, join="all"):
    return {"kind": "fanout", "items": path("$.items"), "bind": path("$.item"), "join": join,
            "out": path("$.lanes"), "body": body}  # fmt: skip


def blueprint(flow, *agents, **more):
    kinds = [agent if isinstance(agent, dict) else function(agent) for agent in agents]
    return {"schema_version": "0.1.0", "id": "test", "flow": flow, "agents": kinds, **more}


def function(name):
    return {"name": name, "kind": "function", "spec": {"fn_id": name}}


class Team:
    """Functions that count their calls, and wait where they are told to."""

    def __init__(self):
        self.calls = Counter()
        self.keys = {}
        self.here = asyncio.Event()
        self.salt = 1

    @property
    def functions(self):
        named = {"work": self.work, "held": self.held, "asks": self.asks, "fails": self.fails, "parent": self.parent}
        return {**named, "expires": self.expires, "salt": Function("salt", lambda: self.salt, pure=True)}

    def _note(self, call):
        self.calls[call.address] += 1
        self.keys.setdefault(call.address, set()).add(call.idempotency_key)

    async def work(self, call):
        self._note(call)
        return {"at": call.address, "n": self.calls[call.address]}

    async def held(self, call):
        self._note(call)
        self.here.set()
        if self.calls[call.address] == 1:
            await asyncio.get_running_loop().create_future()
        return {"at": call.address, "n": self.calls[call.address]}

    async def asks(self, call):
        self._note(call)
        self.here.set()
        return [await call.context.ask("first?"), await call.context.ask("second?")]

    async def expires(self, call):
        return await call.context.ask("well?", timeout=0.3, default="no")

    async def fails(self, call):
        self._note(call)
        raise ValueError("as ever")

    async def parent(self, call):
        self._note(call)
        one = await call.context.start_child("work", "one")
        two = await call.context.start_child("held", "two")
        return [one.value, two.value]


@pytest.fixture
def team():
    return Team()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request, tmp_path, team):
    """Open a swarm on a store that stays when it is closed."""
    store = MemoryRunStore() if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"

    def open_swarm(**options):
        return Swarm.open(plugins=(), functions=team.functions, store=store, **options)

    return open_swarm


async def stopped(opened, team, document, **launch):
    """Launch, wait until a worker is at work, and close the swarm; return the run's id."""
    async with opened() as swarm:
        launched = await swarm.launch(document, **launch)
        await asyncio.wait_for(team.here.wait(), 10)
        await asyncio.sleep(0.05)
        return launched.id


async def resumed(opened, run_id):
    async with opened() as swarm:
        launched = await swarm.resume(run_id)
        return await asyncio.wait_for(launched.wait(), 10)


class TestResume:
    async def test_p3_p4_recorded_steps_are_reused_and_the_one_under_way_runs_again_with_its_key(self, opened, team):
        document = blueprint(seq(step("work", "$.a"), step("held", "$.b"), step("work", "$.c")), "work", "held")
        run_id = await stopped(opened, team, document, init_ctx={})

        result = await resumed(opened, run_id)

        assert (RunStatus.DONE, 1, 1) == (result.status, result.reused, result.again)
        assert {"/0": 1, "/1": 2, "/2": 1} == team.calls
        assert {f"{run_id}:/1"} == team.keys["/1"]
        assert 2 == result.final_ctx["b"]["n"]

    async def test_lanes_that_are_done_are_not_run_again(self, opened, team):
        flow = lanes({"kind": "branch", "cond": {"op": "eq", "lhs": path("$.item"), "rhs": {"op": "lit", "value": 3}},
                      "then": step("held"), "else": step("work")})  # fmt: skip
        run_id = await stopped(opened, team, blueprint(flow, "work", "held"), init_ctx={"items": [1, 2, 3, 4]})

        result = await resumed(opened, run_id)

        assert RunStatus.DONE == result.status
        arms = enumerate(("else", "else", "then", "else"))
        assert [1, 1, 2, 1] == [team.calls[f"/lane@{lane}/{arm}"] for lane, arm in arms]

    async def test_children_that_are_done_are_not_run_again(self, opened, team):
        run_id = await stopped(opened, team, blueprint(step("parent"), "parent", "work", "held"), init_ctx={})

        result = await resumed(opened, run_id)

        assert {"/": 2, "/child@0": 1, "/child@1": 2} == team.calls
        assert RunStatus.DONE == result.status

    async def test_a_failure_that_is_recorded_fails_the_flow_in_the_same_way(self, opened, team):
        caught = {"kind": "try", "body": step("fails"), "catch": seq(), "err_at": path("$.why")}
        document = blueprint(seq(caught, step("held", "$.b")), "fails", "held")
        run_id = await stopped(opened, team, document, init_ctx={})

        result = await resumed(opened, run_id)

        assert 1 == team.calls["/0/body"]
        assert "as ever" in result.final_ctx["why"]

    async def test_cl155_what_cannot_be_resumed_says_why(self, opened, team):
        async with opened() as swarm:
            done = await swarm.launch(blueprint(step("work"), "work"), init_ctx={})
            await done.wait()
            running = await swarm.launch(blueprint(step("held"), "held"), init_ctx={})
            with pytest.raises(RunEnded, match="has ended"):
                await swarm.resume(done.id)
            with pytest.raises(RunOwned, match="this engine"):
                await swarm.resume(running.id)
            with pytest.raises(RunNotFound):
                await swarm.resume("RUN-0000000000000000")

    async def test_a_run_of_a_living_engine_is_left_to_it(self, opened, team):
        async with opened() as one:
            running = await one.launch(blueprint(step("held"), "held"), init_ctx={})
            async with opened() as other:
                with pytest.raises(RunOwned, match="process"):
                    await other.resume(running.id)

    async def test_p12_a_replay_that_diverges_stops_before_anything_runs(self, opened, team):
        salted = {"kind": "let", "at": "$.salt", "value": {"op": "call_extern", "ref": "salt", "args": []}}
        document = blueprint(seq(salted, step("work", "$.a"), step("held", "$.b")), "work", "held")
        run_id = await stopped(opened, team, document, init_ctx={})
        before = dict(team.calls)
        team.salt = 2

        result = await resumed(opened, run_id)
        again = await resumed(opened, run_id)

        assert (RunStatus.INTERRUPTED, "RunDiverged") == (result.status, result.error["kind"])
        assert "another input" in result.error["message"]
        assert result.error == again.error
        assert before == team.calls

    async def test_without_a_store_there_is_nothing_to_resume(self, team):
        async with Swarm.open(plugins=(), functions=team.functions) as swarm:
            with pytest.raises(SettingsError, match="needs a run store"):
                await swarm.resume("RUN-1")


class TestRerun:
    async def test_a_rerun_shares_what_came_before_and_leaves_the_old_run_as_it_is(self, opened, team):
        document = blueprint(seq(step("work", "$.a"), step("work", "$.b"), step("work", "$.c")), "work")
        async with opened() as swarm:
            old = await swarm.launch(document, init_ctx={})
            before = await old.wait()
            new = await swarm.rerun(old.id, ["/1"])
            result = await new.wait()
            stored = await swarm.store.get(old.id)

        assert {"/0": 1, "/1": 2, "/2": 2} == team.calls
        assert before.final_ctx["a"] == result.final_ctx["a"]
        assert (2, old.id, 1) == (result.final_ctx["b"]["n"], (await parent_of(opened, new.id)), result.reused)
        assert RunStatus.DONE == stored.status

    async def test_only_the_failed_lane_is_run_again(self, opened, team):
        flow = lanes({"kind": "branch", "cond": {"op": "eq", "lhs": path("$.item"), "rhs": {"op": "lit", "value": 2}},
                      "then": step("fails"), "else": step("work")}, join="all_settled")  # fmt: skip
        async with opened() as swarm:
            old = await swarm.launch(blueprint(flow, "work", "fails"), init_ctx={"items": [1, 2, 3]})
            await old.wait()
            await (await swarm.rerun(old.id)).wait()

        assert {"/lane@0/else": 1, "/lane@1/then": 2, "/lane@2/else": 1} == team.calls

    async def test_a_step_that_is_not_there_is_named_with_the_nearest(self, opened, team):
        async with opened() as swarm:
            old = await swarm.launch(blueprint(seq(step("work"), step("work")), "work"), init_ctx={})
            await old.wait()
            with pytest.raises(StepNotFound, match="/7"):
                await swarm.rerun(old.id, ["/7"])
            with pytest.raises(InvalidTransition, match="no step of run"):
                await swarm.rerun(old.id)


async def parent_of(opened, run_id):
    async with opened() as swarm:
        return (await swarm.store.get(run_id)).parent


class TestMigrate:
    async def test_what_stays_valid_is_kept_and_the_rest_runs_again(self, opened, team):
        old = blueprint(seq(step("work", "$.a", path("$.x")), step("work", "$.b", path("$.a")), step("held", "$.c")),
                        "work", "held")  # fmt: skip
        other = step("work", "$.b", path("$.x"))
        new = blueprint(seq(step("work", "$.a", path("$.x")), other, step("work", "$.c")), "work")
        run_id = await stopped(opened, team, old, init_ctx={"x": 1})

        async with opened() as swarm:
            plan = await swarm.plan_migration(run_id, new)
            untouched = await swarm.store.get(run_id)
            moved = await swarm.migrate(plan)
            result = await (await swarm.resume(run_id)).wait()

        assert (["/0"], ["/1"]) == ([note.address for note in plan.kept], [note.address for note in plan.again])
        assert untouched.blueprint_hash == plan.before
        assert (moved.blueprint_hash, RunStatus.INTERRUPTED) == (plan.digest, moved.status)
        assert (RunStatus.DONE, {"/0": 1, "/1": 2, "/2": 2}) == (result.status, dict(team.calls))

    async def test_a_plan_that_came_too_late_changes_nothing(self, opened, team):
        old = blueprint(seq(step("work", "$.a"), step("held", "$.b")), "work", "held")
        run_id = await stopped(opened, team, old, init_ctx={})
        async with opened() as swarm:
            plan = await swarm.plan_migration(run_id, blueprint(step("work"), "work"))
            await (await swarm.resume(run_id)).interrupt("by hand")
            with pytest.raises((RunLost, RunEnded)):
                await swarm.migrate(plan)
            after = await swarm.store.get(run_id)

        assert plan.before == after.blueprint_hash


class SlowStore(MemoryRunStore):
    """Takes its time to tell of runs: what is committed meanwhile is not among them."""

    async def runs(self, wanted):
        found = await super().runs(wanted)
        await asyncio.sleep(0.05)
        return found


class TestHolding:
    async def test_runs_that_are_begun_or_let_go_of_while_the_store_is_read_are_not_lost(self):
        async def never(given):
            await asyncio.get_running_loop().create_future()

        settings = Settings(engine=EngineSettings(lease=0.15))
        waiting = blueprint(step("boss"), {"name": "boss", "kind": "ask", "spec": {"question": "?"}})
        async with Swarm.open(settings, plugins=(), functions={"never": never}, store=SlowStore()) as swarm:
            runs, asking = [], []
            for _ in range(25):
                runs.append(await swarm.launch(blueprint(step("never"), "never"), init_ctx={}))
                asking.append(await swarm.launch(waiting, init_ctx={}))
                await asyncio.sleep(0.02)
            standing = {run.status for run in runs}
            rests = [await run.wait(or_waiting=True) for run in asking]
            for rest in rests:
                await swarm.answer(rest.questions[0], "yes")
            answered = [await asyncio.wait_for(run.wait(), 10) for run in asking]

        assert {RunStatus.RUNNING} == standing
        assert {RunStatus.DONE} == {result.status for result in answered}


class TestQuestions:
    async def test_p18_an_answer_outlives_the_process_and_the_question_keeps_its_key(self, opened, team):
        run_id = await stopped(opened, team, blueprint(step("asks"), "asks"), init_ctx={})
        async with opened() as swarm:
            (question,) = await swarm.store.questions(run_id, open_only=True)
            before = await swarm.store.get(run_id)
            await swarm.answer(question.key, "one", by="ann")
            with pytest.raises(AlreadyAnswered, match="by ann at 20") as late:
                await swarm.answer(question.key, "late")
            assert ("ann", question.key) == (late.value.by, late.value.key)
            with pytest.raises(ResumeKeyNotFound):
                await swarm.answer("R-senior-none", 1)
            launched = await swarm.resume(run_id)
            waiting = await asyncio.wait_for(launched.wait(or_waiting=True), 10)
            await swarm.answer(waiting.questions[0], "two")
            result = await asyncio.wait_for(launched.wait(), 10)

        assert RunStatus.WAITING == before.status
        assert ["one", "two"] == result.final_ctx["out"]
        assert 2 == team.calls["/"]

    async def test_an_answer_given_in_the_store_reaches_the_engine_that_holds_the_run(self, opened, team):
        async with opened() as swarm:
            launched = await swarm.launch(blueprint(step("asks"), "asks"), init_ctx={})
            for answer in ("one", "two"):
                waiting = await asyncio.wait_for(launched.wait(or_waiting=True), 10)
                await swarm.store.answer(waiting.questions[0], answer, by="other process", at=1.0)
                await asyncio.sleep(0.3)
            result = await asyncio.wait_for(launched.wait(), 10)

        assert ["one", "two"] == result.final_ctx["out"]

    async def test_p17_a_run_that_only_waits_is_let_go_of_and_goes_on_when_it_is_answered(self, opened, team):
        asks = {"name": "boss", "kind": "ask", "spec": {}}
        async with opened() as swarm:
            launched = await swarm.launch(
                blueprint(seq(step("work", "$.a"), step("boss", "$.b")), "work", asks), init_ctx={}
            )
            waiting = await asyncio.wait_for(launched.wait(or_waiting=True), 10)
            await asyncio.sleep(0.05)
            in_memory = launched.id in swarm.engine.state.runs
            await swarm.answer(waiting.questions[0], "yes")
            result = await asyncio.wait_for(launched.wait(), 10)

        assert not in_memory
        assert (RunStatus.DONE, "yes", 1) == (result.status, result.final_ctx["b"], team.calls["/0"])

    async def test_a_question_whose_time_is_over_has_its_default_also_when_nobody_was_there(self, opened, team):
        document = blueprint(step("expires"), "expires")
        async with opened() as swarm:
            launched = await swarm.launch(document, init_ctx={})
            while not await swarm.store.questions(launched.id):
                await asyncio.sleep(0.01)

        result = await resumed(opened, launched.id)
        again = await kinds_of(opened, launched.id)

        assert "no" == result.final_ctx["out"]
        assert (1, 0) == (again.count("question_expired"), again.count("senior_answered"))


async def kinds_of(opened, run_id):
    async with opened() as swarm:
        rows = await swarm.store.rows(run_id)
        return [event.kind for event in await read_rows(rows, swarm.outputs.load)]


class TestLaunch:
    async def test_p7_the_same_key_gives_the_same_run(self, opened, team):
        document = blueprint(step("held"), "held")
        async with opened() as swarm:
            first = await swarm.launch(document, init_ctx={}, key="order-7")
            second = await swarm.launch(document, init_ctx={}, key="order-7")
            both = await asyncio.gather(*(swarm.launch(document, init_ctx={}, key="order-8") for _ in range(2)))
        async with opened() as swarm:
            third = await swarm.launch(document, init_ctx={}, key="order-7")
            result = await asyncio.wait_for(third.wait(), 10)

        assert first.id == second.id == third.id
        assert 1 == len({launched.id for launched in both})
        assert RunStatus.DONE == result.status

    async def test_p7_the_key_of_a_run_that_this_engine_has_interrupted_lets_it_go_on(self, opened, team):
        async with opened() as swarm:
            first = await swarm.launch(blueprint(step("held"), "held"), init_ctx={}, key="order-9")
            await team.here.wait()
            await first.interrupt("a pause")
            again = await swarm.launch(blueprint(step("held"), "held"), init_ctx={}, key="order-9")
            result = await again.wait()

        assert (first.id, RunStatus.DONE) == (again.id, result.status)
        assert Counter({"/": 2}) == team.calls

    async def test_a_cancel_asked_for_in_the_store_reaches_the_run(self, opened, team):
        async with opened() as swarm:
            launched = await swarm.launch(blueprint(step("held"), "held"), init_ctx={})
            await swarm.store.ask_cancel(launched.id, "ann", 1.0)
            result = await asyncio.wait_for(launched.wait(), 10)
            stored = await swarm.store.get(launched.id)

        assert RunStatus.CANCELLED == result.status == stored.status

    async def test_p14_a_cancel_asked_for_while_nobody_held_the_run_ends_it_when_it_is_resumed(self, opened, team):
        run_id = await stopped(opened, team, blueprint(step("held"), "held"), init_ctx={})
        async with opened() as swarm:
            await swarm.cancel(run_id)
            result = await (await swarm.resume(run_id)).wait()

        assert RunStatus.CANCELLED == result.status
        assert 1 == team.calls["/"]
