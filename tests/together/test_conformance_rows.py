"""Rows of the conformance table as a Blueprint meets them, from document to result (rows 16 to 21, 35 to 38, 59)."""

import pytest

from swarm_core import Result, Spawner, SpawnerFactory, Swarm, hookimpl
from swarm_core.errors import InvalidBlueprint, RejectedByMiddleware
from swarm_core.model.output import Artifact, FileRef, Final, Inline, Partial, Progress
from swarm_core.model.task import RunStatus, TaskStatus

EVENTS = {
    "finals": [Final(Inline("first"), True), Progress("between"), Final(Inline("second"), False)],
    "none": [Artifact("notes", Inline(1)), Partial("x"), Progress("half")],
    "file": [Final(FileRef("out/report.pdf", "application/pdf", 12), True)],
}


class Emits(Spawner):
    """Emits the events of its agent's name and returns nothing."""

    async def run(self, call):
        for event in EVENTS[call.agent]:
            call.context.emit(event)


class Refuses(Spawner):
    """Refuses every attempt before it begins."""

    async def run(self, call):
        raise RejectedByMiddleware("not today")


class Plugin:
    """Provides the two kinds."""

    SWARM_API = 1

    @hookimpl
    def swarm_register_spawners(self):
        kinds = {"emits": Emits, "refuses": Refuses}
        return [SpawnerFactory(kind, lambda *facts, made=made: made()) for kind, made in kinds.items()]


@pytest.fixture
def run(flow):
    """Run a flow whose steps name agents of a kind; return the result, its tasks and its events."""

    async def run(node, *names, kind="emits", **fields):
        agents = [{"name": name, "kind": kind} for name in names]
        async with Swarm.open(plugins=[Plugin()]) as swarm:
            launched = await swarm.launch({**flow.blueprint(node, **fields), "agents": agents})
            return await launched.wait(), launched.tasks(), [event async for event in launched.events()]

    return run


class TestFinals:
    async def test_row_16_the_last_of_two_finals_is_the_steps_outcome(self, run, flow):
        result, (task,), _ = await run(flow.step("finals"), "finals")

        assert (TaskStatus.BLOCKED, "second") == (task.status, task.last_result)
        assert "step 'finals' failed: blocked: \"second\"" == result.error["message"]

    async def test_row_17_without_a_final_the_task_is_blocked(self, run, flow):
        result, (task,), events = await run(flow.step("none"), "none")

        assert TaskStatus.BLOCKED == task.status
        assert "dispatch failed: no Final in output_tail" in result.error["message"]
        assert 3 == sum(event.kind == "worker_output" for event in events)
        assert ["task_attempt_failed", "task_blocked", "run_ended"] == [event.kind for event in events][-3:]

    async def test_row_19_a_file_is_written_into_the_ctx_as_its_facts(self, run, flow):
        result, _, _ = await run(flow.step("file"), "file")

        assert {"file_ref": "out/report.pdf", "mime": "application/pdf", "size_hint": 12} == result.final_ctx["out"]

    async def test_row_21_a_refused_spawn_blocks_the_task_and_fails_the_step(self, run, flow):
        result, (task,), events = await run(flow.step("a"), "a", kind="refuses")

        assert (RunStatus.FAILED, TaskStatus.BLOCKED) == (result.status, task.status)
        assert "spawn rejected by middleware: not today" in result.error["message"]
        assert "refused" == next(event for event in events if event.kind == "task_attempt_failed").data["cause"]


class TestFlow:
    def test_row_20_a_worker_that_raises_fails_its_step(self, run_flow, flow):
        def raises(given):
            raise ValueError("no luck")

        result = run_flow(flow.step("raises"), raises=raises)

        assert ("DispatcherError", "raises") == (result.error["kind"], result.error["ref"])
        assert "dispatch failed: ValueError: no luck" in result.error["message"]

    def test_row_18_row_59_a_step_that_says_no_is_an_error_that_try_catches(self, run_flow, flow):
        def says_no(given):
            return Result({"why": ["no"]}, ok=False)

        failed = run_flow(flow.step("says_no"), says_no=says_no)
        caught = run_flow(flow.attempt(flow.step("says_no")), says_no=says_no)

        text = 'step \'says_no\' failed: blocked: {"why":["no"]}'
        assert (text, text) == (failed.error["message"], caught.final_ctx["why"])
        assert (RunStatus.FAILED, RunStatus.DONE) == (failed.status, caught.status)

    @pytest.mark.parametrize(("reached", "status"), [(True, RunStatus.FAILED), (False, RunStatus.DONE)])
    async def test_row_36_an_agent_that_is_not_there_matters_when_its_step_is_reached(self, run, flow, reached, status):
        branch = {"kind": "branch", "cond": flow.lit(reached), "then": flow.step("ghost"), "else": flow.nothing}

        result, _, _ = await run(branch, strategy={"strict_refs": False})

        assert status == result.status
        assert not reached or "worker not registered: ghost" in result.error["message"]

    async def test_row_37_an_agent_of_an_unknown_kind_is_dropped_or_refused(self, run, flow):
        lax = {"strategy": {"strict_kind": False, "strict_refs": False}}

        result, _, _ = await run(flow.step("a"), "a", kind="ghost", **lax)
        with pytest.raises(InvalidBlueprint) as refused:
            await run(flow.nothing, "a", kind="ghost")

        assert "worker not registered: a" in result.error["message"]
        assert ["unknown_kind"] == [problem.code for problem in refused.value.problems]


class TestRefs:
    @pytest.mark.needs("audit")
    def test_row_35_refs_are_told_in_pre_order_from_every_kind_of_body(self, cli, write, flow):
        looping = flow.attempt(flow.loop(1, flow.step("b")), flow.step("c"))
        node = flow.seq(looping, flow.fanout(flow.lit([]), flow.step("d")), flow.step("a"))

        ended = cli("check", write("a.json", flow.blueprint(node)), "--json")

        assert [
            ("unresolved_ref", "$.flow.children[0].body.body.ref"),
            ("unresolved_ref", "$.flow.children[0].catch.ref"),
            ("unresolved_ref", "$.flow.children[1].body.ref"),
            ("unresolved_ref", "$.flow.children[2].ref"),
        ] == [(problem["code"], problem["path"]) for problem in ended.problems if problem["severity"] == "error"]

    def test_row_38_row_34_a_seat_is_told_before_a_name_that_is_there_twice(self, cli, write, flow):
        agents = [
            {"name": "w", "kind": "function", "spec": {"fn_id": "identity"}},
            {"name": "w", "kind": "function", "spec": {"fn_id": "identity"}},
            {"name": "o", "kind": "operator", "spec": {"operator_ref": "nobody"}},
        ]
        path = write("a.json", {**flow.blueprint(flow.nothing), "agents": agents})

        ended = cli("run", path, "--quiet")

        first, second = ended.err.splitlines()[:2]
        assert "operator_ref" in first or "nobody" in first
        assert "two agents are named 'w'" in second

    def test_row_38_an_undeclared_seat_is_told_with_the_declared_ones(self, cli, write, flow):
        agents = [{"name": "w", "kind": "operator", "spec": {"operator_ref": "leed"}}]
        blueprint = {**flow.blueprint(flow.nothing), "agents": agents, "operators": [{"name": "lead"}, {"name": "two"}]}

        ended = cli("check", write("a.json", blueprint), "--json")

        seat = next(problem for problem in ended.problems if problem["code"] == "unresolved_operator_ref")
        assert "did you mean 'lead'? defined: lead, two" == seat["hint"]
