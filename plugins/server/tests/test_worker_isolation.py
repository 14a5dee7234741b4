"""What a worker's credential opens: its own attempt while that lives, and nothing else of all there is (P20 to P24)."""

import asyncio
import sys
from collections import Counter

import attrs
import pytest
from swarm_plugin_server.settings import ServerSettings

from swarm_core.endpoints import Access
from swarm_core.tokens import encode_token

PROMPT, RESULT, SUBMIT = "/v1/worker/prompt", "/v1/worker/result", "/v1/worker/submit"
HEARTBEAT, EMIT, DATA = "/v1/worker/heartbeat", "/v1/data/emit", "/v1/data"
NOTE = {"type": "progress", "stage": "forged", "note": None}


@attrs.define
class Pair:
    """Two runs of one step each, both on the desk: a thief's, and a victim's with an output and a question to find."""

    served: object
    thief: object
    victim: object
    victim_run: object
    output: str

    def picture(self):
        """What of the victim could have been changed."""
        run = self.victim_run
        return (str(run.status), [str(attrs.asdict(task)) for task in run.tasks()], self.victim.call.context.tail)


@pytest.fixture
async def pair(served, desk, outside):
    victim_run = await outside(served, "victim", ctx={"topic": "secret prompt"})
    victim = await desk.next()
    body = {"task_id": victim.task, "attempt": 1, "event": {**NOTE, "stage": "secret output"}}
    async with served.client(victim.handle) as http:
        output = (await http.post(f"{DATA}/victim", json=body)).json()["out_id"]
    await outside(served, "thief")
    return Pair(served, await desk.next(), victim, victim_run, output)


def calls_of_workers(piece, *, agent="thief", output="out-0000000000000000"):
    """Everything that workers ask, about one piece of work: method, address, and what comes with it."""
    body = {"task_id": piece.task, "attempt": piece.call.attempt, "event": NOTE}
    return {
        "prompt": ("GET", PROMPT, {"params": {"task_id": piece.task}}),
        "result": ("POST", RESULT, {"json": {"task_id": piece.task, "value": "forged"}}),
        "emit": ("POST", EMIT, {"json": body}),
        "data": ("POST", f"{DATA}/{agent}", {"json": body}),
        "read": ("GET", f"{DATA}/{output}", {}),
        "read by name": ("GET", f"{DATA}/{agent}", {}),
    }


def calls_without_a_task():
    return {
        "own prompt": ("GET", PROMPT, {}),
        "submit": ("POST", SUBMIT, {"content": "forged"}),
        "heartbeat": ("POST", HEARTBEAT, {}),
    }


async def asked(http, calls):
    return {name: await http.request(method, path, **more) for name, (method, path, more) in calls.items()}


def statuses(replies):
    return {name: reply.status_code for name, reply in replies.items()}


class TestOthers:
    @pytest.mark.parametrize("form", ["handle", "token"])
    async def test_p24_nothing_of_anothers_task_is_read_or_changed(self, pair, form):
        before = pair.picture()
        calls = calls_of_workers(pair.victim, agent="victim", output=pair.output)
        async with pair.served.client(getattr(pair.thief, form)) as http:
            replies = await asked(http, calls)

        wanted = {"prompt": 400, "result": 400, "emit": 403, "data": 403, "read": 404, "read by name": 404}
        assert wanted == statuses(replies)
        assert "secret" not in "".join(reply.text for reply in replies.values())
        assert before == pair.picture()

    async def test_p20_every_endpoint_that_is_no_workers_is_closed_to_it(self, pair):
        """The whole table, whatever plugins have added to it."""
        parts = {"run_id": pair.victim_run.id, "key": pair.output, "id": "outside", "sid": "op-1"}
        closed = [
            endpoint
            for endpoint in pair.served.serving.endpoints.values()
            if endpoint.access in (Access.TOKEN, Access.SESSION) and not endpoint.workers
        ]
        before = pair.picture()
        async with pair.served.client(pair.thief.handle) as http:
            for endpoint in closed:
                path = endpoint.path
                for part in (each.strip("{}") for each in path.split("/") if each.startswith("{")):
                    path = path.replace(f"{{{part}}}", parts.get(part, "x"))
                reply = await http.request(endpoint.method, path, json={"roles": []} if endpoint.body else None)

                wanted = (403,) if endpoint.access is Access.TOKEN else (401, 404)
                assert reply.status_code in wanted, (endpoint.name, reply.text)

        assert len(closed) > 20
        assert before == pair.picture()

    async def test_p20_only_workers_have_a_workers_place(self, pair):
        """Neither the server's own token nor a session's stands for an attempt."""
        engine = pair.served.swarm.engine
        tokens = [pair.served.token, encode_token(engine.attach("ada")), encode_token(pair.victim_run.attach())]
        for token in tokens:
            async with pair.served.client(token) as http:
                replies = await asked(http, calls_of_workers(pair.thief) | calls_without_a_task())
            del replies["read"], replies["read by name"]

            assert {403} == set(statuses(replies).values())

    async def test_without_a_credential_there_is_no_work(self, pair):
        async with pair.served.client() as http:
            replies = await asked(http, calls_of_workers(pair.thief) | calls_without_a_task())

        wanted = dict.fromkeys(replies, 401) | {"emit": 400, "data": 400}
        assert wanted == statuses(replies)

    async def test_p24_where_the_servers_token_is_not_asked_for_a_worker_still_has_its_own_task_only(
        self, serve, desk, outside
    ):
        served = await serve(auth=False)
        await outside(served, "one")
        one = await desk.next()
        await outside(served, "two")
        two = await desk.next()
        async with served.client() as nobody, served.client(one.handle) as http:
            without = await asked(nobody, calls_of_workers(one) | calls_without_a_task())
            foreign = await asked(http, calls_of_workers(two, agent="two"))
            own = await http.get(PROMPT, params={"task_id": one.task})

        assert {401, 400, 404} == set(statuses(without).values())
        assert [404, 404] == [without[name].status_code for name in ("read", "read by name")]
        assert {400, 403, 404} == set(statuses(foreign).values())
        assert 200 == own.status_code


