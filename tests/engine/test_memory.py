"""What an attempt remembers outlives it: the next one, after a retry or a restart, finds it."""

import asyncio

import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Pinned
from swarm_core.errors import DispatchFailed, TokenRevoked, WorkerTimeout
from swarm_core.model.call import Result
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.task import TaskSpec
from swarm_core.model.value import NotJson


class TestMemory:
    async def test_a_retry_finds_what_the_attempt_before_it_remembered(self, desk, program, one_step):
        async def worker(call):
            done = call.context.recall("worker.done") or []
            await call.context.remember("worker.done", [*done, call.attempt])
            if call.attempt < 3:
                raise RuntimeError("not yet")
            return Result(call.context.recall("worker.done"))

        retry = Retry(max_attempts=3, backoff=0.0, max_backoff=0.0, on=frozenset({"failed"}))
        run = desk.engine.launch(program(one_step(), worker, policies={"worker": AgentPolicy(retry=retry)}), {})

        assert {"out": [1, 2, 3]} == (await desk.engine.wait(run.id)).final_ctx

    async def test_what_is_remembered_is_an_event_and_no_other_tasks_matter(self, desk, program, one_step):
        async def worker(call):
            before = call.context.recall("worker.step")
            await call.context.remember("worker.step", call.input)
            return Result(before)

        flow = {"kind": "seq", "children": [one_step(value=1, out="$.a"), one_step(value=2, out="$.b")]}
        run = desk.engine.launch(program(flow, worker), {})
        ended = await desk.engine.wait(run.id)

        assert {"a": None, "b": None} == ended.final_ctx
        told = [event.data for event in run.events.read() if event.kind == "task_remembered"]
        assert [{"key": "worker.step", "value": 1}, {"key": "worker.step", "value": 2}] == told

    async def test_none_forgets_and_values_are_copies(self, desk, program, one_step):
        async def worker(call):
            value = {"n": [1]}
            await call.context.remember("worker.x", value)
            value["n"].append(2)
            call.context.recall("worker.x")["n"].append(3)
            first = call.context.recall("worker.x")
            await call.context.remember("worker.x", None)
            return Result([first, call.context.recall("worker.x"), call.context.recall("never")])

        run = desk.engine.launch(program(one_step(), worker), {})

        assert {"out": [{"n": [1]}, None, None]} == (await desk.engine.wait(run.id)).final_ctx

    @pytest.mark.parametrize(("key", "value", "error"), [("", 1, ValueError), ("k" * 201, 1, ValueError),
                                                         (7, 1, ValueError), ("key", {1, 2}, NotJson)])  # fmt: skip
    async def test_what_cannot_be_kept_is_refused(self, desk, program, one_step, key, value, error):
        seen = []

        async def worker(call):
            try:
                await call.context.remember(key, value)
            except error as refused:
                seen.append(type(refused))
            return Result(call.context.recall("key"))

        run = desk.engine.launch(program(one_step(), worker), {})

        assert {"out": None} == (await desk.engine.wait(run.id)).final_ctx
        assert 1 == len(seen)

    async def test_after_the_attempt_nothing_is_remembered_any_more(self, desk, program, one_step):
        contexts = []

        async def worker(call):
            contexts.append(call.context)
            return Result(1)

        run = desk.engine.launch(program(one_step(), worker), {})
        await desk.engine.wait(run.id)

        with pytest.raises(TokenRevoked):
            await contexts[0].remember("late", 1)
        with pytest.raises(TokenRevoked):
            contexts[0].recall("late")

    async def test_it_is_in_the_store_when_remember_returns_and_a_resumed_attempt_finds_it(self, program, one_step):
        store, seen = MemoryRunStore(), []

        async def first(call):
            await call.context.remember("worker.half", {"pages": 10})
            seen.extend(row.body for row in await store.rows(call.run_id))
            await asyncio.Event().wait()

        async def second(call):
            return Result([call.attempt, call.context.recall("worker.half")])

        pinned = Pinned(blueprint="{}", digest="0" * 64, launch={})
        async with Engine(outputs=MemoryOutputStore(), runs=store) as engine:
            run = engine.launch(program(one_step(), first), {}, pinned=pinned)
            while not seen:
                await asyncio.sleep(0.001)
        async with Engine(outputs=MemoryOutputStore(), runs=store) as engine:
            stored, events = await engine.holding.claim(run.id)
            past = await engine.holding.past_of(stored, events)
            ended = await engine.wait(engine.go_on(past, program(one_step(), second), {}).id)

        assert '"task_remembered"' in "".join(seen)
        assert {"out": [2, {"pages": 10}]} == ended.final_ctx


class TestTime:
    async def test_an_attempt_knows_how_long_it_has_waited_for_answers(self, desk, program, one_step):
        seen = []

        async def worker(call):
            seen.append(call.context.waited)
            await call.context.ask("go on?")
            seen.append(call.context.waited)
            return Result(1)

        run = desk.engine.launch(program(one_step(), worker), {})
        (key,) = (await desk.engine.wait(run.id, or_waiting=True)).questions
        (task,) = run.live.values()
        meanwhile = task.live.context.waited
        await asyncio.sleep(0.01)
        later = task.live.context.waited
        await desk.engine.answer(key, "yes")
        await desk.engine.wait(run.id)

        assert 0.0 == seen[0]
        assert 0.0 < meanwhile < later <= seen[1]

    async def test_a_layer_lets_an_attempts_time_be_over_and_is_named(self, desk, program, one_step):
        async def worker(call):
            asyncio.get_running_loop().call_soon(lambda: call.context.time_out(30, by="egg_timer"))
            await asyncio.Event().wait()

        run = desk.engine.launch(program(one_step(), worker), {})
        error = (await desk.engine.wait(run.id)).error

        assert str(WorkerTimeout(30, by="egg_timer")) in error["message"]
        assert "egg_timer" in error["message"]
        (failed,) = [event.data for event in run.events.read() if event.kind == "task_attempt_failed"]
        assert "timeout" == failed["cause"]

    async def test_a_worker_that_does_not_end_then_is_given_up(self, desk, workers):
        async def stubborn(call):
            asyncio.get_running_loop().call_soon(lambda: call.context.time_out(1, by="egg_timer"))
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if desk.engine.state.closed:
                        raise

        task = desk.door.start_task(desk.token, TaskSpec("worker", "x"))
        with pytest.raises(DispatchFailed, match="egg_timer"):
            await desk.door.dispatch_attempt(desk.token, task, stubborn)

        assert "worker_abandoned" in desk.kinds()

    async def test_a_sign_of_life_goes_to_the_session_of_the_task(self, desk, workers):
        session = desk.engine.sessions.of_nonce(desk.token.nonce)
        seen = []

        async def worker(call):
            session.last_seen = 0.0
            call.context.beat()
            seen.append(session.last_seen > 0)
            desk.door.detach(desk.token)
            call.context.beat()
            seen.append(session.attached)
            return await workers["echo"](call)

        task = desk.door.start_task(desk.token, TaskSpec("worker", "x"))
        await desk.door.dispatch_attempt(desk.token, task, worker)

        assert [True, False] == seen
