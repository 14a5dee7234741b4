"""The fake worker keeps to its script, good manners and bad."""

import asyncio

import pytest

from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Result
from swarm_core.settings import Settings
from swarm_core.testing import FakeScript, FakeSpawner, check_plugin, check_spawner, make_call, plugin, simulate


async def results_of(spawner, count):
    return [await spawner.run(make_call(input=number)) for number in range(count)]


class TestAnswers:
    async def test_without_a_script_the_input_comes_back(self):
        assert await results_of(FakeSpawner(), 2) == [Result(0), Result(1)]

    async def test_the_last_answer_repeats(self):
        assert await results_of(FakeSpawner("a", "b"), 4) == [Result("a"), Result("b"), Result("b"), Result("b")]

    async def test_each_run_begins_at_the_scripts_beginning(self):
        fake = FakeSpawner(1, 2)

        said = [(await fake.run(make_call(run_id=run_id))).value for run_id in ("RUN-1", "RUN-2", "RUN-1", "RUN-2")]

        assert [1, 1, 2, 2] == said

    async def test_a_cycle_starts_again(self):
        assert await results_of(FakeSpawner("a", "b", cycle=True), 3) == [Result("a"), Result("b"), Result("a")]

    async def test_ok_follows_its_own_list(self):
        results = await results_of(FakeSpawner("a", ok=[False, True]), 3)

        assert [result.ok for result in results] == [False, True, True]

    async def test_none_is_an_answer(self):
        assert await results_of(FakeSpawner(None), 1) == [Result(None)]

    async def test_calls_are_kept(self):
        spawner, call = FakeSpawner(), make_call(agent="writer")

        await spawner.run(call)

        assert spawner.calls == [call]


class TestFailures:
    async def test_named_attempts_raise(self):
        spawner = FakeSpawner("a", fail=[0])

        with pytest.raises(WorkerFailed, match="attempt 0 fails, as its script says"):
            await spawner.run(make_call())

        assert await spawner.run(make_call()) == Result("a")

    async def test_a_text_makes_every_attempt_raise_it(self):
        spawner = FakeSpawner(fail="the model is down")

        for _ in range(3):
            with pytest.raises(WorkerFailed, match="the model is down") as failed:
                await spawner.run(make_call())
            assert failed.value.kind == "fake_failure"


class TestTime:
    @pytest.mark.parametrize(("delay", "seconds"), [(0, 0.0), (1.5, 1.5), ("250ms", 0.25), ("2h", 7200.0)])
    def test_a_delay_is_a_duration(self, delay, seconds):
        async def main():
            await FakeSpawner(delay=delay).run(make_call())
            return asyncio.get_running_loop().time()

        assert simulate(main) == pytest.approx(seconds)

    def test_a_worker_that_never_ends_ends_when_it_is_cancelled(self):
        async def main():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1e6):
                    await FakeSpawner(never=True).run(make_call())
            return asyncio.get_running_loop().time()

        assert simulate(main) == 1e6

    def test_a_stubborn_worker_swallows_as_many_cancellations_as_it_is_told(self):
        async def main():
            task = asyncio.create_task(FakeSpawner(never=True, stubborn=2).run(make_call()))
            seen = []
            for _ in range(3):
                await asyncio.sleep(1)
                task.cancel()
                await asyncio.wait({task}, timeout=1)
                seen.append(task.done())
            return seen, task.cancelled()

        assert simulate(main) == ([False, False, True], True)

    def test_a_stubborn_worker_is_no_later_for_it(self):
        async def main():
            task = asyncio.create_task(FakeSpawner("late", delay=10, stubborn=1).run(make_call()))
            await asyncio.sleep(4)
            task.cancel()
            return await task, asyncio.get_running_loop().time()

        assert simulate(main) == (Result("late"), 10.0)


class TestScript:
    @pytest.mark.parametrize(
        ("document", "sentence"),
        [
            ({"answer": ["a"]}, "knows no 'answer'; did you mean 'answers'"),
            ({"answers": "a"}, "'answers' is a list"),
            ({"ok": [1]}, "'ok' is a list of true and false"),
            ({"fail": 3}, "'fail' is a list of attempts"),
            ({"fail": [-1]}, "'fail' is a list of attempts"),
            ({"fail": [True]}, "'fail' is a list of attempts"),
            ({"delay": "soon"}, "'soon' is no duration"),
            ({"delay": -1}, "out of range"),
            ({"delay": None}, "'delay' is a duration"),
            ({"never": 1}, "'never' is true or false"),
            ({"cycle": "no"}, "'cycle' is true or false"),
            ({"stubborn": -1}, "'stubborn' is a whole number"),
            ({"stubborn": 1.0}, "'stubborn' is a whole number"),
            (["a"], "is an object"),
            ("a", "is an object"),
        ],
    )
    def test_a_wrong_script_is_refused(self, document, sentence):
        with pytest.raises(ValueError, match=sentence):
            FakeScript.of(document)

    def test_a_document_becomes_a_script(self):
        assert FakeScript.of({"answers": [1, 2], "fail": [3]}) == FakeScript(answers=(1, 2), fail=(3,))


class TestPlugin:
    def test_it_provides_the_kind_fake(self):
        assert list(check_plugin(plugin).spawners) == ["fake"]

    @staticmethod
    def built(spec, **extra):
        agent, hint = AgentDef(name="reviewer", kind="fake", spec=spec), AgentHint(extra=extra)
        environment = Environment(blueprint=None, settings=Settings(), processes=None, clock=None)
        return check_plugin(plugin).spawners["fake"].build(agent, FakeScript.of(spec), hint, environment)

    async def test_an_agents_spec_is_its_script(self):
        assert await results_of(self.built({"answers": ["fine"]}), 1) == [Result("fine")]

    async def test_an_agent_that_was_bound_to_it_gives_back_its_input(self):
        assert await results_of(self.built({}), 1) == [Result(0)]

    async def test_a_hint_tells_a_bound_agent_what_to_say(self):
        spawner = self.built({}, fake={"answers": ["hinted"]}, somebody_elses=1)

        assert await results_of(spawner, 1) == [Result("hinted")]

    def test_a_wrong_hint_is_refused(self):
        with pytest.raises(ValueError, match="knows no 'awnsers'"):
            self.built({}, fake={"awnsers": []})


@pytest.mark.parametrize("script", [{}, {"answers": [{"a": 1}]}, {"delay": 0.005}, {"ok": [False]}], ids=repr)
async def test_it_keeps_the_contract_of_workers(script):
    await check_spawner(FakeSpawner.of(FakeScript.of(script)))
