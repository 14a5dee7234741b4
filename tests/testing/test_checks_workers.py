"""check_spawner and check_resolver find what breaks the contract, and nothing else."""

import asyncio
import math

import pytest

from swarm_core.contracts import AgentResolver, Spawner
from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline
from swarm_core.testing import (
    ContractBroken,
    FakeSpawner,
    RecordingContext,
    check_resolver,
    check_spawner,
    make_call,
)


class Worker(Spawner):
    """A worker made of one function."""

    def __init__(self, work):
        self.work = work

    async def run(self, call):
        return await self.work(call)


async def answer(call):
    return Result(call.input["n"])


async def emit(call):
    await asyncio.sleep(0.001)
    call.context.emit(Final(Inline("emitted"), ok=True))


class TestGoodWorkers:
    async def test_the_first_result_is_returned(self):
        assert await check_spawner(Worker(answer), make_call(input={"n": 7})) == Result(7)

    async def test_a_final_may_stand_for_the_result(self):
        assert await check_spawner(Worker(emit)) == Result("emitted")

    async def test_a_task_group_inside_is_no_left_over(self):
        async def work(call):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0.01))
            return Result(1)

        assert await check_spawner(Worker(work)) == Result(1)

    async def test_what_the_worker_raises_comes_out(self):
        with pytest.raises(WorkerFailed, match="no model"):
            await check_spawner(FakeSpawner(fail="no model"))


class Parking(Worker):
    """A worker that may be let go of while it waits for an answer."""

    parks = True


class TestAskingWorkers:
    async def test_the_script_of_answers_is_played_for_each_attempt(self):
        async def work(call):
            return Result([await call.context.ask("one?"), await call.context.ask("two?")])

        call = make_call(context=RecordingContext(answers=["a", "b"]))

        assert await check_spawner(Worker(work), call) == Result(["a", "b"])

    async def test_one_that_parks_and_asks_alike_is_fine(self):
        async def work(call):
            return Result(await call.context.ask("one?", schema={"type": "string"}))

        call = make_call(context=RecordingContext(answers=["a"]))

        assert await check_spawner(Parking(work), call) == Result("a")

    async def test_one_that_parks_and_asks_something_else_each_time_is_found(self):
        numbers = iter(range(100))

        async def work(call):
            return Result(await call.context.ask(f"number {next(numbers)}?"))

        with pytest.raises(ContractBroken, match="parks and asked other questions when it was begun anew"):
            await check_spawner(Parking(work), make_call(context=RecordingContext(answers=["a"])))

    async def test_one_that_parks_and_cannot_be_cancelled_while_it_waits_is_found(self):
        async def work(call):
            try:
                return Result(await call.context.ask("one?"))
            except asyncio.CancelledError:
                return Result("late")

        with pytest.raises(ContractBroken, match="swallowed its cancellation"):
            await check_spawner(Parking(work), make_call(context=RecordingContext(answers=["a"])))


class TestBrokenWorkers:
    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            (object(), "object is no JSON value"),
            ({1: "a"}, "keys are strings"),
            (math.nan, "no JSON number"),
            ("\ud800", "lone surrogate"),
        ],
        ids=["object", "key", "nan", "surrogate"],
    )
    async def test_a_value_that_is_no_json(self, value, sentence):
        with pytest.raises(ContractBroken, match=sentence):
            await check_spawner(FakeSpawner(value))

    async def test_something_else_than_a_result(self):
        async def work(call):
            return {"value": 1, "ok": True}

        with pytest.raises(ContractBroken, match="returned dict, not a Result"):
            await check_spawner(Worker(work))

    async def test_an_ok_that_is_only_truthy(self):
        async def work(call):
            return Result(1, ok="false")

        with pytest.raises(ContractBroken, match="ok='false', not true or false"):
            await check_spawner(Worker(work))

    async def test_no_result_at_all(self):
        async def work(call):
            return None

        with pytest.raises(ContractBroken, match="returned None and emitted no Final"):
            await check_spawner(Worker(work))

    async def test_a_changed_input(self):
        async def work(call):
            call.input["n"] += 1
            return Result(1)

        with pytest.raises(ContractBroken, match=r"changed `call\.input`"):
            await check_spawner(Worker(work))

    async def test_a_swallowed_cancellation(self):
        async def work(call):
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                return Result("never mind")
            return Result(1)

        with pytest.raises(ContractBroken, match="swallowed its cancellation and returned Result"):
            await check_spawner(Worker(work))

    async def test_a_cancellation_turned_into_an_error(self):
        async def work(call):
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                raise WorkerFailed("stopped") from None
            return Result(1)

        with pytest.raises(ContractBroken, match="swallowed its cancellation and raised WorkerFailed"):
            await check_spawner(Worker(work))

    async def test_a_worker_that_does_not_end(self):
        with pytest.raises(ContractBroken, match=r"still ran 0\.05 s after it was cancelled"):
            await check_spawner(FakeSpawner("late", delay=0.4, stubborn=1), grace=0.05)

    async def test_a_task_left_behind(self):
        left = []

        async def work(call):
            left.append(asyncio.create_task(asyncio.sleep(60), name="heartbeat"))
            return Result(1)

        with pytest.raises(ContractBroken, match="left asyncio tasks running: heartbeat"):
            await check_spawner(Worker(work))
        await check_spawner(Worker(work), background=True)

        for task in left:
            task.cancel()
        await asyncio.wait(left)

    async def test_attempts_that_disturb_each_other(self):
        running = []

        async def work(call):
            running.append(call.task_id)
            await asyncio.sleep(0.001)
            if len(running) > 1:
                raise WorkerFailed("two at once")
            running.remove(call.task_id)
            return Result(1)

        with pytest.raises(WorkerFailed, match="two at once"):
            await check_spawner(Worker(work))


class Resolver(AgentResolver):
    """A resolver made of one function."""

    def __init__(self, rule):
        self.rule = rule

    def resolve(self, agent, call):
        return self.rule(agent, call)


class TestResolver:
    def test_row_75_a_map_is_kept(self):
        check_resolver(Resolver(lambda agent, call: f"{agent}-v2"), maps={"writer": "writer-v2"})

    @pytest.mark.parametrize(
        ("rule", "sentence"),
        [
            (lambda agent, call: None, "made None of 'an-agent-nobody-knows', which is no agent's name"),
            (lambda agent, call: "", "which is no agent's name"),
            (lambda agent, call: "../x", "which is no agent's name"),
            (lambda agent, call: agent, "made 'writer' of 'writer', not 'writer-v2'"),
            (lambda agent, call: call.input.pop("topic", "writer-v2") and "writer-v2", "changed `call.input`"),
        ],
        ids=["none", "empty", "path", "other", "mutates"],
    )
    def test_what_breaks_the_contract_is_found(self, rule, sentence):
        with pytest.raises(ContractBroken, match=sentence.replace(".", r"\.")):
            check_resolver(Resolver(rule), maps={"writer": "writer-v2"})

    def test_a_resolver_that_alternates_is_found(self):
        names = iter(f"writer{number}" for number in range(10))

        with pytest.raises(ContractBroken, match="answers differently"):
            check_resolver(Resolver(lambda agent, call: next(names)))
