"""The kind `ask`: what is asked, who may answer, what comes of it."""

import json
from pathlib import Path

import pytest

from swarm_core.builtin.ask import ASK_KIND, AskSpawner, AskSpec, build_ask
from swarm_core.codec import model_schema, structure
from swarm_core.contracts import NO_DEFAULT, Spawner
from swarm_core.errors import DocumentError, WorkerFailed
from swarm_core.model.blueprint import AgentDef, AgentHint
from swarm_core.model.call import Result
from swarm_core.model.task import RunStatus
from swarm_core.settings import Settings
from swarm_core.swarm import Swarm
from swarm_core.testing import RecordingContext, check_spawner, make_call

YES_OR_NO = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


@pytest.fixture
def asker(make_environment):
    """Build the spawner of an agent from its spec as a document has it."""

    def build(**spec):
        agent = AgentDef(name="editor", kind="ask")
        return build_ask(agent, structure(spec, AskSpec), AgentHint(), make_environment())

    return build


async def asked(spawner, input=None, **script):
    context = RecordingContext(**script)
    result = await spawner.run(make_call(input=input, context=context))
    return result, context


class TestQuestion:
    @pytest.mark.parametrize(
        ("spec", "input", "question"),
        [
            ({}, "may it go out?", "may it go out?"),
            ({}, {"draft": "hello"}, {"draft": "hello"}),
            ({}, None, None),
            ({"question": "well?"}, None, "well?"),
            ({"question": "well?"}, {"draft": "hello"}, {"text": "well?", "input": {"draft": "hello"}}),
            ({"question": "well?"}, False, {"text": "well?", "input": False}),
            ({"question": "{input} $.x %s"}, None, "{input} $.x %s"),
        ],
    )
    async def test_the_text_and_the_steps_input_make_the_question(self, asker, spec, input, question):
        _, context = await asked(asker(**spec), input, answers=["yes"])

        assert context.questions == [question]

    async def test_the_answer_is_the_result(self, asker):
        result, _ = await asked(asker(schema=YES_OR_NO), answers=[{"approved": False}])

        assert result == Result({"approved": False})

    async def test_everything_that_the_spec_says_goes_with_the_question(self, asker):
        spawner = asker(schema=YES_OR_NO, who=["ada", "bob"], expires="2h", default={"approved": False})

        _, context = await asked(spawner, answers=[{"approved": True}])

        (one,) = context.asked
        assert (YES_OR_NO, ("ada", "bob"), 7200.0, {"approved": False}) == (
            one.schema,
            one.who,
            one.timeout,
            one.default,
        )

    async def test_without_more_anyone_may_say_anything_at_any_time(self, asker):
        _, context = await asked(asker(), answers=[1])

        (one,) = context.asked
        assert (None, (), None, NO_DEFAULT) == (one.schema, one.who, one.timeout, one.default)


class TestExpiry:
    async def test_the_default_is_the_answer_when_the_time_is_over(self, asker):
        result, _ = await asked(asker(expires="1s", default=None))

        assert result == Result(None)

    async def test_without_a_default_the_step_fails_with_a_sentence(self, asker):
        with pytest.raises(WorkerFailed) as caught:
            await asked(asker(expires="1.5h", who=["ada", "bob"]))

        assert caught.value.kind == "not_answered"
        assert str(caught.value) == (
            "agent 'editor': its question to ada, bob was not answered within 1.5h; "
            "give the agent's spec a `default`, or more time in `expires`"
        )


