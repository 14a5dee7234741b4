"""Tools: only those that the profile names, side by side, and what goes wrong in them is told to the model."""

import asyncio
import json

import pytest
from model_server import calls, says, thinks

from swarm_core.errors import BudgetExceeded, SpawnDepthExceeded
from swarm_core.model.output import Artifact, Inline
from swarm_core.testing import RecordingContext, check_spawner
from swarm_core.tools import Tool

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def tool(name, call, parameters=TEXT):
    return Tool(name=name, summary=f"Do {name}.", parameters=parameters, call=call)


def returned(asked):
    """What the tools of the last turn returned, by call."""
    return {message["tool_call_id"]: message["content"] for message in asked.messages if message["role"] == "tool"}


async def test_tools_of_one_answer_run_side_by_side(bench, server):
    both = asyncio.Barrier(2)

    async def meet(arguments, context):
        await both.wait()
        return {"said": arguments["text"]}

    server.script(calls(("meet", {"text": "a"}), ("meet", {"text": "b"})), says("done"))

    result = await bench.run(tools=[tool("meet", meet)], profile={"tools": ["meet"]})

    assert ("done", 2) == (result.value, result.facts["llm"]["turns"])
    assert {"call-0": '{"said":"a"}', "call-1": '{"said":"b"}'} == returned(server.asked[1])
    assert ["user", "assistant", "tool", "tool"] == server.asked[1].roles
    assert 30 == bench.context.spent["tokens"]


async def test_only_so_many_run_at_once(bench, server):
    under_way, most = 0, 0

    async def work(arguments, context):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1

    server.script(calls(*[("work", {"text": "x"})] * 12), says("done"))

    await bench.run(tools=[tool("work", work)], profile={"tools": ["work"]}, section={"tools_at_once": 3})

    assert 3 == most
    assert 12 == len(returned(server.asked[1]))


async def test_a_model_is_offered_the_tools_of_its_profile_and_no_others(bench, server):
    server.script(says("ok"))

    await bench.run(tools=[tool("one", None), tool("two", None)], profile={"tools": ["two"]})

    assert ["two"] == server.asked[0].tools


async def broken(arguments, context):
    raise RuntimeError("the password is hunter2")


async def picky(arguments, context):
    raise ValueError("text is too short")


async def odd(arguments, context):
    return {1, 2}