class TestAfterTheEnd:
    async def test_p21_tk88_after_the_run_its_credentials_are_gone(self, pair):
        pair.victim.acknowledge()
        token = pair.victim.token
        await pair.victim_run.wait()
        for credential in (pair.victim.handle, token):
            async with pair.served.client(credential) as http:
                replies = await asked(http, calls_of_workers(pair.victim) | calls_without_a_task())
            del replies["read"], replies["read by name"]

            assert {410} == set(statuses(replies).values())
            assert {"gone"} == {reply.json()["code"] for reply in replies.values()}

    async def test_p13_while_its_run_goes_on_a_late_worker_is_told_that_its_attempt_is_over(
        self, served, desk, outside
    ):
        run = await outside(served, "one", "two")
        one = await desk.next()
        one.acknowledge()
        two = await desk.next()
        async with served.client(one.handle) as http:
            replies = await asked(http, calls_of_workers(one) | calls_without_a_task())
        two.acknowledge()
        del replies["read"], replies["read by name"]

        assert {409} == set(statuses(replies).values())
        assert {"stale_attempt"} == {reply.json()["code"] for reply in replies.values()}
        assert {"one": "acknowledged", "two": "acknowledged"}.items() <= (await run.wait()).final_ctx.items()
        assert "forged" not in str([event.as_json() for event in await served.swarm.history.events(run.id)])

    async def test_p13_an_earlier_attempt_cannot_speak_for_a_later_one(self, served, desk, outside):
        hints = {"per_agent": {"one": {"retry": {"max_attempts": 2, "backoff": 0, "on": ["blocked"]}}}}
        run = await outside(served, "one", hints=hints)
        first = await desk.next()
        async with served.client(first.handle) as http:
            await http.post(SUBMIT, content="no", params={"ok": "false"})
            first.acknowledge()
            second = await desk.next()
            late = [
                await http.post(RESULT, json={"task_id": second.task, "value": "forged", "attempt": attempt})
                for attempt in (1, 2, 999)
            ]
        second.acknowledge()

        assert [409] * 3 == [reply.status_code for reply in late]
        assert "acknowledged" == (await run.wait()).final_ctx["one"]

    async def test_p14_what_comes_after_a_cancel_changes_nothing(self, pair):
        """The worker is told to end and has not ended yet."""
        pair.victim_run.request_cancel()
        async with pair.served.client(pair.victim.handle) as http:
            reply = await http.post(SUBMIT, content="late")
        await pair.victim_run.wait()

        assert reply.status_code in (409, 410)
        assert "late" not in str([e.as_json() for e in await pair.served.swarm.history.events(pair.victim_run.id)])


