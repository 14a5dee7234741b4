"""The layer without an engine: who is asked what, and what is remembered before anybody is."""

import asyncio

import attrs
import pytest
import swarm_plugin_senior
from swarm_plugin_senior.layer import KEY, build
from swarm_plugin_senior.options import SeniorOptions

from swarm_core.attachments import Attachments
from swarm_core.codec import structure_blueprint
from swarm_core.contracts import SeniorBridge
from swarm_core.errors import StoreUnavailable, VerdictRejected, WorkerFailed
from swarm_core.factories import Environment, Stage
from swarm_core.model.call import OperatorInfo, Result
from swarm_core.settings import Settings
from swarm_core.testing import FakeSpawner, RecordingContext, check_layer, check_plugin, make_call

QUESTION = {"reason": "worker reported ok=false", "value": "which one?"}
ANSWERED = Result({"original": "which one?", "senior_answer": "go"})


class Bridge(SeniorBridge):
    """Answers "go" and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def ask(self, task_id, question):
        self.asked.append((task_id, question))
        return "go"


def layer(**options):
    flow = {"kind": "step", "ref": "tester", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.x"}}
    blueprint = structure_blueprint({"id": "t", "flow": flow, "agents": [{"name": "expert", "kind": "fake"}]})
    environment = Environment(
        blueprint=blueprint,
        settings=Settings(),
        processes=None,
        clock=None,
        services={Attachments: Attachments()},
    )
    return build(SeniorOptions(**options), environment)


def stuck(call=None):
    return FakeSpawner("which one?", ok=[False])


@pytest.fixture
def bridge():
    return Bridge()


@pytest.fixture
def with_bridge(bridge):
    return make_call(operator=OperatorInfo(senior_bridge=bridge))


class TestContract:
    async def test_it_keeps_the_contract_of_layers(self):
        await check_layer(layer())

    async def test_it_keeps_the_contract_of_layers_when_somebody_answers(self, with_bridge):
        await check_layer(layer(errors=True), with_bridge, changes_result=True, handles_errors=True)

    @pytest.mark.parametrize(
        "error", [StoreUnavailable("the disk is full"), VerdictRejected("tester", "no such value")]
    )
    async def test_what_is_no_failure_of_the_worker_is_nobodys_business(self, with_bridge, bridge, error):
        async def inner(call):
            raise error

        with pytest.raises(type(error)):
            await layer(errors=True).run(with_bridge, inner)

        assert [] == bridge.asked


class TestEscalation:
    async def test_row_73_the_bridge_is_asked_about_the_value_and_its_answer_wins(self, with_bridge, bridge):
        result = await layer().run(with_bridge, stuck().run)

        assert ANSWERED == result
        assert [("T-test", QUESTION)] == bridge.asked

    async def test_what_the_worker_said_is_remembered_before_anybody_is_asked(self, call):
        class Looks(SeniorBridge):
            async def ask(self, task_id, question):
                return call.context.memory[KEY]["value"]

        asking = attrs.evolve(call, operator=OperatorInfo(senior_bridge=Looks()))

        result = await layer().run(asking, stuck().run)

        assert "which one?" == result.value["senior_answer"]

    async def test_an_attempt_that_is_begun_anew_asks_at_once(self, bridge):
        first = RecordingContext(answers=None)
        waiting = asyncio.ensure_future(layer(seniors=("ask",)).run(make_call(context=first), stuck().run))
        while not first.asked:
            await asyncio.sleep(0)
        waiting.cancel()
        again, worker = RecordingContext(answers=["go"], memory=first.memory), stuck()

        result = await layer(seniors=("ask",)).run(make_call(context=again, attempt=2), worker.run)

        assert ANSWERED == result
        assert first.asked == again.asked
        assert [] == worker.calls
        assert [("which one?", False)] == [(output.content.value, output.ok) for output in again.outputs]

    async def test_an_error_that_is_remembered_is_raised_with_its_kind_when_nobody_answers(self):
        memory = {KEY: {"round": 1, "reason": "worker failed", "value": {"kind": "bad_day", "message": "it broke"},
                        "facts": {}, "refused": False}}  # fmt: skip
        call = make_call(context=RecordingContext(memory=memory))

        with pytest.raises(WorkerFailed, match="it broke") as raised:
            await layer(errors=True).run(call, stuck().run)

        assert "bad_day" == raised.value.kind

    async def test_people_are_asked_with_all_that_the_options_say(self):
        context = RecordingContext(answers=["go"])
        options = {"seniors": ("ask",), "who": ("ada",), "schema": {"type": "string"}, "timeout": "1h", "default": "no"}

        await layer(**options).run(make_call(context=context), stuck().run)

        (asked,) = context.asked
        assert (QUESTION, 3600.0, {"type": "string"}, ("ada",), "no") == (
            asked.question, asked.timeout, asked.schema, asked.who, asked.default
        )  # fmt: skip

    async def test_an_agent_is_a_child_and_what_it_refuses_passes(self, call):
        context = RecordingContext(child=lambda agent, question: Result(f"{agent}: no", ok=False))

        result = await layer(seniors=("agent:expert",)).run(make_call(context=context), stuck().run)

        assert Result("which one?", ok=False) == result
        assert [("expert", QUESTION)] == context.children
        assert ["senior_passed", "senior_unanswered"] == context.kinds

    async def test_a_value_that_is_no_json_is_left_to_the_engine(self, with_bridge, bridge):
        given = Result({1, 2}, ok=False)

        async def inner(call):
            return given

        assert given is await layer().run(with_bridge, inner)
        assert [] == bridge.asked

    async def test_a_worker_that_was_given_up_is_nobodys_matter(self, with_bridge, bridge):
        async def inner(call):
            call.context.end()
            return Result("late", ok=False)

        assert Result("late", ok=False) == await layer().run(with_bridge, inner)
        assert [] == bridge.asked

    async def test_facts_such_as_usage_stay_those_of_the_worker(self, with_bridge):
        async def inner(call):
            return Result("which one?", ok=False, facts={"usage": {"tokens": 5}})

        assert {"usage": {"tokens": 5}} == (await layer().run(with_bridge, inner)).facts


class TestPlugin:
    def test_it_provides_the_layer_inside_the_observers(self):
        (factory,) = check_plugin(swarm_plugin_senior).layers.values()

        assert (KEY, Stage.RECOVER, SeniorOptions) == (factory.key, factory.stage, factory.options)
