"""Runs: flows over tasks, with timeouts, retries, limits, cancel and events."""

import asyncio

import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.errors import EngineClosed, RunNotFound
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings

PATH = {"op": "path", "at": "$.items"}


def fanout(body, *, items=PATH, join="all", out="$.lanes", **extra):
    at = {"op": "path", "at": "$.item"}
    return {"kind": "fanout", "items": items, "bind": at, "body": body, "join": join,
            "out": {"op": "path", "at": out}, **extra}  # fmt: skip


def lane(ref="worker"):
    return {"kind": "step", "ref": ref, "in": {"op": "path", "at": "$.item"}, "out": {"op": "path", "at": "$.done"}}


def retrying(**facts):
    return Retry(**{"max_attempts": 3, "backoff": 0.001, "max_backoff": 0.002, "on": frozenset({"failed"}), **facts})


class TestEnds:
    async def test_a_run_ends_with_the_flows_final_ctx(self, desk, program, one_step, workers):
        run = desk.engine.launch(program(one_step(value={"a": 1}), workers["echo"]), {"kept": True})

        result = await desk.engine.wait(run.id)

        assert (RunStatus.DONE, {"kept": True, "out": {"a": 1}}) == (result.status, result.final_ctx)
        assert {"tasks": 1, "attempts": 1, "pass": 1, "blocked": 0, "cancelled": 0} == result.counts

    async def test_events_are_numbered_without_a_gap_and_end_with_run_ended(self, desk, program, one_step, workers):
        run = desk.engine.launch(program(one_step(), workers["echo"]), {})

        events = [event async for event in desk.engine.follow(run.id)]

        assert list(range(1, len(events) + 1)) == [event.seq for event in events]
        kinds = [
            "run_started",
            "task_created",
            "task_attempt_started",
            "task_attempt_completed",
            "task_pass",
            "run_ended",
        ]
        assert kinds == [event.kind for event in events]
        assert {run.id} == {event.run_id for event in events}

    async def test_row_59_a_blocked_step_is_an_error_that_names_the_ref_and_the_value(self, desk, program, one_step):
        async def unhappy(call):
            return Result({"why": "no"}, ok=False)

        result = await desk.engine.wait(desk.engine.launch(program(one_step("critic"), unhappy), {}).id)

        assert RunStatus.FAILED == result.status
        assert ("DispatcherError", "critic", "/") == tuple(result.error[key] for key in ("kind", "ref", "address"))
        assert 'blocked: {"why":"no"}' in result.error["message"]

    async def test_row_59_a_blocked_step_can_be_caught_by_try(self, desk, program, one_step):
        async def unhappy(call):
            return Result("no", ok=False)

        caught = {"kind": "let", "at": "$.caught", "value": {"op": "lit", "value": True}}
        flow = {"kind": "try", "body": one_step(), "catch": caught, "err_at": {"op": "path", "at": "$.why"}}

        result = await desk.engine.wait(desk.engine.launch(program(flow, unhappy), {}).id)

        assert RunStatus.DONE == result.status
        assert result.final_ctx["caught"] is True
        assert 'blocked: "no"' in result.final_ctx["why"]

    async def test_the_ctx_is_the_runs_own(self, desk, program, one_step):
        given = {"deep": {"list": [1]}}

        async def meddling(call):
            call.input["list"].append(2)
            return Result(call.input)

        flow = {**one_step(), "in": {"op": "path", "at": "$.deep"}}
        await desk.engine.wait(desk.engine.launch(program(flow, meddling), given).id)

        assert {"deep": {"list": [1]}} == given

    async def test_an_unknown_run_is_named_with_the_nearest(self, desk, program, one_step, workers):
        run = desk.engine.launch(program(one_step(), workers["echo"]), {})

        with pytest.raises(RunNotFound, match=f"did you mean '{run.id}'"):
            desk.engine.status(run.id[:-1] + "x")


