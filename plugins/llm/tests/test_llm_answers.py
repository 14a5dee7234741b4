"""What a model answers, and what becomes of it: each way in which the wire can end."""

import asyncio
import json

import pytest
from model_server import calls, cuts, fails, floods, hangs, refuses, says, sends, whole
from swarm_plugin_llm.faults import LlmFailed

from swarm_core.errors import SpawnFailed
from swarm_core.model.call import Result
from swarm_core.model.output import Partial
from swarm_core.testing import RecordingContext, make_call

SCHEMA = {"type": "object", "required": ["verdict"], "properties": {"verdict": {"enum": ["PASS", "BLOCKED"]}}}


async def failed(bench, *, kind, **build):
    with pytest.raises(LlmFailed) as caught:
        await bench.run("go", **build)
    assert kind == caught.value.kind
    return str(caught.value)


# plain answers ---------------------------------------------------------------------------------------------------


async def test_a_plain_answer_is_the_value_and_says_what_it_cost(bench, server):
    server.script(says("Good ", "morning."))

    result = await bench.run(
        {"name": "Ann"}, profile={"system_prompt": "Greet {{ name }}.", "effort": "low"}, spec={"temperature": 0.5}
    )

    (asked,) = server.asked
    spent = {"tokens": 15, "input_tokens": 10, "output_tokens": 5}
    about = {"provider": "local", "model": "tiny-2026", "turns": 1}
    assert Result("Good morning.", True, {"usage": {"spent": spent}, "llm": about}) == result
    assert spent == bench.context.spent
    assert [
        {"role": "system", "content": "Greet Ann."},
        {"role": "user", "content": '{"name":"Ann"}'},
    ] == asked.messages
    assert ("tiny", "low", 0.5) == tuple(asked.body[name] for name in ("model", "reasoning_effort", "temperature"))
    assert "/v1/chat/completions" == asked.path
    assert "tools" not in asked.body


async def test_pieces_of_the_answer_are_outputs_as_they_come(bench, server):
    long = ["word " * 60] * 5
    server.script(says(*long))

    await bench.run()

    chunks = [event.chunk for event in bench.context.outputs if isinstance(event, Partial)]
    assert "".join(long) == "".join(chunks)
    assert len(chunks) > 1


async def test_no_pieces_are_told_where_the_spec_says_so(bench, server):
    server.script(says("a", "b"))

    await bench.run(spec={"partials": False})

    assert [] == bench.context.outputs


@pytest.mark.parametrize(
    ("text", "output", "value"),
    [
        ('{"a": 1}', "auto", {"a": 1}),
        ("```json\n[1, 2]\n```", "auto", [1, 2]),
        (" 17 \n", "auto", "17"),
        ("{not json", "auto", "{not json"),
        ("17", "json", 17),
        (' {"a": 1} ', "text", ' {"a": 1} '),
    ],
)
async def test_an_answer_is_read_as_the_spec_says(bench, server, text, output, value):
    server.script(says(text))

    assert value == (await bench.run(spec={"output": output})).value


async def test_a_server_that_does_not_stream_is_understood(bench, server):
    server.script(whole("at once"))

    assert "at once" == (await bench.run()).value


async def test_the_only_model_of_a_server_is_asked_when_nobody_names_one(bench, server):
    server.script(says("ok"))

    await bench.run(provider={"model": None})

    assert "tiny" == server.asked[0].body["model"]


async def test_a_choice_of_models_is_not_made_by_chance(bench, server):
    server.models = ("one", "two")

    with pytest.raises(SpawnFailed, match=r"which model of provider 'local'.*the server has: one, two"):
        await bench.run(provider={"model": None})


async def test_a_refusal_of_the_model_is_a_blocked_result(bench, server):
    server.script(refuses("I must not."))

    result = await bench.run()

    assert (False, {"refusal": "I must not."}) == (result.ok, result.value)


# answers by schema -----------------------------------------------------------------------------------------------


async def test_a_schema_is_told_to_the_server_and_the_answer_fits_it(bench, server):
    server.script(says('{"verdict": "PASS"}'))

    result = await bench.run(spec={"output_schema": SCHEMA})

    assert {"verdict": "PASS"} == result.value
    assert SCHEMA == server.asked[0].body["response_format"]["json_schema"]["schema"]
    assert ["user"] == server.asked[0].roles


async def test_a_server_without_schemas_has_it_in_the_prompt(bench, server):
    server.script(says('{"verdict": "PASS"}'))

    await bench.run(spec={"output_schema": SCHEMA}, provider={"json_schema": False})

    assert "response_format" not in server.asked[0].body
    assert json.dumps(SCHEMA, separators=(",", ":")) in server.asked[0].messages[0]["content"]


@pytest.mark.parametrize("first", ["PASS", '{"verdict": "MAYBE"}', '{"verdict": '])
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(bench, server, first):
    server.script(says(first), says('{"verdict": "PASS"}'))

    result = await bench.run(spec={"output_schema": SCHEMA, "max_turns": 1})

    assert {"verdict": "PASS"} == result.value
    assert ["user", "assistant", "user"] == server.asked[1].roles
    assert "cannot be used" in server.asked[1].messages[2]["content"]
    assert "llm_repair" in bench.context.kinds


async def test_an_answer_that_does_not_fit_twice_fails(bench, server):
    server.script(says('{"verdict": "MAYBE"}'))

    text = await failed(bench, kind="llm_output", spec={"output_schema": SCHEMA})

    assert "$.verdict" in text
    assert 2 == len(server.asked)


# the wire --------------------------------------------------------------------------------------------------------


