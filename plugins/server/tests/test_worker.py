"""The endpoints of workers, over a real socket: what a handle gets, and what becomes of what it gives."""

import json

import attrs
import pytest
from swarm_plugin_server.folding import value_of
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.settings import ServerSettings

from swarm_core.model.operator import SessionRequest

PROMPT, RESULT, SUBMIT = "/v1/worker/prompt", "/v1/worker/result", "/v1/worker/submit"
HEARTBEAT = "/v1/worker/heartbeat"


@attrs.define
class Bench:
    """A run with one piece of work on the desk, and a client that has its handle."""

    served: object
    run: object
    piece: object
    http: object

    async def submit(self, content, status=204, *, type=None, **query):
        headers = {} if type is None else {"content-type": type}
        reply = await self.http.post(SUBMIT, content=content, params=query, headers=headers)
        assert status == reply.status_code, reply.text
        return reply

    async def post(self, value, status=204, **more):
        reply = await self.http.post(RESULT, json={"task_id": self.piece.task, "value": value, **more})
        assert status == reply.status_code, reply.text
        return reply

    async def ended(self):
        """Let the operator acknowledge; return what the run came to."""
        self.piece.acknowledge()
        return await self.run.wait()

    async def written(self):
        """Return what the step wrote."""
        return (await self.ended()).final_ctx["writer"]

    async def outputs(self):
        """Return what is kept of the attempt."""
        return [record.event for record in await self.served.swarm.outputs.list_for_attempt(self.piece.task, 1)]


@pytest.fixture
async def bench(served, desk, outside):
    run = await outside(served, "writer")
    piece = await desk.next()
    async with served.client(piece.handle) as http:
        yield Bench(served, run, piece, http)


def writer(**more):
    return {"name": "writer", "kind": "operator", "spec": {"operator_ref": "desk"}, **more}


def step(given):
    return {"kind": "step", "ref": "writer", "in": given, "out": {"op": "path", "at": "$.writer"}}


TOPIC = {"op": "path", "at": "$.topic"}


class TestPrompt:
    async def test_a_worker_fetches_its_work_with_the_handle_alone(self, bench):
        reply = await bench.http.get(PROMPT)

        wanted = {"task_id": bench.piece.task, "attempt": 1, "agent": "writer", "prompt": "tea", "input": "tea"}
        assert (200, wanted) == (reply.status_code, reply.json())

    async def test_the_token_does_what_its_handle_does(self, bench):
        async with bench.served.client(bench.piece.token) as http:
            by_token = await http.get(PROMPT, params={"task_id": bench.piece.task})

        assert (await bench.http.get(PROMPT)).json() == by_token.json()

    async def test_the_system_prompt_comes_rendered_and_the_input_typed(self, served, desk, outside):
        agent = writer(profile={"system_prompt": "Write about {{ about }}."}, verdict={"values": ["PASS", "BLOCKED"]})
        flow = step({"op": "lit", "value": {"about": "tea", "n": 5}})
        await outside(served, agents=[agent], flow=flow)
        async with served.client((await desk.next()).handle) as http:
            payload = (await http.get(PROMPT)).json()

        assert ("Write about tea.", {"about": "tea", "n": 5}) == (payload["system"], payload["input"])
        assert {"about": "tea", "n": 5} == json.loads(payload["prompt"])
        assert ["PASS", "BLOCKED"] == payload["verdict"]["values"]

    async def test_row_74_a_delegated_worker_gets_no_system_prompt(self, served, desk):
        blueprint = {
            "id": "delegated",
            "agents": [{"name": "writer", "kind": "operator", "spec": {"operator_ref": "x"}}],
            "operators": [{"name": "x"}],
            "spawner_hints": {"layers": ["operator_delegate"]},
            "flow": step(TOPIC),
        }
        blueprint["agents"][0]["profile"] = {"system_prompt": "Not for you"}
        served.swarm.attach_operator("boss", desk)
        request = SessionRequest(operator_backend_id="boss")
        run = await served.swarm.launch(blueprint, init_ctx={"topic": "tea"}, request=request)
        piece = await desk.next()
        async with served.client(piece.handle) as http:
            payload = (await http.get(PROMPT)).json()
            await http.post(SUBMIT, content="mine")
        piece.acknowledge()

        assert {"task_id": piece.task, "attempt": 1, "agent": "writer", "prompt": "tea", "input": "tea"} == payload
        assert "mine" == (await run.wait()).final_ctx["writer"]

    async def test_a_worker_that_broke_its_contract_is_told_so_in_its_next_prompt(self, served, desk, outside):
        run = await outside(
            served, agents=[writer(verdict={"values": ["PASS"], "on_invalid": "repair"})], flow=step(TOPIC)
        )
        prompts = []
        for answer in ("Passed.", "PASS"):
            piece = await desk.next()
            async with served.client(piece.handle) as http:
                prompts.append((await http.get(PROMPT)).json())
                await http.post(SUBMIT, content=answer)
            piece.acknowledge()

        assert [1, 2] == [prompt["attempt"] for prompt in prompts]
        assert "Your last answer was refused" in prompts[1]["prompt"]
        assert "PASS" == (await run.wait()).final_ctx["writer"]

    async def test_row_93_the_work_of_another_task_is_refused(self, bench):
        reply = await bench.http.get(PROMPT, params={"task_id": "T-0000000000000000"})

        assert (400, "token_task_mismatch") == (reply.status_code, reply.json()["code"])