async def deep(arguments, context):
    raise SpawnDepthExceeded(4, 4)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (("brocken", {"text": "x"}), "error: you have no tool 'brocken'; did you mean 'broken'?"),
        (("broken", "{nonsense"), "error: the arguments are no JSON object"),
        (("broken", "[1]"), "error: the arguments are no JSON object"),
        (("broken", {"text": 5}), 'error: the arguments do not fit: $.text is not of type "string"'),
        (("broken", {"text": "x"}), "error: the tool failed with RuntimeError"),
        (("picky", {"text": "x"}), "error: text is too short"),
        (("odd", {"text": "x"}), "error: the tool returned no JSON value"),
        (("deep", {"text": "x"}), "error: the tool failed with SpawnDepthExceeded"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(bench, server, wanted, told):
    server.script(calls(wanted), says("sorry"))
    tools = [tool("broken", broken), tool("picky", picky), tool("odd", odd), tool("deep", deep)]

    result = await bench.run(tools=tools, profile={"tools": ["broken", "picky", "odd", "deep"]})

    assert ("sorry", {"call-0": told}) == (result.value, returned(server.asked[1]))
    assert [False] == [facts["ok"] for kind, facts in bench.context.published if kind == "llm_tool"]


async def test_a_long_result_is_cut_and_says_so(bench, server):
    async def long(arguments, context):
        return "x" * 100_000

    server.script(calls(("long", {"text": ""})), says("ok"))

    await bench.run(tools=[tool("long", long)], profile={"tools": ["long"]}, section={"max_tool_result": "1KiB"})

    (text,) = returned(server.asked[1]).values()
    assert len(text) < 1200
    assert text.endswith("[cut: these are the first 1024 of 100000 characters]")


async def test_more_calls_than_anybody_needs_are_no_answer(bench, server):
    server.script(calls(*[("read_data", {"key": "x"})] * 65))

    with pytest.raises(Exception, match="calls more than 64 tools at once"):
        await bench.run(profile={"tools": ["read_data"]})


async def test_a_budget_that_a_tool_uses_up_ends_the_attempt_and_the_other_tools(bench, server):
    ended = asyncio.Event()

    async def costly(arguments, context):
        context.spend(calls=5)

    async def slow(arguments, context):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    server.script(calls(("slow", {"text": ""}), ("costly", {"text": ""})))

    with pytest.raises(BudgetExceeded):
        await bench.run(
            context=RecordingContext(counters={"calls": 4}),
            tools=[tool("costly", costly), tool("slow", slow)],
            profile={"tools": ["costly", "slow"]},
        )
    assert ended.is_set()


async def test_the_worker_keeps_the_contract(bench, server):
    """The connections of the server in this process are tasks that stay: `background`."""
    server.script(thinks(lambda asked: says("ok") if returned(asked) else calls(("read_data", {"key": "x"}))))
    worker = bench.build(profile={"tools": ["read_data"]})

    result = await check_spawner(worker, background=True)

    assert "ok" == result.value


# those that the plugin brings --------------------------------------------------------------------------------------


async def test_the_own_tools_read_data_ask_and_give_artifacts(bench, server):
    server.script(
        calls(
            ("read_data", {"key": "style"}),
            ("read_data", {"key": "other"}),
            ("ask_senior", {"question": "Which one?"}),
            ("emit_output", {"name": "plan", "content": {"steps": 2}}),
        ),
        says("ok"),
    )
    context = RecordingContext(resources={"style": {"tabs": False}}, answers=["the left one"])

    await bench.run(context=context, profile={"tools": ["read_data", "ask_senior", "emit_output"]})

    assert {
        "call-0": '{"tabs":false}',
        "call-1": "error: there is no data 'other' in this run",
        "call-2": "the left one",
        "call-3": "kept",
    } == returned(server.asked[1])
    assert ["Which one?"] == context.questions
    assert Artifact("plan", Inline({"steps": 2})) in context.outputs


# what is remembered ------------------------------------------------------------------------------------------------


async def test_an_attempt_after_a_restart_goes_on_where_the_last_one_was(bench, server):
    done = []

    async def pay(arguments, context):
        done.append(arguments["text"])
        return "paid"

    server.script(calls(("pay", {"text": "a"}), ("ask_senior", {"question": "And b?"})), says("all paid"))
    first = RecordingContext(answers=None)
    work = asyncio.ensure_future(
        bench.run(context=first, tools=[tool("pay", pay)], profile={"tools": ["pay", "ask_senior"]})
    )
    while "llm.1" not in first.memory:
        await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.wait([work])

    second = RecordingContext(answers=["no"], memory=first.memory)
    result = await bench.run(context=second, tools=[tool("pay", pay)], profile={"tools": ["pay", "ask_senior"]})

    assert ("all paid", ["a"], ["And b?"]) == (result.value, done, second.questions)
    assert {"call-0": "paid", "call-1": "no"} == returned(server.asked[1])
    assert 2 == len(server.asked)


async def test_a_conversation_that_led_nowhere_is_forgotten(bench, server):
    server.script(calls(("read_data", {"key": "x"})))
    context = RecordingContext()
    with pytest.raises(Exception, match="no answer in 2 turns"):
        await bench.run(context=context, profile={"tools": ["read_data"]}, spec={"max_turns": 2})
    server.script(says("ok"))

    await bench.run(context=RecordingContext(memory=context.memory), profile={"tools": ["read_data"]})

    assert ["user"] == server.asked[-1].roles


async def test_what_is_left_of_a_longer_conversation_is_not_taken_for_this_one(bench, server):
    wanted = [{"id": "1", "type": "function", "function": {"name": "read_data", "arguments": "{}"}}]
    old = {"role": "assistant", "content": "old", "tool_calls": wanted}
    memory = {
        "llm.0": {"began": 2, "message": {"role": "user", "content": "new"}},
        "llm.1": {"began": 1, "message": old},
    }
    server.script(says("ok"))

    await bench.run(context=RecordingContext(memory=memory))

    assert ["user", "user"] == server.asked[0].roles


async def test_an_answer_that_did_not_count_is_asked_for_anew(bench, server):
    """An answer was remembered, and the engine died before it was on record."""
    memory = {"llm.0": {"began": 1, "message": {"role": "assistant", "content": "PASS"}}}
    server.script(says("PASS"))

    await bench.run(context=RecordingContext(memory=memory))

    assert ["user"] == server.asked[0].roles


async def test_a_refused_verdict_is_told_at_the_end_of_the_conversation(bench, server):
    note = {"text": "Your last answer was refused: ...", "reason": "...", "values": ["PASS"], "path": "$", "got": "?"}
    server.script(says("PASS"))

    await bench.run(
        "look\n\n" + note["text"], meta={"repair": note}, profile={"system_prompt": "Look at {{ directive }}"}
    )

    assert ["Look at look", "look", note["text"]] == [message["content"] for message in server.asked[0].messages]


async def test_a_model_decides_with_what_it_reads(bench, server):
    """The conversation server may look at the request: what a tool returned reaches the model."""

    async def number(arguments, context):
        return 41

    def decide(asked):
        found = returned(asked)
        return says(str(json.loads(found["call-0"]) + 1)) if found else calls(("number", {"text": ""}))

    server.script(thinks(decide))

    assert "42" == (await bench.run(tools=[tool("number", number)], profile={"tools": ["number"]})).value
