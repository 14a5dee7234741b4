"""Who may answer, what fits, and that of many answers exactly one counts."""

import asyncio

import pytest

from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.engine.answers import MAX_ANSWER, check_who, checked_answer, is_over
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Pinned, Program
from swarm_core.errors import AlreadyAnswered, AnswerDenied, AnswerInvalid
from swarm_core.flow import compile_flow
from swarm_core.model.call import Result
from swarm_core.model.run import Question, QuestionState
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings
from swarm_core.testing import SimulatedClock, simulate

YES_OR_NO = {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]}


def question(**facts):
    return Question(
        key="R-1", run_id="RUN-1", task_id="T-1", address="/0", agent="editor", question="well?", asked_at=1.0, **facts
    )


class TestWho:
    def test_anyone_may_answer_what_is_for_nobody_in_particular(self):
        check_who(question(), "a stranger")

        assert checked_answer(question(), 1, "a stranger") == 1

    @pytest.mark.parametrize("name", ["bob", "Ada", "ada ", "", "ada,eve"])
    def test_others_than_those_who_are_named_are_denied(self, name):
        with pytest.raises(AnswerDenied) as caught:
            checked_answer(question(who=("ada", "eve")), {"approved": True}, name)

        assert str(caught.value) == f"{name!r} may not answer R-1; it is for: ada, eve"

    def test_who_may_not_answer_does_not_hear_what_would_fit(self):
        with pytest.raises(AnswerDenied):
            checked_answer(question(who=("ada",), schema=YES_OR_NO), "no object", "bob")


class TestFit:
    def test_the_answer_is_a_copy_and_json(self):
        given = {"approved": True, "names": ("a", "b")}

        value = checked_answer(question(schema=YES_OR_NO), given, "ada")
        given["approved"] = False

        assert value == {"approved": True, "names": ["a", "b"]}

    def test_null_is_an_answer(self):
        assert checked_answer(question(), None, "ada") is None

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"approved": "yes"}, '$.approved is not of type "boolean"'),
            ({}, '$: "approved" is a required property'),
            ({"approved": True, "at": {1, 2}}, "set is no JSON value"),
            ({"approved": True, "of": float("inf")}, "inf is no JSON number"),
            ({"approved": True, "note": "\ud800"}, "a string holds a lone surrogate at character 0"),
        ],
    )
    def test_what_does_not_fit_is_refused_with_its_place(self, answer, reason):
        with pytest.raises(AnswerInvalid) as caught:
            checked_answer(question(schema=YES_OR_NO), answer, "ada")

        assert (caught.value.key, caught.value.reason) == ("R-1", reason)
        assert str(caught.value) == f"the answer to R-1 is refused: {reason}; the question stays open"

    @pytest.mark.parametrize("answer", ["x" * (MAX_ANSWER + 1), [0] * (MAX_ANSWER + 1)], ids=["text", "numbers"])
    def test_p32_an_answer_has_at_most_a_mebibyte(self, answer):
        with pytest.raises(AnswerInvalid, match="larger than 1024 KiB"):
            checked_answer(question(), answer, "ada")

    def test_p32_what_an_answer_shares_counts_each_time(self):
        shared = "x"
        for _ in range(60):
            shared = [shared, shared]

        with pytest.raises(AnswerInvalid, match="larger than 1024 KiB"):
            checked_answer(question(), shared, "ada")


@pytest.mark.parametrize(("expires_at", "over"), [(None, False), (10.0, True), (10.1, False), (9.9, True)])
def test_p16_the_time_of_a_question_is_over_at_its_moment(expires_at, over):
    assert is_over(question(expires_at=expires_at), 10.0) is over


FLOW = {
    "kind": "fanout",
    "items": {"op": "lit", "value": [0, 1]},
    "bind": {"op": "path", "at": "$.lane"},
    "join": "all",
    "out": {"op": "path", "at": "$.answers"},
    "body": {
        "kind": "step",
        "ref": "editor",
        "in": {"op": "path", "at": "$.lane"},
        "out": {"op": "path", "at": "$.answer"},
    },
}


class Race:
    """Two lanes that ask and two people who both answer whatever they see, with an engine between them."""

    def __init__(self, *, keeps, parks):
        self.keeps, self.parks = keeps, parks
        self.won, self.lost = {}, []

    async def ask(self, call):
        return Result(await call.context.ask(f"lane {call.input}?", schema={"type": "string"}))

    async def run(self):
        clock = SimulatedClock(asyncio.get_running_loop())
        store = MemoryRunStore() if self.keeps else None
        async with Engine(
            outputs=(store or MemoryRunStore()).outputs, runs=store, settings=EngineSettings(), clock=clock
        ) as engine:
            parks = frozenset({"editor"}) if self.parks else frozenset()
            program = Program(blueprint_id="race", flow=compile_flow(FLOW), run=self.ask, parks=parks)
            pinned = Pinned(blueprint="{}", digest="0" * 64, launch={}) if self.keeps else None
            run = engine.launch(program, {}, pinned=pinned)
            await engine.committed(run)
            async with asyncio.TaskGroup() as people:
                for name in ("ada", "bob"):
                    people.create_task(self.answer(engine, run, name))
                result = await engine.wait(run.id)
            self.kept = [] if store is None else await store.questions(run.id)
            return result

    async def answer(self, engine, run, name):
        """Answer each question as soon as its event is there, which is before anybody waits, and then once more."""
        seen = 0
        async for event in engine.follow(run.id):
            if event.kind != "senior_queried":
                continue
            for attempt in range(2):
                await self.give(engine, event.data["key"], f"{name} {attempt}")
                await asyncio.sleep(0)
            seen += 1
            if seen == 2:
                return

    async def give(self, engine, key, answer):
        try:
            given = await engine.answer(key, answer, by=answer.split()[0])
        except AlreadyAnswered:
            self.lost.append(answer)
        else:
            assert key not in self.won, "two answers to one question were accepted"
            self.won[key] = given


@pytest.mark.parametrize(("keeps", "parks"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("seed", range(25))
def test_p18_the_first_answer_counts_and_none_is_lost(keeps, parks, seed):
    """Whoever goes first, asker or answerers: one answer a question wins, it is the step's, and six are refused."""
    race = Race(keeps=keeps, parks=parks)

    result = simulate(race.run, seed=seed)

    given = {asked.answer for asked in race.won.values()}
    assert RunStatus.DONE == result.status
    assert given == {lane["answer"] for lane in result.final_ctx["answers"]}
    assert (2, 6) == (len(race.won), len(race.lost))
    assert all(QuestionState.ANSWERED is asked.state for asked in race.kept)
    assert {asked.answer for asked in race.kept} in (given, set())