class TestResult:
    @pytest.mark.parametrize("value", ["text", 5, 5.5, True, None, [], {"a": [1, {"b": None}]}])
    async def test_a_result_is_the_steps_value_as_it_is(self, bench, value):
        await bench.post(value)

        assert value == await bench.written()

    async def test_row_69_what_was_posted_counts_before_what_is_acknowledged(self, bench):
        await bench.post("posted")

        assert "posted" == await bench.written()

    async def test_without_a_result_the_operators_word_counts(self, bench):
        assert "acknowledged" == await bench.written()

    async def test_a_result_that_is_not_ok_blocks_the_task(self, bench):
        await bench.post({"why": "no"}, ok=False)

        assert 'blocked: {"why":"no"}' in (await bench.ended()).error["message"]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"value": 1, "ok": "false"}, id="hb108-a-string-is-no-truth"),
            {"value": 1, "ok": 0},
            {"value": 1, "ok": None},
            {"value": 1, "attempt": "1"},
            {"value": 1, "verdict": "PASS"},
            {},
        ],
    )
    async def test_fields_that_are_wrong_change_nothing(self, bench, body):
        reply = await bench.http.post(RESULT, json={"task_id": bench.piece.task, **body})

        assert (400, "bad_body") == (reply.status_code, reply.json()["code"])
        assert "acknowledged" == await bench.written()

    async def test_hb108_the_same_result_twice_is_taken_and_another_is_not(self, bench):
        await bench.post({"a": 1, "b": 2})
        await bench.post({"b": 2, "a": 1})
        await bench.submit('{"a": 1, "b": 2}')
        refused = [
            await bench.post({"a": 1}, 409),
            await bench.post({"a": 1.0, "b": 2}, 409),
            await bench.post({"a": 1, "b": 2}, 409, ok=False),
            await bench.submit("other", 409),
        ]

        assert {"result_conflict"} == {reply.json()["code"] for reply in refused}
        assert {"a": 1, "b": 2} == await bench.written()
        events = await bench.served.swarm.history.events(bench.run.id)
        assert 1 == [event.kind for event in events].count("worker_output")

    async def test_tk88_another_attempt_is_not_its_own(self, bench):
        reply = await bench.post("forged", 400, attempt=999)

        assert "token_task_mismatch" == reply.json()["code"]
        assert "acknowledged" == await bench.written()


async def test_hb108_a_body_that_is_too_large_is_refused_and_a_smaller_one_taken(serve, desk, outside):
    served = await serve(settings=ServerSettings(port=0, max_body=1000, max_raw_body=1000))
    run = await outside(served, "writer")
    piece = await desk.next()
    async with served.client(piece.handle) as http:
        refused = [
            await http.post(RESULT, json={"task_id": piece.task, "value": "x" * 2000}),
            await http.post(SUBMIT, content="x" * 2000),
        ]
        taken = await http.post(SUBMIT, content="x" * 500)
    piece.acknowledge()

    assert [(413, "too_large")] * 2 == [(reply.status_code, reply.json()["code"]) for reply in refused]
    assert 204 == taken.status_code
    assert "x" * 500 == (await run.wait()).final_ctx["writer"]


class TestSubmit:
    @pytest.mark.parametrize("ok", [True, False])
    async def test_row_94_plain_prose_is_the_value_and_ok_decides(self, bench, ok):
        await bench.submit("All { is } well, [sort of].\n\n", ok=str(ok).lower())
        ended = await bench.ended()

        if ok:
            assert "All { is } well, [sort of]." == ended.final_ctx["writer"]
        else:
            assert 'blocked: "All { is } well, [sort of]."' in ended.error["message"]

    async def test_a_structure_comes_out_of_its_text(self, bench):
        await bench.submit('```json\n{"verdict": "PASS", "notes": [1, 2.5, null]}\n```\n')

        assert {"verdict": "PASS", "notes": [1, 2.5, None]} == await bench.written()

    async def test_raw_text_stays_text(self, bench):
        await bench.submit('{"a": 1}', raw="true")

        assert '{"a": 1}' == await bench.written()

    async def test_a_query_that_says_neither_true_nor_false_is_refused(self, bench):
        reply = await bench.submit("x", 400, ok="maybe")

        assert "bad_query" == reply.json()["code"]

    async def test_what_is_no_text_is_refused(self, bench):
        assert "not_utf8" == (await bench.submit(b"\xff\xfe", 400)).json()["code"]

    async def test_an_empty_body_is_an_empty_text(self, bench):
        await bench.submit("")

        assert "" == await bench.written()


