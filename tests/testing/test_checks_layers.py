"""check_layer finds what breaks the contract, and allows what a layer exists for."""

import asyncio

import attrs
import pytest

from swarm_core.contracts import SpawnerLayer
from swarm_core.model.call import Result
from swarm_core.testing import ContractBroken, check_layer, make_call


class Layer(SpawnerLayer):
    """A layer made of one function."""

    def __init__(self, work):
        self.work = work

    async def run(self, call, inner):
        return await self.work(call, inner)


async def pass_on(call, inner):
    return await inner(call)


class TestGoodLayers:
    async def test_a_layer_that_does_nothing(self):
        await check_layer(Layer(pass_on))

    async def test_a_layer_that_tells_the_worker_more(self):
        async def work(call, inner):
            return await inner(attrs.evolve(call, meta={**call.meta, "seen": True}, agent="other"))

        await check_layer(Layer(work), make_call(meta={"a": 1}))

    async def test_a_layer_that_changes_results(self):
        async def work(call, inner):
            return attrs.evolve(await inner(call), ok=True)

        with pytest.raises(ContractBroken, match=r"returned .* where the worker gave"):
            await check_layer(Layer(work))
        await check_layer(Layer(work), changes_result=True)

    async def test_a_layer_that_handles_errors(self):
        async def work(call, inner):
            try:
                return await inner(call)
            except Exception as error:
                return Result(str(error), ok=False)

        with pytest.raises(ContractBroken, match=r"hid WorkerFailed\('it broke'\) and returned"):
            await check_layer(Layer(work))
        await check_layer(Layer(work), handles_errors=True)

    async def test_a_layer_that_does_the_work_itself(self):
        async def work(call, inner):
            return Result("done here")

        with pytest.raises(ContractBroken, match="called the worker 0 times, not once"):
            await check_layer(Layer(work))
        await check_layer(Layer(work), may_skip=True)


class TestBrokenLayers:
    async def broken(self, work, sentence, **allowed):
        with pytest.raises(ContractBroken, match=sentence):
            await check_layer(Layer(work), **allowed)

    async def test_a_second_call_of_the_worker(self):
        async def work(call, inner):
            await inner(call)
            return await inner(call)

        await self.broken(work, "called the worker 2 times, not once")

    async def test_another_attempts_call(self):
        async def work(call, inner):
            return await inner(attrs.evolve(call, attempt=call.attempt + 1))

        await self.broken(work, "a Call of another attempt: T-check0 attempt 2")

    async def test_something_else_than_a_result(self):
        async def work(call, inner):
            return (await inner(call)).value

        await self.broken(work, "returned dict, not a Result")

    async def test_a_lost_result(self):
        async def work(call, inner):
            await inner(call)

        await self.broken(work, "returned NoneType, not a Result")

    async def test_an_error_dressed_up(self):
        async def work(call, inner):
            try:
                return await inner(call)
            except Exception as error:
                raise RuntimeError("layer failed") from error

        await self.broken(work, r"raised RuntimeError\('layer failed'\) where the worker raised WorkerFailed")

    async def test_a_swallowed_cancellation(self):
        async def work(call, inner):
            try:
                return await inner(call)
            except BaseException as error:
                if isinstance(error, Exception):
                    raise
                return Result("stopped", ok=False)

        await self.broken(work, "swallowed its cancellation and returned", handles_errors=True)

    async def test_a_cancellation_that_takes_too_long(self):
        async def work(call, inner):
            try:
                return await inner(call)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)
                raise

        await self.broken(work, r"still ran 0\.05 s after it was cancelled", grace=0.05)

    async def test_a_worker_behind_a_task_that_outlives_it(self):
        async def work(call, inner):
            return await asyncio.shield(asyncio.ensure_future(inner(call)))

        await self.broken(work, "left asyncio tasks running")
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.wait({task})

    async def test_a_word_to_an_ended_attempt_in_place_of_the_cancellation(self):
        async def work(call, inner):
            try:
                return await inner(call)
            except BaseException:
                call.context.publish("it_failed")
                raise

        await self.broken(work, "used the context of an ended attempt")

    async def test_a_cancellation_from_within_that_is_swallowed(self):
        async def work(call, inner):
            task = asyncio.ensure_future(inner(call))
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                task.cancel()
                raise
            return Result(None) if task.cancelled() else task.result()

        await self.broken(work, "swallowed a cancellation that came from within")

    async def test_a_changed_input(self):
        async def work(call, inner):
            call.input["seen"] = call.task_id
            return await inner(call)

        await self.broken(work, r"changed `call\.input`")

    async def test_results_mixed_up_between_attempts(self):
        class Mixed(SpawnerLayer):
            async def run(self, call, inner):
                self.call = call
                result = await inner(call)
                self.last = result
                await asyncio.sleep(0.001)
                return self.last

        with pytest.raises(ContractBroken, match="gave one attempt the result of another"):
            await check_layer(Mixed())

    async def test_a_layer_that_does_not_wait(self):
        async def work(call, inner):
            task = asyncio.ensure_future(inner(call))
            for _ in range(15):
                await asyncio.sleep(0)
                if task.done():
                    return task.result()
            task.cancel()
            return Result("too slow", ok=False)

        await self.broken(work, "did not wait for the worker")
