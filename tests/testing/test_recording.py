"""A recording context answers as an engine's would."""

import pytest

from swarm_core.errors import PollTimeout, ResourceNotFound, TokenRevoked
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