class TestPolicies:
    async def test_a_failed_attempt_is_made_again_as_often_as_allowed(self, desk, program, one_step):
        async def second_time_lucky(call):
            if call.attempt < 3:
                raise RuntimeError(f"try {call.attempt}")
            return Result(call.idempotency_key)

        policies = {"worker": AgentPolicy(retry=retrying())}
        run = desk.engine.launch(program(one_step(), second_time_lucky, policies=policies), {})
        result = await desk.engine.wait(run.id)

        assert {"out": f"{run.id}:/"} == result.final_ctx
        assert (1, 3) == (result.counts["tasks"], result.counts["attempts"])
        failed = [event for event in run.events.read() if event.kind == "task_attempt_failed"]
        assert [True, True] == ["retry_in" in event.data for event in failed]

    async def test_a_cause_that_is_not_listed_is_not_tried_again(self, desk, program, one_step):
        async def unhappy(call):
            return Result("no", ok=False)

        policies = {"worker": AgentPolicy(retry=retrying())}
        result = await desk.engine.wait(desk.engine.launch(program(one_step(), unhappy, policies=policies), {}).id)

        assert (RunStatus.FAILED, 1) == (result.status, result.counts["attempts"])

    async def test_a_worker_that_takes_too_long_is_ended_and_tried_again(self, desk, program, one_step):
        ended = []

        async def slow_once(call):
            if call.attempt == 1:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(call.attempt)
            return Result("in time")

        policies = {"worker": AgentPolicy(timeout=0.02, retry=retrying(on=frozenset({"timeout"})))}
        run = desk.engine.launch(program(one_step(), slow_once, policies=policies), {})
        result = await desk.engine.wait(run.id)

        assert ({"out": "in time"}, [1]) == (result.final_ctx, ended)
        (failed,) = [event for event in run.events.read() if event.kind == "task_attempt_failed"]
        assert "timeout" == failed.data["cause"]

    async def test_p13_a_timed_out_attempt_that_answers_after_all_changes_nothing(self, desk, program, one_step):
        async def late(call):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Result("too late")

        run = desk.engine.launch(program(one_step(), late, policies={"worker": AgentPolicy(timeout=0.02)}), {})
        result = await desk.engine.wait(run.id)

        assert RunStatus.FAILED == result.status
        assert "no result after 0.02 s" in result.error["message"]
        assert "late_result_ignored" in desk.kinds(run.id)

    async def test_the_time_of_an_attempt_stands_still_while_it_waits_for_an_answer(self, desk, program, one_step):
        async def asking(call):
            return Result(await call.context.ask("may I?"))

        policies = {"worker": AgentPolicy(timeout=0.05)}
        run = desk.engine.launch(program(one_step(), asking, policies=policies), {})
        await asyncio.sleep(0.15)
        (task,) = run.live.values()
        await desk.door.resume(desk.token_for(Role.SENIOR), task.suspended_on, "yes")

        assert {"out": "yes"} == (await desk.engine.wait(run.id)).final_ctx

    async def test_no_more_attempts_of_an_agent_run_at_once_than_allowed(self, desk, program):
        now, most = 0, 0

        async def counted(call):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.002)
            now -= 1
            return Result(call.input)

        policies = {"worker": AgentPolicy(concurrency=3)}
        run = desk.engine.launch(program(fanout(lane()), counted, policies=policies), {"items": list(range(20))})
        result = await desk.engine.wait(run.id)

        assert (20, 3) == (result.counts["pass"], most)


class TestCancel:
    async def test_cancel_ends_every_worker_and_is_the_last_event(self, desk, program, workers):
        run = desk.engine.launch(program(fanout(lane()), workers["forever"]), {"items": [1, 2, 3]})
        await asyncio.sleep(0.01)

        desk.engine.cancel_run(run.id)
        result = await desk.engine.wait(run.id)

        assert (RunStatus.CANCELLED, 3) == (result.status, result.counts["cancelled"])
        assert ["run_ended"] == [kind for kind in desk.kinds(run.id) if kind.startswith("run_e")]
        assert "run_ended" == desk.kinds(run.id)[-1]

    async def test_cancel_is_not_caught_by_try(self, desk, program, one_step, workers):
        noted = {"kind": "let", "at": "$.caught", "value": {"op": "lit", "value": True}}
        run = desk.engine.launch(program({"kind": "try", "body": one_step(), "catch": noted}, workers["forever"]), {})
        await asyncio.sleep(0.01)

        desk.engine.cancel_run(run.id)

        assert RunStatus.CANCELLED == (await desk.engine.wait(run.id)).status

    async def test_a_run_that_has_ended_stays_as_it_is(self, desk, program, one_step, workers):
        run = desk.engine.launch(program(one_step(), workers["echo"]), {})
        await desk.engine.wait(run.id)

        desk.engine.cancel_run(run.id)

        assert RunStatus.DONE == (await desk.engine.wait(run.id)).status

    async def test_cancelling_who_waits_does_not_cancel_the_run(self, desk, program, one_step):
        release = asyncio.Event()

        async def held(call):
            await release.wait()
            return Result("free")

        run = desk.engine.launch(program(one_step(), held), {})
        waiting = asyncio.ensure_future(desk.engine.wait(run.id))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.sleep(0)
        release.set()

        assert RunStatus.DONE == (await desk.engine.wait(run.id)).status

    async def test_closing_the_engine_cancels_what_runs_and_takes_no_more(self, program, one_step, workers):
        async with Engine(outputs=MemoryOutputStore(), settings=EngineSettings(cancel_grace=0.1)) as engine:
            run = engine.launch(program(one_step(), workers["forever"]), {})
            await asyncio.sleep(0.01)

        assert RunStatus.CANCELLED == run.status
        with pytest.raises(EngineClosed):
            engine.launch(program(one_step(), workers["echo"]), {})