class TestParts:
    async def test_parts_make_one_object(self, bench):
        await bench.submit("A long report.", part="report")
        await bench.submit('{"n": 2}', part="facts")
        await bench.submit("")

        assert {"report": "A long report.", "facts": {"n": 2}} == await bench.written()

    async def test_a_last_one_without_a_name_joins_them_as_out(self, bench):
        await bench.submit("A long report.", part="report")
        await bench.submit("PASS")

        assert {"report": "A long report.", "out": "PASS"} == await bench.written()

    async def test_parts_are_the_result_also_without_a_last_one(self, bench):
        await bench.submit("PASS", part="verdict")
        await bench.submit("because", part="reason")

        assert {"verdict": "PASS", "reason": "because"} == await bench.written()
        assert ["artifact", "artifact", "final"] == [event.type for event in await bench.outputs()]

    async def test_one_part_that_is_not_ok_blocks_the_whole(self, bench):
        await bench.submit("BLOCKED", part="verdict", ok="false")
        await bench.submit("because", part="reason")
        await bench.submit("")

        assert '{"verdict":"BLOCKED","reason":"because"}' in (await bench.ended()).error["message"]

    async def test_the_same_part_twice_is_taken_and_another_is_not(self, bench):
        await bench.submit("one", part="a")
        await bench.submit("one", part="a")
        refused = await bench.submit("two", 409, part="a")

        assert "result_conflict" == refused.json()["code"]
        assert {"a": "one"} == await bench.written()

    async def test_a_part_after_the_result_is_refused(self, bench):
        await bench.submit("done")
        await bench.submit("late", 409, part="a")

        assert "done" == await bench.written()

    @pytest.mark.parametrize("name", ["out", "", "a b", "../x", "x" * 65])
    async def test_a_name_that_is_none_is_refused(self, bench, name):
        reply = await bench.submit("x", 422, part=name)

        assert "invalid_id" == reply.json()["code"]
        assert "acknowledged" == await bench.written()

    async def test_p32_there_are_a_hundred_parts_at_most(self, bench):
        for number in range(100):
            await bench.submit("x", part=f"p{number}")

        await bench.submit("x", 409, part="p100")


class TestHeartbeat:
    async def test_a_worker_learns_that_its_attempt_lives(self, bench):
        reply = await bench.http.post(HEARTBEAT)

        assert {"task_id": bench.piece.task, "attempt": 1, "status": "running"} == reply.json()

    async def test_a_worker_learns_how_much_time_is_left(self, served, desk, outside):
        await outside(served, agents=[writer()], flow=step(TOPIC), hints={"per_agent": {"writer": {"timeout": "5m"}}})
        async with served.client((await desk.next()).handle) as http:
            life = (await http.post(HEARTBEAT)).json()

        assert 0 < life["seconds_left"] <= 300


# folding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' [1, "b"]\n', [1, "b"]),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("```\n[1]\n```\n", [1]),
        ('```JSON\r\n{"a": "```"}\r\n```', {"a": "```"}),
        ("\ufeff{}", {}),
        # scalars, prose and what is not sound stay text
        ("5", "5"),
        ("true", "true"),
        ('"PASS"', '"PASS"'),
        ("PASS", "PASS"),
        ("", ""),
        ("  indented\n  text  \n", "  indented\n  text"),
        ('Here it is:\n```json\n{"a": 1}\n```', 'Here it is:\n```json\n{"a": 1}\n```'),
        ('```json\n{"a": 1}\n```\nand\n```json\n{"b": 1}\n```', '```json\n{"a": 1}\n```\nand\n```json\n{"b": 1}\n```'),
        ("```python\n[1]\n```", "```python\n[1]\n```"),
        ("```json\n5\n```", "```json\n5\n```"),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": NaN}', '{"a": NaN}'),
        ("{'a': 1}", "{'a': 1}"),
        ("[" * 300 + "]" * 300, "[" * 300 + "]" * 300),
        ("{}[]", "{}[]"),
    ],
)
def test_what_is_json_and_nothing_else_becomes_a_structure(text, value):
    assert value == value_of(text.encode(), None, raw=False)
    assert text.removeprefix("\ufeff").rstrip() == value_of(text.encode(), "text/plain; charset=utf-8", raw=False)
    assert text.removeprefix("\ufeff").rstrip() == value_of(text.encode(), "application/json", raw=True)


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("null", None), ('"x"', "x"), ('{"a": [true]}', {"a": [True]})])
def test_what_is_said_to_be_json_is_any_value(text, value):
    assert value == value_of(text.encode(), "application/json; charset=UTF-8", raw=False)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"PASS", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"a":1,"a":2}', "application/json", 400),
        (b"\xe9", "text/plain", 400),
        (b"\xe9", "text/plain; charset=latin-1", 415),
    ],
)
def test_what_is_not_what_it_says_is_refused(body, content_type, status):
    with pytest.raises(Refused) as refused:
        value_of(body, content_type, raw=False)

    assert status == refused.value.status
