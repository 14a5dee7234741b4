"""The layer `long_hold` under the engine: what is seen of an attempt while it is still at work, and its deadline."""

import asyncio

import pytest

from swarm_core import Swarm
from swarm_core.errors import InvalidBlueprint
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings, Settings
from swarm_core.testing import SimulatedClock, simulate

swarm_plugin_long_hold = pytest.importorskip("swarm_plugin_long_hold")


def blueprint(options, *, fn="slow", **more):
    step = {"kind": "step", "ref": "w", "in": {"op": "path", "at": "$.seconds"}, "out": {"op": "path", "at": "$.out"}}
    agents = [{"name": "w", "kind": "function", "spec": {"fn_id": fn}}]
    return {"id": "t", "flow": step, "agents": agents, "spawner_hints": {"layers": [{"long_hold": options}]}, **more}


async def slow(seconds):
    await asyncio.sleep(seconds)
    return f"worked {seconds} s"


async def asks(seconds, call):
    await asyncio.sleep(seconds)
    await call.context.ask("go on?", timeout=1000, default="yes")
    await asyncio.sleep(seconds)
    return "asked"


async def fails(seconds):
    await asyncio.sleep(seconds)
    raise LookupError("no such shelf")


async def first_slow(seconds, call):
    await asyncio.sleep(seconds if call.attempt == 1 else 0)
    return call.attempt


FUNCTIONS = {"slow": slow, "asks": asks, "fails": fails, "first_slow": first_slow}


def ran(document, seconds, **engine):
    """Run a Blueprint in virtual time; return how it ended, its events, and what timers are left 10 s later."""

    async def main():
        loop = asyncio.get_running_loop()
        settings = Settings(engine=EngineSettings(**engine))
        made = {"plugins": [swarm_plugin_long_hold], "functions": FUNCTIONS, "clock": SimulatedClock(loop)}
        async with Swarm.open(settings, **made) as swarm:
            launched = await swarm.launch(document, init_ctx={"seconds": seconds})
            result = await launched.wait()
            events = swarm.engine.state.run(launched.id).events.read()
        await asyncio.sleep(10)
        return result, events, [handle for handle in loop._scheduled if not handle.cancelled()]

    return simulate(main)


def warnings(events):
    began = next(event.time for event in events if event.kind == "task_attempt_started")
    return [(round(event.time - began, 2), dict(event.data)) for event in events if event.kind == "long_hold_warning"]


class TestWarning:
    def test_row_76_a_worker_that_takes_long_is_told_of_while_it_works_and_its_result_stays(self):
        result, events, _ = ran(blueprint({"warn_after": 0.1}), 0.3)

        assert "worked 0.3 s" == result.final_ctx["out"]
        assert [(0.1, {"agent": "w", "elapsed_ms": 100, "default_hold_ms": 100})] == warnings(events)
        kinds = [event.kind for event in events]
        assert kinds.index("long_hold_warning") < kinds.index("task_attempt_completed")

    def test_row_76_an_error_stays_too(self):
        result, events, _ = ran(blueprint({"warn_after": "10s"}, fn="fails"), 30)

        assert "no such shelf" in result.error["message"]
        assert 1 == len(warnings(events))

    def test_who_is_done_in_time_is_not_told_of(self):
        _, events, _ = ran(blueprint({"warn_after": 10, "repeat": 1}), 9.9)

        assert [] == warnings(events)

    def test_the_warning_comes_again_when_that_is_asked_for(self):
        _, events, _ = ran(blueprint({"warn_after": "1m", "repeat": "30s"}), 130)

        assert [(60.0, 60_000), (90.0, 90_000), (120.0, 120_000)] == [
            (at, facts["elapsed_ms"]) for at, facts in warnings(events)
        ]

    def test_an_hour_is_the_default(self):
        _, events, _ = ran(blueprint({}), 4000)

        assert [3600.0] == [at for at, _ in warnings(events)]

    @pytest.mark.parametrize("seconds", [0, 5, 50])
    def test_nothing_is_left_behind_when_the_first_warning_would_be_due(self, seconds):
        _, _, timers = ran(blueprint({"warn_after": 10, "repeat": 7}), seconds)

        assert [] == timers


