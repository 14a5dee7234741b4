"""The audit layer writes down what happened and changes none of it."""

import asyncio
from hashlib import sha256

import pytest
import swarm_plugin_audit
from swarm_plugin_audit.layer import AuditLayer, AuditOptions, build, fingerprint

from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment, Stage
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.call import Result
from swarm_core.settings import Settings
from swarm_core.testing import FakeSpawner, SimulatedClock, check_layer, check_plugin, make_call, simulate


def attempt(spawner, call, *, cancel_after=None):
    """Run one attempt under the layer in virtual time and return its end."""

    async def main():
        layer = AuditLayer(SimulatedClock(asyncio.get_running_loop()))
        task = asyncio.ensure_future(layer.run(call, spawner.run))
        if cancel_after is not None:
            await asyncio.sleep(cancel_after)
            task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        return end

    return simulate(main)


class TestEvents:
    def test_a_result_is_noted_with_its_time(self, call):
        end = attempt(FakeSpawner("done", delay=1.5), call)

        assert end == Result("done")
        assert call.context.published == [
            ("attempt_started", {"agent": "tester"}),
            ("attempt_ended", {"agent": "tester", "ok": True, "elapsed": 1.5}),
        ]

    def test_a_result_that_is_not_ok_is_an_end_and_no_failure(self, call):
        attempt(FakeSpawner("no", ok=[False]), call)

        assert call.context.published[-1] == ("attempt_ended", {"agent": "tester", "ok": False, "elapsed": 0.0})

    def test_a_failure_is_noted_and_let_through(self, call):
        end = attempt(FakeSpawner(delay=2, fail="the model is down"), call)

        assert isinstance(end, WorkerFailed)
        assert call.context.published[-1] == (
            "attempt_failed",
            {"agent": "tester", "error": "WorkerFailed", "elapsed": 2.0},
        )

    def test_a_cancellation_is_noted_and_let_through(self, call):
        end = attempt(FakeSpawner(never=True), call, cancel_after=3)

        assert isinstance(end, asyncio.CancelledError)
        assert call.context.published[-1] == (
            "attempt_failed",
            {"agent": "tester", "error": "CancelledError", "elapsed": 3.0},
        )

    def test_a_jump_of_the_wall_clock_is_no_elapsed_time(self, call):
        async def main():
            clock = SimulatedClock(asyncio.get_running_loop())

            async def inner(call):
                clock.jump(86400)
                await asyncio.sleep(1)
                return Result(1)

            await AuditLayer(clock).run(call, inner)

        simulate(main)

        assert call.context.published[-1][1]["elapsed"] == 1.0

    def test_attempts_at_the_same_time_are_told_apart(self):
        first, second = make_call(agent="first"), make_call(agent="second")

        async def main():
            layer = AuditLayer(SimulatedClock(asyncio.get_running_loop()))
            await asyncio.gather(
                layer.run(first, FakeSpawner(delay=3).run), layer.run(second, FakeSpawner(delay=1).run)
            )

        simulate(main)

        ends = [call.context.published[-1][1] for call in (first, second)]
        assert [(end["agent"], end["elapsed"]) for end in ends] == [("first", 3.0), ("second", 1.0)]

    async def test_a_late_result_reaches_the_engine_though_nothing_can_be_published(self, call):
        async def inner(call):
            call.context.end()
            return Result("late")

        result = await AuditLayer(_FrozenClock()).run(call, inner)

        assert (result, call.context.kinds) == (Result("late"), ["attempt_started"])


class TestFingerprints:
    async def test_they_are_told_when_asked_for(self):
        call = make_call(input={"b": [1, 2.5], "a": "größe"})

        await AuditLayer(_FrozenClock(), values=True).run(call, FakeSpawner("done").run)

        facts = [facts for _, facts in call.context.published]
        assert facts[0]["input_sha256"] == sha256('{"a":"größe","b":[1,2.5]}'.encode()).hexdigest()
        assert facts[1]["result_sha256"] == sha256(b'"done"').hexdigest()

    async def test_they_are_not_told_unasked(self, call):
        await AuditLayer(_FrozenClock()).run(call, FakeSpawner("done").run)

        assert not any("sha256" in name for _, facts in call.context.published for name in facts)

    def test_the_order_of_keys_does_not_matter(self):
        assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 2.0})


class _FrozenClock:
    def time(self):
        return 0.0

    def monotonic(self):
        return 0.0


class TestContract:
    async def test_it_keeps_the_contract_of_layers(self):
        await check_layer(AuditLayer(_FrozenClock()))

    async def test_its_events_are_its_own(self, call):
        """The context refuses the engine's kinds, so a layer that is let through publishes kinds of its own."""
        await AuditLayer(_FrozenClock()).run(call, FakeSpawner().run)

        assert call.context.kinds == ["attempt_started", "attempt_ended"]


class TestPlugin:
    def test_it_provides_the_layer_outermost(self):
        (factory,) = check_plugin(swarm_plugin_audit).layers.values()

        assert (factory.key, factory.stage, factory.options) == ("audit", Stage.OBSERVE, AuditOptions)

    def test_it_is_built_with_the_clock_of_the_environment(self, call):
        async def main():
            clock = SimulatedClock(asyncio.get_running_loop())
            blueprint = Blueprint(id="x", flow=None)
            environment = Environment(blueprint=blueprint, settings=Settings(), processes=None, clock=clock)
            await build(AuditOptions(), environment).run(call, FakeSpawner(delay="90s").run)

        simulate(main)

        assert call.context.published[-1][1]["elapsed"] == 90.0


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_even_the_end_of_the_process_is_noted(call, error):
    async def inner(call):
        raise error

    with pytest.raises(error):
        await AuditLayer(_FrozenClock()).run(call, inner)

    assert call.context.published[-1][1]["error"] == error.__name__
