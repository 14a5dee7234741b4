from __future__ import annotations

import functools

import pytest

from swarm_core.model.call import Call, Result


class TestArguments:
    @pytest.mark.parametrize("inline", [True, False])
    async def test_no_parameter_gets_nothing(self, build, make_call, inline):
        result = await build(lambda: 7, inline=inline).run(make_call("x"))

        assert Result(7) == result

    async def test_one_parameter_gets_the_input(self, build, make_call):
        async def shout(text):
            return text.upper()

        assert Result("HI") == await build(shout).run(make_call("hi"))

    async def test_a_parameter_named_call_gets_the_call(self, build, make_call):
        async def who(call):
            return call.agent

        assert Result("a") == await build(who).run(make_call("hi"))

    async def test_an_annotated_parameter_gets_the_call(self, build, make_call):
        def who(attempt: Call):
            return attempt.agent

        assert Result("a") == await build(who, inline=True).run(make_call("hi"))

    async def test_an_annotation_that_is_no_text_counts_too(self, build, make_call):
        def who(attempt):
            return attempt.agent

        who.__annotations__["attempt"] = Call

        assert Result("a") == await build(who, inline=True).run(make_call("hi"))

    async def test_two_parameters_get_the_input_and_the_call(self, build, make_call):
        async def both(text, attempt):
            return [text, attempt.agent]

        assert Result(["hi", "a"]) == await build(both).run(make_call("hi"))

    async def test_the_call_may_come_first(self, build, make_call):
        async def both(call, text):
            return [call.agent, text]

        assert Result(["a", "hi"]) == await build(both).run(make_call("hi"))

    async def test_further_parameters_keep_their_default(self, build, make_call):
        async def scaled(number, factor=10):
            return number * factor

        assert Result(20) == await build(scaled).run(make_call(2))

    async def test_a_call_with_a_default_is_still_given(self, build, make_call):
        async def both(text, call=None):
            return [text, call.agent]

        assert Result(["hi", "a"]) == await build(both).run(make_call("hi"))

    async def test_a_first_parameter_with_a_default_gets_the_input(self, build, make_call):
        async def greet(name="world"):
            return name

        assert Result("you") == await build(greet).run(make_call("you"))

    async def test_any_number_of_parameters_gets_the_input(self, build, make_call):
        async def gather(*things):
            return list(things)

        assert Result(["hi"]) == await build(gather).run(make_call("hi"))

    async def test_a_builtin_without_a_signature_gets_the_input(self, build, make_call):
        assert Result({"a": 1}) == await build(dict, inline=True).run(make_call([["a", 1]]))

    async def test_a_partial_gets_what_is_left(self, build, make_call):
        def scale(factor, number):
            return factor * number

        assert Result(20) == await build(functools.partial(scale, 10), inline=True).run(make_call(2))

    async def test_an_object_with_an_async_call_is_awaited(self, build, make_call):
        class Shouter:
            async def __call__(self, text):
                return text.upper()

        assert Result("HI") == await build(Shouter()).run(make_call("hi"))

    @pytest.mark.parametrize(
        "target",
        [lambda a, b, c: None, lambda a, *, key: None, lambda call, other, more: None],
        ids=["three", "keyword-only", "call-and-two"],
    )
    def test_a_function_that_wants_more_is_refused_when_it_is_built(self, build, target):
        with pytest.raises(ValueError, match=r"the function (takes|wants)"):
            build(target)
