"""The kind `operator` as a worker: its contract, who is asked, and what an answer means."""

import pytest
import swarm_plugin_operator
from attrs import evolve
from swarm_plugin_operator.spawner import OPERATOR_KIND
from swarm_plugin_operator.work import ANSWER_SCHEMA, result_of, work_in

from swarm_core.codec.json_schema import misfit
from swarm_core.factories import Environment
from swarm_core.model.blueprint import AgentDef, AgentHint, AgentProfile, Blueprint
from swarm_core.model.call import OperatorInfo, Result
from swarm_core.model.nodes import Seq
from swarm_core.settings import Settings
from swarm_core.testing import RecordingContext, check_plugin, check_spawner, make_call, processes


def test_keeps_the_plugins_contract():
    catalog = check_plugin(swarm_plugin_operator)

    assert {"operator"} <= set(catalog.spawners)
    assert {"main_ai", "operator_delegate"} <= set(catalog.layers)


class TestContract:
    @pytest.fixture
    async def spawner(self):
        agent = AgentDef(name="writer", kind="operator", profile=AgentProfile(system_prompt="Hi {{ directive }}"))
        async with processes() as started:
            environment = Environment(
                blueprint=Blueprint(id="x", flow=Seq(children=()), agents=(agent,)),
                settings=Settings(),
                processes=started,
                clock=None,
            )
            yield OPERATOR_KIND.build(agent, OPERATOR_KIND.spec(operator_ref="desk"), AgentHint(), environment)

    async def test_keeps_the_workers_contract(self, spawner):
        call = make_call(input="do it", context=RecordingContext(answers=[{"value": 1}]))

        assert Result(1) == await check_spawner(spawner, call)

    async def test_the_sessions_operator_is_asked_without_a_swarm(self, spawner, clerk):
        ada = clerk("yes")
        result = await spawner.run(evolve(make_call(input="do it"), operator=OperatorInfo(operator=ada)))

        assert (Result("yes"), [("do it", "Hi do it")]) == (result, ada.given)


@pytest.mark.parametrize(
    ("answer", "value", "ok"),
    [
        ({"value": 5}, 5, True),
        ({"value": None, "ok": True}, None, True),
        ({"value": "no", "ok": False}, "no", False),
        ({"value": 1, "ok": "yes"}, {"value": 1, "ok": "yes"}, True),
        ({"ok": False}, {"ok": False}, True),
        ("text", "text", True),
    ],
)
def test_every_answer_means_a_result(answer, value, ok):
    assert Result(value, ok) == result_of(answer)
    assert misfit(ANSWER_SCHEMA, answer) is None


@pytest.mark.parametrize(
    "question", [None, "x", {}, {"work": 1}, {"work": {}}, {"work": {"seat": 1}}, {"work": {"seat": "s"}, "x": 1}]
)
def test_other_questions_are_no_work(question):
    assert work_in(question) is None