class TestSpec:
    @pytest.mark.parametrize(
        ("spec", "place", "told"),
        [
            ({"qestion": "?"}, "$.qestion", "AskSpec has no field 'qestion'"),
            ({"question": 5}, "$.question", "expected a string"),
            ({"question": " "}, "$.question", "a text that is not empty"),
            ({"schema": {"type": "objekt"}}, "$.schema", "$.type fits none of the alternatives"),
            ({"schema": "string"}, "$.schema", "an object, or true or false"),
            ({"schema": {"$ref": "http://a.b/c"}}, "$.schema", "nothing is fetched"),
            ({"who": "ada"}, "$.who", "an array"),
            ({"who": ["ada", ""]}, "$.who", "'' is no name"),
            ({"who": ["ada\x1b[2J"]}, "$.who", "is no name"),
            ({"who": [" ada"]}, "$.who", "' ada' is no name"),
            ({"who": [f"a{n}" for n in range(101)]}, "$.who", "at most 100"),
            ({"expires": "soon"}, "$.expires", "'soon' is no duration"),
            ({"expires": 0}, "$.expires", "out of range"),
        ],
    )
    def test_a_wrong_spec_is_refused_at_its_place(self, asker, spec, place, told):
        with pytest.raises(DocumentError) as caught:
            asker(**spec)

        assert caught.value.problems[0].path == place
        assert told in caught.value.problems[0].message

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"default": "no"}, "there is no 'expires'"),
            ({"default": None}, "there is no 'expires'"),
            (
                {"default": "no", "expires": "1d", "schema": YES_OR_NO},
                "'default' is no answer: $ is not of type \"object\"",
            ),
        ],
    )
    def test_a_default_that_can_never_be_the_answer_is_refused(self, asker, spec, told):
        with pytest.raises(ValueError, match=told.replace("$", r"\$")):
            asker(**spec)

    @pytest.mark.needs("audit")
    async def test_swarm_check_tells_it_at_the_agent(self):
        blueprint = {
            "id": "b",
            "flow": {"kind": "seq", "children": []},
            "agents": [
                {"name": "a", "kind": "ask", "spec": {"schema": {"properties": {"x": {"type": "nothing"}}}}},
                {"name": "b", "kind": "ask", "spec": {"default": 1}},
            ],
        }

        async with Swarm.open(Settings()) as swarm:
            problems = swarm.check(blueprint)

        assert [(problem.code, problem.path) for problem in problems] == [
            ("invalid_spec", "$.agents[0].spec.schema"),
            ("invalid_spec", "$.agents[1].spec"),
        ]
        assert "$.properties.x.type" in problems[0].message

    def test_its_model_is_a_json_schema(self):
        schema = model_schema(AskSpec)

        assert json.loads(json.dumps(schema))["properties"].keys() == {
            "question",
            "schema",
            "who",
            "expires",
            "default",
        }
        assert "default" not in schema["properties"]["default"]


class TestContract:
    @pytest.mark.parametrize("spec", [{}, {"question": "?", "schema": YES_OR_NO, "expires": 5}])
    async def test_it_keeps_the_contract_of_workers(self, asker, spec):
        context = RecordingContext(answers=[{"approved": True}])

        result = await check_spawner(asker(**spec), make_call(context=context))

        assert result == Result({"approved": True})

    def test_it_parks_and_others_do_not(self, build):
        assert (AskSpawner.parks, Spawner.parks, build(len).parks) == (True, False, False)

    def test_its_kind_has_a_name_of_its_own(self):
        assert (ASK_KIND.kind, ASK_KIND.aliases) == ("ask", ())


class TestInARun:
    """With an engine and a store: the kind as a Blueprint uses it."""

    @staticmethod
    def blueprint(**spec):
        step = {"kind": "step", "ref": "editor", "in": {"op": "lit", "value": "ship?"}}
        return {
            "id": "b",
            "flow": {**step, "out": {"op": "path", "at": "$.said"}},
            "agents": [{"name": "editor", "kind": "ask", "spec": spec}],
        }

    async def test_p18_the_answer_comes_while_no_engine_runs(self, tmp_path: Path):
        """The program ends, somebody answers in the store, another program goes on: nothing is asked twice."""
        url = f"sqlite:///{tmp_path}/runs.db"
        async with Swarm.open(Settings(), store=url) as swarm:
            launched = await swarm.launch(self.blueprint(schema={"type": "string"}))
            first = await launched.wait(or_waiting=True)
            (question,) = await swarm.store.questions(launched.id)

        async with Swarm.open(Settings(), store=url) as swarm:
            await swarm.answer(question.key, "yes", by="ada")
            again = await swarm.resume(launched.id)
            result = await again.wait()
            questions = await swarm.store.questions(launched.id)

        assert (RunStatus.WAITING, RunStatus.DONE, "yes") == (first.status, result.status, result.final_ctx["said"])
        assert [("ada", "yes")] == [(one.answered_by, one.answer) for one in questions]

    async def test_an_expired_question_fails_the_step_with_the_kinds_sentence(self):
        async with Swarm.open(Settings(), store="memory://") as swarm:
            launched = await swarm.launch(self.blueprint(expires="10ms"))
            result = await launched.wait()

        assert RunStatus.FAILED == result.status
        assert "its question to anyone was not answered within 10ms" in result.error["message"]