class TestGuessing:
    @pytest.mark.parametrize("bearer", ["wh-" + "0" * 32, "wh-", "e30", "x" * 5000, "wh-" + "0" * 31 + "\u00e9"])
    async def test_tk79_tk91_what_nobody_made_opens_nothing(self, pair, bearer):
        headers = {"authorization": f"Bearer {bearer}".encode()}
        async with pair.served.client() as http:
            replies = {
                name: await http.request(method, path, headers=headers, **more)
                for name, (method, path, more) in (calls_of_workers(pair.thief) | calls_without_a_task()).items()
            }

        assert {401} == set(statuses(replies).values())
        assert 1 == len({reply.text for reply in replies.values()}), "no answer tells what was wrong"

    async def test_tk91_who_guesses_too_often_is_told_to_wait(self, serve, desk, outside):
        served = await serve(settings=ServerSettings(port=0, max_wrong=20))
        await outside(served, "one")
        piece = await desk.next()
        seen = Counter()
        async with served.client() as http:
            for number in range(30):
                reply = await http.get(PROMPT, headers={"authorization": f"Bearer wh-{number:032x}"})
                seen[reply.status_code] += 1
            right = await http.get(PROMPT, headers={"authorization": f"Bearer {piece.handle}"})

        assert {401: 20, 429: 10} == seen
        assert 200 == right.status_code

    async def test_tk93_a_handle_of_another_server_is_unknown(self, pair, serve, tmp_path):
        other = await serve(store=f"sqlite:///{tmp_path}/other.db")
        async with other.client(pair.thief.handle) as http:
            replies = await asked(http, calls_without_a_task())

        assert {401} == set(statuses(replies).values())

    async def test_p40_no_answer_repeats_a_credential(self, pair):
        async with pair.served.client(pair.thief.handle) as http:
            replies = await asked(http, calls_of_workers(pair.victim) | calls_without_a_task())

        told = "".join(reply.text for reply in replies.values())
        assert pair.thief.handle not in told
        assert pair.victim.handle not in told


# programs as workers -----------------------------------------------------------------------------------------

WORKER = """
import json, os, pathlib, urllib.request

def ask(path, data=None):
    request = urllib.request.Request(os.environ["SWARM_URL"] + path, data)
    request.add_header("Authorization", "Bearer " + os.environ["SWARM_WORKER_HANDLE"])
    return urllib.request.urlopen(request).read()

work = json.loads(ask("/v1/worker/prompt"))
ask("/v1/worker/submit", json.dumps({"saw": work["prompt"], "system": work["system"]}).encode())
print("printed", end="")
"""


def program(code, *, exit_code=0, **spec):
    code += f"\nraise SystemExit({exit_code})"
    return {
        "id": "program",
        "agents": [
            {
                "name": "worker",
                "kind": "subprocess",
                "spec": {"program": sys.executable, "args": ["-c", code], **spec},
                "profile": {"system_prompt": "Be short."},
            }
        ],
        "flow": {
            "kind": "step",
            "ref": "worker",
            "in": {"op": "path", "at": "$.topic"},
            "out": {"op": "path", "at": "$.out"},
        },
    }


class TestPrograms:
    async def test_a_program_fetches_its_work_and_posts_its_result(self, served):
        run = await served.swarm.launch(program(WORKER), init_ctx={"topic": "tea"})

        assert {"saw": "tea", "system": "Be short."} == (await run.wait()).final_ctx["out"]

    async def test_row_67_a_program_that_fails_after_that_is_no_success(self, served):
        run = await served.swarm.launch(program(WORKER, exit_code=3), init_ctx={"topic": "tea"})

        assert 'blocked: {"saw":"tea","system":"Be short."}' in (await run.wait()).error["message"]

    async def test_a_program_that_posts_nothing_answers_as_ever(self, served):
        run = await served.swarm.launch(program("print(7)"), init_ctx={"topic": "tea"})

        assert 7 == (await run.wait()).final_ctx["out"]

    async def test_without_a_server_there_is_no_address(self):
        from swarm_core import Swarm

        code = "import os, json; print(json.dumps('SWARM_URL' in os.environ))"
        async with Swarm.open() as swarm:
            run = await swarm.launch(program(code), init_ctx={"topic": "tea"})

            assert (await run.wait()).final_ctx["out"] is False


LINGERING = """
import os, pathlib, time
with pathlib.Path(os.environ["FOLDER"], "handles").open("a") as handles:
    handles.write(os.environ["SWARM_WORKER_HANDLE"] + "\\n")
time.sleep(60)
"""


async def test_p21_after_a_kill_the_handles_of_before_open_nothing_and_new_ones_are_given(
    server_process, tmp_path, eventually
):
    server = server_process()
    blueprint = program(LINGERING, env={"FOLDER": str(tmp_path)})

    def handles(least):
        file = tmp_path / "handles"
        found = file.read_text().split() if file.exists() else []
        return found if len(found) >= least else None

    def prompt(handle):
        with server.client() as http:
            return http.get(PROMPT, headers={"authorization": f"Bearer {handle}"}).status_code

    with server.client() as http:
        body = {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": {"topic": "tea"}, "detach": True}
        launched = http.post("/v1/tasks", json=body)
    assert 202 == launched.status_code, launched.text
    (first,) = await eventually(lambda: handles(1))
    before = await asyncio.to_thread(prompt, first)
    server.kill()
    server.restart()
    _, second = await eventually(lambda: handles(2))

    assert [200, 401, 200] == [before, prompt(first), prompt(second)]
