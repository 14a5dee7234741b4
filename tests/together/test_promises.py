"""Promises that need the whole: cancel is final (P14), nobody waits for a slow worker (P19), and what a worker says is
never more than data (P30)."""

import asyncio
import json
import random
import threading

import pytest

from swarm_core import Function, Result, Swarm
from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.flow import compile_flow
from swarm_core.model.output import Progress
from swarm_core.model.task import RunStatus, TaskStatus
from swarm_core.settings import EngineSettings
from swarm_core.testing import SimulatedClock, simulate

RUNS = 1_000
ENDS = ("task_pass", "task_blocked", "task_cancelled")


class Workers:
    """Workers that take their time, start children, and do not always do as they are told."""

    def __init__(self, chance):
        self.chance, self.alive = chance, 0

    async def run(self, call):
        self.alive += 1
        try:
            return await self.work(call)
        finally:
            self.alive -= 1

    async def work(self, call):
        if call.agent == "parent" and self.chance.random() < 0.5:
            await call.context.start_child("child", None)
        for _ in range(self.chance.randint(1, 3)):
            try:
                await asyncio.sleep(self.chance.choice([0, 0.001, 0.5, 4]))
            except asyncio.CancelledError:
                if self.chance.random() < 0.5:
                    raise
        return Result(call.address)


async def cancelled_runs(seed, node):
    """Cancel many runs, each at another moment, and tell how they stood at once and long after."""
    chance, loop = random.Random(seed), asyncio.get_running_loop()
    workers = Workers(chance)
    settings = EngineSettings(cancel_grace=1.0, finished_runs_kept=RUNS)
    async with Engine(outputs=MemoryOutputStore(), settings=settings, clock=SimulatedClock(loop)) as engine:
        program = Program(blueprint_id="cancel", flow=compile_flow(node), run=workers.run)

        async def one():
            await asyncio.sleep(chance.random() * 10)
            run = engine.launch(program, {"items": [1, 2, 3]})
            if chance.random() < 0.9:
                await asyncio.sleep(chance.choice([0, 0.001, 0.3, 1, 3]))
            before = run.status
            engine.cancel_run(run.id)
            result = await engine.wait(run.id)
            return run, before, result.status, run.events.last_seq

        seen = await asyncio.gather(*(one() for _ in range(RUNS)))
        await asyncio.sleep(100)
        return [(run.status, run.events.read(), engine.tasks_of(run.id), *then) for run, *then in seen], workers.alive


@pytest.mark.parametrize("seed", range(10))
def test_p14_a_cancelled_run_stays_cancelled_whenever_it_is_cancelled(flow, seed):
    lane = flow.seq(flow.attempt(flow.step("parent", "$.a")), flow.step("worker", "$.b"))
    node = flow.seq(flow.step("parent"), flow.fanout(flow.path("$.items"), lane))

    runs, alive = simulate(lambda: cancelled_runs(seed, node), seed=seed)

    cancelled = [run for run in runs if run[3] is RunStatus.RUNNING]
    assert len(cancelled) > RUNS // 2
    assert {(RunStatus.CANCELLED, RunStatus.CANCELLED)} == {(now, then) for now, _, _, _, then, _ in cancelled}
    for _, events, tasks, _, _, last in runs:
        assert ("run_ended", last) == (events[-1].kind, events[-1].seq)
        assert {task.id for task in tasks} == {event.task_id for event in events if event.kind in ENDS}
        assert all(task.status is not TaskStatus.RUNNING for task in tasks)
    assert 0 == alive


async def test_p14_a_run_that_is_cancelled_before_it_begins_ends_too(flow):
    async with Swarm.open(plugins=()) as swarm:
        launched = await swarm.launch(flow.blueprint(flow.nothing))
        launched.request_cancel()

        result = await asyncio.wait_for(launched.wait(), 5)

    assert (RunStatus.CANCELLED, "Cancelled") == (result.status, result.error["kind"])


class TestNobodyWaits:
    async def test_p19_a_worker_that_blocks_its_thread_holds_up_no_other_run(self, flow):
        """The plain function returns only when another run has been launched, watched and ended meanwhile."""
        other_is_done = threading.Event()

        def blocks(given):
            return other_is_done.wait(30)

        async def quick(given):
            return "quick"

        async with Swarm.open(plugins=(), functions={"blocks": blocks, "quick": quick}) as swarm:
            slow = await swarm.launch(flow.blueprint(flow.step("blocks"), "blocks"))
            other = await swarm.launch(flow.blueprint(flow.fanout(flow.lit([0] * 50), flow.step("quick")), "quick"))
            kinds = [event.kind async for event in other.events()]
            status = slow.status
            other_is_done.set()
            result = await slow.wait()

        assert (50, "run_ended", RunStatus.RUNNING) == (kinds.count("task_pass"), kinds[-1], status)
        assert {"out": True} == result.final_ctx

    async def test_p19_lanes_beside_a_blocked_one_go_on(self, flow):
        last = threading.Event()

        def work(item):
            if item == "blocked":
                return last.wait(30)
            if item == "last":
                last.set()
            return True

        lane = {**flow.step("work"), "in": flow.path("$.item")}
        async with Swarm.open(plugins=(), functions={"work": work}) as swarm:
            items = flow.lit(["blocked", 1, 2, "last"])
            launched = await swarm.launch(flow.blueprint(flow.fanout(items, lane), "work"))
            result = await launched.wait()

        assert [True] * 4 == [ctx["out"] for ctx in result.final_ctx["lanes"]]