class TestChildren:
    async def test_a_worker_starts_children_whose_addresses_follow_its_own(self, desk, program, one_step):
        async def parent(call):
            if call.agent == "child":
                return Result(call.address)
            return Result([(await call.context.start_child("child", n)).value for n in range(2)])

        run = desk.engine.launch(program(one_step("parent"), parent), {})
        result = await desk.engine.wait(run.id)

        assert {"out": ["/child@0", "/child@1"]} == result.final_ctx

    async def test_p36_a_worker_that_starts_itself_ends_at_the_depth_limit(self, desk, program, one_step):
        async def again(call):
            return await call.context.start_child("worker", None)

        result = await desk.engine.wait(desk.engine.launch(program(one_step(), again), {}).id)

        assert RunStatus.FAILED == result.status
        assert "spawn depth exceeded: 4 >= 4" in result.error["message"]
        assert 4 == result.counts["tasks"]

    async def test_children_that_are_left_behind_are_cancelled_with_their_parent(self, desk, program, one_step):
        async def careless(call):
            if call.agent == "child":
                await asyncio.Event().wait()
            careless.left = asyncio.ensure_future(call.context.start_child("child", None))
            await asyncio.sleep(0.01)
            return Result("gone")

        run = desk.engine.launch(program(one_step("parent"), careless), {})
        result = await desk.engine.wait(run.id)
        await asyncio.gather(careless.left, return_exceptions=True)

        assert ({"out": "gone"}, 1) == (result.final_ctx, result.counts["cancelled"])


class TestDoor:
    async def test_pausing_lets_no_further_step_begin(self, desk, program, one_step, workers):
        senior = desk.token_for(Role.SENIOR)
        flow = {"kind": "seq", "children": [one_step(out="$.a"), one_step(out="$.b")]}
        run = desk.engine.launch(program(flow, workers["echo"]), {})
        desk.door.pause_loop(senior, run.id)
        await asyncio.sleep(0.01)
        paused_at = run.counts["tasks"]

        desk.door.resume_loop(senior, run.id)
        result = await desk.engine.wait(run.id)

        assert (0, RunStatus.DONE) == (paused_at, result.status)

    async def test_resources_belong_to_their_run(self, desk, program, one_step):
        async def reading(call):
            return Result(call.context.fetch_data("recipe"))

        first = desk.engine.launch(program(one_step(), reading), {})
        second = desk.engine.launch(program(one_step(), reading), {})
        desk.door.set_resource(desk.token, first.id, "recipe", ["salt"])

        results = [await desk.engine.wait(run.id) for run in (first, second)]

        assert [RunStatus.DONE, RunStatus.FAILED] == [result.status for result in results]
        assert "resource not found: recipe" in results[1].error["message"]

    async def test_an_observer_reads_events_and_an_operators_token_does_not(self, desk, program, one_step, workers):
        from swarm_core.errors import RoleViolation

        run = desk.engine.launch(program(one_step(), workers["echo"]), {})
        await desk.engine.wait(run.id)

        seen = desk.door.read_trace(desk.token_for(Role.OBSERVER), run.id)

        assert "run_ended" == seen[-1].kind
        with pytest.raises(RoleViolation):
            desk.door.subscribe(desk.token, run.id)


class TestEventsAndMemory:
    async def test_p31_a_slow_subscriber_is_told_the_gap_and_stalls_nobody(self, program, workers):
        settings = EngineSettings(event_log_size=20)
        async with Engine(outputs=MemoryOutputStore(), settings=settings) as engine:
            run = engine.launch(program(fanout(lane()), workers["echo"]), {"items": list(range(50))})
            slow = engine.follow(run.id)
            first = await anext(slow)
            await engine.wait(run.id)
            rest = [event async for event in slow]

        gap, *kept = rest
        assert (1, "gap") == (first.seq, gap.kind)
        assert (2, run.events.last_seq - 20) == (gap.data["first"], gap.data["last"])
        assert list(range(gap.data["last"] + 1, run.events.last_seq + 1)) == [event.seq for event in kept]

    async def test_ended_runs_beyond_the_limit_are_forgotten_with_their_outputs(self, program, one_step, workers):
        outputs = MemoryOutputStore()
        async with Engine(outputs=outputs, settings=EngineSettings(finished_runs_kept=2)) as engine:
            runs = []
            for _ in range(5):
                runs.append(engine.launch(program(one_step(), workers["echo"]), {}))
                await engine.wait(runs[-1].id)
            await asyncio.sleep(0.01)

            assert [run.id for run in runs[-3:]] == list(engine.state.runs)
            assert 3 == len(engine.state.tasks)
            assert 3 == len(outputs._records)
