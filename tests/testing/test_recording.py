"""A recording context answers as an engine's would."""

import asyncio

import pytest

from swarm_core.contracts import NO_DEFAULT
from swarm_core.errors import BudgetExceeded, PollTimeout, ResourceNotFound, TokenRevoked
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.event import EVENT_KINDS
from swarm_core.model.output import Final, Inline, Partial
from swarm_core.testing import RecordingContext, make_call
from swarm_core.tokens import decode_token


class TestMakeCall:
    def test_each_call_has_a_context_of_its_own(self):
        assert make_call().context is not make_call().context

    def test_any_field_can_be_set(self):
        context = RecordingContext()

        call = make_call(agent="writer", input="text", context=context, meta={"a": 1})

        assert (call.agent, call.directive, call.context, call.meta) == ("writer", "text", context, {"a": 1})

    def test_an_unknown_field_is_refused(self):
        with pytest.raises(TypeError, match="agnet"):
            make_call(agnet="writer")


class TestOutputs:
    def test_outputs_are_kept_in_order(self):
        context = RecordingContext()

        context.emit(Partial("a"))
        context.emit(Final(Inline(1), ok=False))

        assert (context.outputs, context.latest) == ([Partial("a"), Final(Inline(1), ok=False)], Result(1, ok=False))

    def test_the_last_final_counts_and_says_who_gave_it(self):
        context = RecordingContext()

        context.record_final(Result(1))
        context.record_final(Result(2), by="senior")

        assert (context.outputs, context.latest) == (
            [Final(Inline(1), ok=True), Final(Inline(2), ok=True, by="senior")],
            Result(2),
        )


class TestPublish:
    def test_events_are_kept_with_their_facts(self):
        context = RecordingContext()

        context.publish("page_read", number=3)

        assert (context.published, context.kinds) == ([("page_read", {"number": 3})], ["page_read"])

    @pytest.mark.parametrize("kind", [*EVENT_KINDS, "", "Page", "page read", "9pages", "p" * 65])
    def test_kinds_of_the_engine_and_odd_names_are_refused(self, kind):
        with pytest.raises(ValueError, match="event kind"):
            RecordingContext().publish(kind)


class TestQuestions:
    async def test_answers_come_from_the_script_in_order(self):
        context = RecordingContext(answers=["yes", None])

        answers = [await context.ask("one?"), await context.ask("two?", timeout=1)]

        assert (answers, context.questions) == (["yes", None], ["one?", "two?"])

    async def test_without_an_answer_a_question_runs_into_its_timeout(self):
        with pytest.raises(PollTimeout):
            await RecordingContext().ask("anyone?", timeout=1)

    async def test_without_an_answer_the_default_is_what_an_engine_would_give(self):
        assert await RecordingContext().ask("anyone?", timeout=1, default=None) is None

    async def test_all_that_was_said_with_a_question_is_kept(self):
        context = RecordingContext(answers=["yes", "yes"])

        await context.ask("one?", timeout=5, schema={"type": "string"}, who=["ada"], default="no")
        await context.ask("two?")

        first, second = context.asked
        assert ({"type": "string"}, ("ada",), 5, "no") == (first.schema, first.who, first.timeout, first.default)
        assert (None, (), None, NO_DEFAULT) == (second.schema, second.who, second.timeout, second.default)

    async def test_what_is_no_schema_is_refused_as_an_engine_would(self):
        with pytest.raises(ValueError, match=r"\$\.type"):
            await RecordingContext(answers=["yes"]).ask("one?", schema={"type": "text"})

    async def test_an_answer_of_the_script_that_an_engine_would_refuse_is_found(self):
        with pytest.raises(ValueError, match=r"the script answers 'yes'.*: \$ is not of type"):
            await RecordingContext(answers=["yes"]).ask("one?", schema={"type": "boolean"})

    @pytest.mark.parametrize("timeout", [None, 1])
    async def test_people_may_take_their_time(self, timeout):
        waiting = asyncio.ensure_future(RecordingContext(answers=None).ask("anyone?", timeout=timeout))

        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert not waiting.done()
        waiting.cancel()

    async def test_the_same_script_can_be_played_again(self):
        context = RecordingContext(answers=["yes"], resources={"plan": 1})
        await context.ask("one?")

        again = context.again()

        assert ("yes", ["two?"], 1) == (await again.ask("two?"), again.questions, again.fetch_data("plan"))
        assert ["one?"] == context.questions

    async def test_without_an_answer_and_a_timeout_the_test_is_told(self):
        with pytest.raises(LookupError, match=r"nobody answers 'anyone\?'; give RecordingContext\(answers="):
            await RecordingContext().ask("anyone?")


class TestChildren:
    async def test_a_childs_input_comes_back(self):
        context = RecordingContext()

        assert await context.start_child("writer", [1]) == Result([1])
        assert context.children == [("writer", [1])]

    async def test_a_child_may_be_scripted(self):
        context = RecordingContext(child=lambda agent, input: Result(f"{agent} did {input}", ok=False))

        assert await context.start_child("writer", 1) == Result("writer did 1", ok=False)


class TestSpending:
    def test_amounts_add_up(self):
        context = RecordingContext()

        context.spend(tokens=1000, cost=0.25)
        context.spend(tokens=200)

        assert {"tokens": 1200, "cost": 0.25} == context.spent

    @pytest.mark.parametrize("amount", [-1, float("nan"), "many", True])
    def test_what_cannot_be_added_is_refused(self, amount):
        context = RecordingContext()

        with pytest.raises(ValueError, match="tokens cannot grow"):
            context.spend(tokens=amount)
        assert {} == context.spent

    def test_a_limit_is_an_engines_limit(self):
        context = RecordingContext(counters={"tokens": 10})
        context.spend(tokens=10)

        with pytest.raises(BudgetExceeded, match="tokens"):
            context.spend(tokens=1)


class TestRest:
    def test_resources_are_what_it_was_given(self):
        context = RecordingContext(resources={"plan": 1})

        assert context.fetch_data("plan") == 1
        with pytest.raises(ResourceNotFound):
            context.fetch_data("other")

    def test_the_deadline_is_what_it_was_given(self):
        assert (RecordingContext().deadline, RecordingContext(deadline=5.0).deadline) == (None, 5.0)

    def test_the_token_is_a_workers_and_stays_the_same(self):
        context = RecordingContext()

        assert (decode_token(context.token()).role, context.token()) == (Role.WORKER, context.token())

    def test_a_handle_has_its_form(self):
        assert RecordingContext().handle().startswith("wh-")

    async def test_after_its_end_every_method_is_refused(self):
        context = RecordingContext(answers=["yes"], resources={"plan": 1})
        context.token()
        context.end()

        calls = [
            lambda: context.emit(Partial("a")),
            lambda: context.record_final(Result(1)),
            lambda: context.publish("late"),
            lambda: context.fetch_data("plan"),
            lambda: context.spend(tokens=1),
            context.token,
            context.handle,
        ]
        for call in calls:
            with pytest.raises(TokenRevoked):
                call()
        with pytest.raises(TokenRevoked):
            await context.ask("late?")
        with pytest.raises(TokenRevoked):
            await context.start_child("writer", 1)
