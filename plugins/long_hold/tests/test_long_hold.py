"""The layer without an engine: it is let through, its timers are few, and it knows the oldest attempt from the rest."""

import asyncio

import pytest
import swarm_plugin_long_hold
from swarm_plugin_long_hold import LongHoldLayer, LongHoldOptions, Times, build

from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment, Stage
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.call import Result
from swarm_core.settings import EngineSettings, Settings
from swarm_core.testing import FakeSpawner, check_layer, check_plugin, make_call, simulate

SOON = Times(warn_after=10.0, beat=300.0)


def attempts(layer, *workers):
    """Run attempts at the same time, in virtual time; return their ends and their calls."""
    calls = [make_call(task_id=f"T-{number}") for number in range(len(workers))]

    async def main():
        runs = (layer.run(call, worker.run) for call, worker in zip(calls, workers, strict=True))
        return await asyncio.gather(*runs, return_exceptions=True)

    return simulate(main), calls


class TestLetsThrough:
    async def test_it_keeps_the_contract_of_layers(self):
        await check_layer(LongHoldLayer(SOON))

    async def test_it_keeps_the_contract_of_layers_while_it_warns(self):
        await check_layer(LongHoldLayer(Times(warn_after=1e-6, repeat=1e-6, beat=1e-6)))

    def test_row_76_a_result_after_a_warning_is_the_workers(self):
        (end,), (call,) = attempts(LongHoldLayer(SOON), FakeSpawner("done", delay=30))

        assert Result("done") == end
        assert [("long_hold_warning", {"agent": "tester", "elapsed_ms": 10_000, "default_hold_ms": 10_000})] == (
            call.context.published
        )

    def test_row_76_an_error_after_a_warning_is_the_workers(self):
        (end,), (call,) = attempts(LongHoldLayer(SOON), FakeSpawner(delay=30, fail="it broke"))

        assert isinstance(end, WorkerFailed)
        assert ["long_hold_warning"] == call.context.kinds


class TestManyAttempts:
    def test_each_has_its_own_time(self):
        layer = LongHoldLayer(SOON)

        async def main():
            calls = [make_call(task_id=f"T-{number}") for number in range(3)]
            running = []
            for call, seconds in zip(calls, (30, 4, 30), strict=True):
                running.append(asyncio.ensure_future(layer.run(call, FakeSpawner(delay=seconds).run)))
                await asyncio.sleep(3)
            await asyncio.sleep(2)  # the first has been at work for 11 s, the third for 5
            early = [call.context.kinds for call in calls]
            await asyncio.gather(*running)
            return early, [call.context.kinds for call in calls]

        warned = ["long_hold_warning"]
        assert ([warned, [], []], [warned, [], warned]) == simulate(main)

    def test_attempts_share_one_timer_until_they_take_long(self):
        layer, timers = LongHoldLayer(SOON), []

        async def main():
            loop = asyncio.get_running_loop()
            for _ in range(50):
                await layer.run(make_call(), FakeSpawner().run)
            timers.append(len(loop._scheduled))
            many = [asyncio.ensure_future(layer.run(make_call(), FakeSpawner(delay=5).run)) for _ in range(50)]
            await asyncio.sleep(1)
            timers.append(len([one for one in loop._scheduled if one._callback.__name__ == "_sweep"]))
            await asyncio.gather(*many)
            await asyncio.sleep(10)
            timers.append(len(loop._scheduled))

        simulate(main)

        assert [1, 1, 0] == timers

    def test_a_layer_serves_another_event_loop_too(self):
        layer = LongHoldLayer(SOON)

        attempts(layer, FakeSpawner())
        _, (call,) = attempts(layer, FakeSpawner(delay=30))

        assert ["long_hold_warning"] == call.context.kinds

    def test_an_attempt_that_is_cancelled_is_watched_no_more(self):
        call = make_call()

        async def main():
            layer = LongHoldLayer(Times(warn_after=10.0, repeat=1.0, beat=300.0))
            task = asyncio.ensure_future(layer.run(call, FakeSpawner(never=True).run))
            await asyncio.sleep(12.5)
            task.cancel()
            await asyncio.sleep(60)

        simulate(main)

        assert ["long_hold_warning"] * 3 == call.context.kinds

    def test_a_worker_that_was_given_up_is_watched_no_more(self):
        call = make_call()

        async def inner(call):
            await asyncio.sleep(5)
            call.context.end()
            await asyncio.sleep(30)
            return Result("late")

        assert Result("late") == simulate(lambda: LongHoldLayer(SOON).run(call, inner))
        assert [] == call.context.kinds


class TestSignsOfLife:
    def test_the_session_gets_one_at_each_interval(self):
        _, (call,) = attempts(LongHoldLayer(Times(warn_after=3600.0, beat=300.0)), FakeSpawner(delay=1000))

        assert 3 == call.context.beats

    def test_the_interval_is_the_engines(self):
        settings = Settings(engine=EngineSettings(heartbeat_interval=10.0))
        environment = Environment(blueprint=Blueprint(id="x", flow=None), settings=settings, processes=None, clock=None)

        _, (call,) = attempts(build(LongHoldOptions(), environment), FakeSpawner(delay=35))

        assert 3 == call.context.beats


class TestDeadline:
    def test_the_engine_is_told_once_with_the_time_and_the_layers_key(self):
        times = Times(warn_after=10.0, deadline=20.0, beat=5.0)

        _, (call,) = attempts(LongHoldLayer(times), FakeSpawner(delay=60))

        assert [(20.0, "long_hold")] == call.context.timeouts
        assert ["long_hold_warning"] == call.context.kinds

    @pytest.mark.parametrize(("count_waiting", "told"), [(False, []), (True, [(20.0, "long_hold")])])
    def test_waiting_for_an_answer_counts_only_when_that_is_asked_for(self, count_waiting, told):
        times = Times(warn_after=10.0, deadline=20.0, beat=300.0, count_waiting=count_waiting)
        call = make_call()
        call.context.waited = 25.0

        simulate(lambda: LongHoldLayer(times).run(call, FakeSpawner(delay=30).run))

        assert told == call.context.timeouts


class TestPlugin:
    def test_it_provides_the_layer_outermost(self):
        (factory,) = check_plugin(swarm_plugin_long_hold).layers.values()

        assert ("long_hold", Stage.OBSERVE, LongHoldOptions) == (factory.key, factory.stage, factory.options)