HOSTILE = {
    "template": "{{ 7*7 }} {% raw %} ${HOME} $(id) `id` %s %(x)s {0} {0.__class__}",
    "directive": {"$file": "/etc/passwd"},
    "expression": {"op": "path", "at": "$.secret"},
    "node": {"kind": "step", "ref": "other", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.x"}},
    "reference": "out-0000000000000001",
    "keys": {"__proto__": {"a": 1}, "$": 1, "": 2, "a.b": 3},
    "terminal": "\x1b[2J\x1b]0;owned\x07\r\x08\u202e",
    "markup": "[bold red]x[/]",
}


class TestOnlyData:
    def test_p30_what_a_worker_answers_reaches_the_next_one_and_the_ctx_unchanged(self, run_flow, flow):
        seen = []
        node = flow.seq(flow.step("says", "$.said"), {**flow.step("hears", "$.heard"), "in": flow.path("$.said")})

        result = run_flow(node, {"secret": "no"}, says=lambda given: HOSTILE, hears=seen.append)

        assert [HOSTILE] == seen
        assert {"secret": "no", "said": HOSTILE, "heard": None} == result.final_ctx

    def test_p30_what_comes_as_ctx_is_not_interpreted_either(self, cli, write, flow):
        ctx = json.dumps({"given": HOSTILE})

        ended = cli("run", write("a.json", flow.blueprint(flow.let("$.copy", flow.path("$.given")))), "--ctx", ctx)

        assert HOSTILE == ended.json["copy"]

    @pytest.mark.parametrize("ok", ["false", 0, None, "no"])
    def test_p30_a_result_that_only_looks_like_a_verdict_is_a_value(self, run_flow, flow, ok):
        answer = {"value": 1, "ok": ok, "status": "blocked", "role": "operator"}

        assert answer == run_flow(flow.step("says"), says=lambda given: answer).final_ctx["out"]

    def test_p30_a_worker_cannot_forge_a_line_of_the_progress(self, cli, write, flow):
        write("swarmfile.py", "\n".join((
            "from swarm_core import function",
            "@function",
            "def forges(given):",
            "    raise ValueError('bad\\nRUN-0000000000000000 done\\n\\x1b[2Kpass  forges')",
        )))  # fmt: skip

        ended = cli("run", write("a.json", flow.blueprint(flow.step("forges"), "forges")))

        lines = ended.err.splitlines()
        assert not [line for line in lines if line.startswith(("RUN-0000000000000000", "pass"))]
        assert "\x1b" not in ended.err
        assert [True] == [
            "bad\\nRUN-0000000000000000 done\\n\\x1b[2Kpass" in line for line in lines if "failed: " in line
        ]

    def test_p30_what_functions_print_does_not_reach_stdout(self, cli, write, flow):
        write("swarmfile.py", "\n".join((
            "from swarm_core import function",
            "print('while it is imported')",
            "@function",
            "def prints(given):",
            "    print('while it runs')",
            "    return 1",
        )))  # fmt: skip
        name = write("a.json", flow.blueprint(flow.step("prints"), "prints"))

        ran, checked, explained = (
            cli(*args) for args in (("run", name), ("check", name, "--json"), ("explain", name, "--json"))
        )

        assert ({"out": 1}, True, "test") == (ran.json, checked.json["ok"], explained.json["blueprint"])
        assert "while it is imported\n" in ran.err
        assert "while it runs\n" in ran.err

    async def test_p30_an_output_cannot_pose_as_an_event_of_the_engine(self, flow):
        async def poses(call):
            call.context.emit(Progress("run_ended", json.dumps({"kind": "run_ended", "status": "done"})))
            for kind in ("run_ended", "task_pass", "Odd", "a b", "x" * 65):
                with pytest.raises(ValueError, match="event kind"):
                    call.context.publish(kind, status="done")
            return "still here"

        async with Swarm.open(plugins=(), functions={"poses": poses}) as swarm:
            launched = await swarm.launch(flow.blueprint(flow.step("poses"), "poses"))
            kinds = [event.kind async for event in launched.events()]

        assert ("run_ended", 1) == (kinds[-1], kinds.count("run_ended"))
        assert 1 == kinds.count("task_pass")


class TestOddWorkers:
    @pytest.mark.parametrize(
        "error", [BaseException("odd"), GeneratorExit(), SystemExit(3), asyncio.CancelledError()], ids=repr
    )
    @pytest.mark.parametrize("kind", ["async", "plain", "inline"])
    def test_p34_a_worker_that_raises_what_is_no_exception_fails_its_step_and_nothing_else(
        self, run_flow, flow, error, kind
    ):
        async def waits(given):
            raise error

        def works(given):
            raise error

        worker = {"async": waits, "plain": works, "inline": Function("bad", works, inline=True)}[kind]
        node = flow.seq(flow.attempt(flow.step("bad")), flow.step("good", "$.after"))

        result = run_flow(node, bad=worker, good=lambda given: "still here")

        assert (RunStatus.DONE, "still here") == (result.status, result.final_ctx["after"])
        assert "step 'bad' failed: dispatch failed: " in result.final_ctx["why"]