class TestWaiting:
    def test_time_in_which_somebody_has_to_answer_does_not_count(self):
        result, events, _ = ran(blueprint({"warn_after": 100, "deadline": 130}, fn="asks"), 60)

        assert "asked" == result.final_ctx["out"]
        assert [(1100.0, 100_000)] == [(at, facts["elapsed_ms"]) for at, facts in warnings(events)]

    def test_it_counts_when_that_is_asked_for(self):
        _, events, _ = ran(blueprint({"warn_after": 100, "count_waiting": True}, fn="asks"), 60)

        assert [(100.0, 100_000)] == [(at, facts["elapsed_ms"]) for at, facts in warnings(events)]

    def test_a_deadline_may_end_a_wait(self):
        result, events, _ = ran(blueprint({"deadline": 100, "count_waiting": True}, fn="asks"), 60)

        assert RunStatus.FAILED is result.status
        assert "task_suspended" in [event.kind for event in events]


class TestDeadline:
    def test_a_worker_that_is_still_at_work_then_is_ended_and_the_layer_is_named(self):
        result, events, timers = ran(blueprint({"warn_after": 10, "deadline": "1m"}), 3600)

        assert RunStatus.FAILED is result.status
        assert "no result after 60 s; the layer 'long_hold' sets this limit" in result.error["message"]
        (failed,) = [event for event in events if event.kind == "task_attempt_failed"]
        assert "timeout" == failed.data["cause"]
        assert [10.0] == [at for at, _ in warnings(events)]
        assert [] == timers

    def test_retries_for_timeouts_apply(self):
        retry = {"max_attempts": 2, "backoff": "1ms", "on": ["timeout"]}
        hints = {"per_agent": {"w": {"retry": retry}}}

        result, _, _ = ran(blueprint({"deadline": "1m"}, fn="first_slow", hints=hints), 3600)

        assert 2 == result.final_ctx["out"]

    def test_a_deadline_alone_warns_nobody(self):
        _, events, _ = ran(blueprint({"deadline": "1m"}), 3600)

        assert [] == warnings(events)


class TestSignsOfLife:
    def test_the_session_of_a_long_task_does_not_count_as_gone(self):
        async def main():
            loop = asyncio.get_running_loop()
            settings = Settings(engine=EngineSettings(heartbeat_interval=10, heartbeat_misses=2))
            made = {"plugins": [swarm_plugin_long_hold], "functions": FUNCTIONS, "clock": SimulatedClock(loop)}
            seen = []
            async with Swarm.open(settings, **made) as swarm:
                for document in (blueprint({}), {**blueprint({}), "spawner_hints": {"layers": []}}):
                    launched = await swarm.launch(document, init_ctx={"seconds": 100})
                    launched.attach()
                    result = await launched.wait()
                    kinds = [event.kind for event in swarm.engine.events.read()]
                    seen.append((result.status, kinds.count("session_detached")))
            return seen

        assert [(RunStatus.DONE, 0), (RunStatus.DONE, 1)] == simulate(main)


class TestBadOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"warn_after": "soon"}, "'soon' is no duration"),
            ({"repeat": 0}, "a duration is more than 0"),
            ({"deadline": -1}, "a duration is more than 0"),
            ({"count_waiting": "no"}, "expected true or false"),
            ({"warnafter": 1}, "did you mean 'warn_after'?"),
        ],
    )
    async def test_an_option_that_cannot_be_meant_is_told_with_its_place(self, options, said):
        async with Swarm.open(plugins=[swarm_plugin_long_hold], functions=FUNCTIONS) as swarm:
            with pytest.raises(InvalidBlueprint) as refused:
                swarm.prepare(blueprint(options))

        (problem,) = refused.value.problems
        assert problem.path.startswith("$.spawner_hints.layers[0].long_hold")
        assert said in f"{problem.message} {problem.hint}"