async def test_429_is_asked_again_when_the_server_says(bench, server):
    server.script(fails(429, "slow down", retry_after="0.01"), says("ok"))

    result = await bench.run()

    (facts,) = [facts for kind, facts in bench.context.published if kind == "llm_chat"]
    assert ("ok", 2, 1) == (result.value, len(server.asked), facts["retries"])


async def test_429_with_a_long_wait_is_told_at_once(bench, server):
    server.script(fails(429, "come back tomorrow", retry_after="86400"))

    text = await failed(bench, kind="llm_rate_limited")

    assert "429: come back tomorrow" in text
    assert 1 == len(server.asked)


async def test_500_three_times_is_the_end(bench, server):
    server.script(fails(500, "on fire", retry_after="0.01"))

    text = await failed(bench, kind="llm_unavailable")

    assert "500: on fire" in text
    assert 3 == len(server.asked)


@pytest.mark.parametrize(
    "body",
    [
        "data: {broken\n\n",
        "data: [1, 2]\n\n",
        'data: {"choices": "none"}\n\n',
        'data: {"choices": [{"delta": 5}]}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [5]}}]}\n\n',
        "data: " + "[" * 100_000 + "\n\n",
    ],
)
async def test_malformed_json_fails_and_says_so(bench, server, body):
    server.script(sends(body))

    text = await failed(bench, kind="llm_malformed")

    assert "gave an answer that cannot be read" in text
    assert len(text) < 500


async def test_a_whole_answer_that_is_no_json_fails(bench, server):
    server.script(sends("<html>", content_type="application/json"))

    await failed(bench, kind="llm_malformed")


@pytest.mark.parametrize("politely", [False, True])
async def test_a_connection_cut_in_the_middle_is_asked_again(bench, server, politely):
    server.script(cuts("half an ans", politely=politely), says("whole"))

    result = await bench.run()

    (facts,) = [facts for kind, facts in bench.context.published if kind == "llm_retry"]
    assert ("whole", 11) == (result.value, facts["characters"])


@pytest.mark.parametrize("politely", [False, True])
async def test_a_connection_that_is_always_cut_fails_and_what_came_is_paid_for(bench, server, politely):
    server.script(cuts("half an ans", politely=politely))

    await failed(bench, kind="llm_connection")

    assert 3 == len(server.asked)
    assert bench.context.spent["output_tokens"] == 9, "three times eleven characters, four to a token"


async def test_an_answer_of_10_mb_is_ended_in_time(bench, server):
    server.script(floods("x" * 10_000, 1_000))

    text = await failed(bench, kind="llm_too_large", spec={"partials": False})

    await server.gone.wait()
    assert "more than 1,048,576 characters" in text


async def test_a_line_without_end_is_ended_in_time(bench, server):
    server.script(floods("x" * 100_000, 1_000, event=False))

    await failed(bench, kind="llm_too_large", section={"max_answer": "4KiB"})

    await server.gone.wait()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("This model's maximum context length is 8192 tokens.", None),
        ("the request exceeds the available context size", None),
        ("no", "context_length_exceeded"),
    ],
)
async def test_a_prompt_over_the_limit_says_what_to_do(bench, server, message, code):
    server.script(fails(400, message, code=code))

    text = await failed(bench, kind="llm_context_too_long")

    assert "the conversation is longer than provider 'local' takes" in text
    assert "less input" in text


async def test_an_error_in_the_middle_of_an_answer_is_told(bench, server):
    server.script(sends('data: {"error": {"message": "the card\\nburnt"}}\n\n'))

    assert "provider 'local': the card burnt" == await failed(bench, kind="llm_refused")


@pytest.mark.parametrize(("finish", "kind"), [("length", "llm_answer_cut"), ("content_filter", "llm_filtered")])
async def test_an_answer_that_was_not_finished_is_no_answer(bench, server, finish, kind):
    server.script(says("half", finish=finish))

    await failed(bench, kind=kind)


async def test_nothing_is_no_answer(bench, server):
    server.script(says(""))

    await failed(bench, kind="llm_empty")


async def test_silence_has_an_end(bench, server):
    server.script(hangs("half"))

    text = await failed(bench, kind="llm_timeout", provider={"timeout": "200ms"})

    assert "said nothing for 0.2 s" in text
    await server.gone.wait()


async def test_nobody_there_is_told_with_where_to_look(bench):
    text = await failed(bench, kind="llm_connection", provider={"base_url": "http://127.0.0.1:1/v1", "max_retries": 0})

    assert "provider 'local' cannot be reached (ConnectError); is its base_url right?" == text


async def test_a_cancel_in_the_middle_of_a_stream_closes_the_connection(bench, server):
    server.script(hangs("half an answer " * 40))
    context = RecordingContext()
    work = asyncio.ensure_future(bench.run(context=context))
    while not context.outputs:
        await asyncio.sleep(0.01)

    work.cancel()

    with pytest.raises(asyncio.CancelledError):
        await work
    await server.gone.wait()
    assert 150 == context.spent["output_tokens"], "what came is paid for, four characters to a token"


async def test_a_redirect_is_not_followed(bench, server):
    server.script(fails(307, "over there", location="http://127.0.0.1:1/v1/chat/completions"))

    assert "redirects are not followed" in await failed(bench, kind="llm_refused")


async def test_a_provider_is_asked_only_so_often_at_once(bench, server):
    server.script(says("ok"))

    await asyncio.gather(
        *(bench.build(provider={"concurrency": 2}).run(make_call(context=RecordingContext())) for _ in range(8))
    )

    assert 2 >= server.at_once
    assert 8 == len(server.asked)


async def test_the_last_turn_is_the_last(bench, server):
    server.script(calls(("emit_output", {"name": "a", "content": 1})))

    await failed(bench, kind="llm_turns", spec={"max_turns": 3}, profile={"tools": ["emit_output"]})

    assert 3 == len(server.asked)
