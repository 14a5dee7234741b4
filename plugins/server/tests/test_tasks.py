"""Launching runs over HTTP: held open until the end, or detached."""

import asyncio
import json
from pathlib import Path

import pytest
from swarm_plugin_server.settings import ServerSettings

PURE = {
    "id": "pure",
    "flow": {
        "kind": "assign",
        "at": {"op": "path", "at": "$.sum"},
        "value": {"op": "add", "lhs": {"op": "path", "at": "$.a"}, "rhs": {"op": "lit", "value": 1}},
    },
}


def step(ref, out="$.out", **more):
    return {"kind": "step", "ref": ref, "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": out}, **more}


def of(agent, *, blueprint_id="steps"):
    return {"id": blueprint_id, "flow": step(agent["name"]), "agents": [agent]}


def working(name):
    return of({"name": "worker", "kind": "function", "spec": {"fn_id": name}})


ASKING = of({"name": "asker", "kind": "ask", "spec": {"question": "May it go?"}}, blueprint_id="asking")


def task(blueprint, init_ctx=None, **more):
    return {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": init_ctx or {}, **more}


class Gate:
    """A worker that waits until it is let go, and counts how often it began."""

    def __init__(self):
        self.begun = 0
        self.open = asyncio.Event()

    async def gated(self, input):
        self.begun += 1
        await self.open.wait()
        return {"begun": self.begun}


def head_of(served, line):
    """The head of a request, without its end."""
    head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {served.token}\r\n"
    return head.encode()


async def posted(served, body):
    """Send a synchronous launch; return what the answer would come to."""
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    data = json.dumps(body).encode()
    rest = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    writer.write(head_of(served, "POST /v1/tasks") + rest + data)
    await writer.drain()
    return writer


def fails(input):
    raise ValueError("the disk is full")


class TestSynchronous:
    async def test_the_answer_is_that_of_the_seeds_and_the_run_is_named(self, served):
        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 2}))

        told = answer.json()
        assert (answer.status_code, told["final_ctx"]) == (200, {"a": 2, "sum": 3})
        assert (told["effective_ttl_secs"], told["ttl_source"], told["status"]) == (1800, "server_default", "done")
        assert told["run_id"].startswith("RUN-")

    async def test_the_bound_version_is_usable_in_a_selector(self, served):
        await served.http.post("/v1/blueprints/pure", json=PURE)
        first = (await served.http.post("/v1/tasks", json=task(PURE, {"a": 0}))).json()["bound_version"]

        fixed = {"kind": "id", "id": "pure", "version": {"kind": "fixed", "value": first}}
        answer = await served.http.post("/v1/tasks", json={"blueprint": fixed, "init_ctx": {"a": 1}})

        assert (answer.json()["final_ctx"]["sum"], answer.json()["bound_version"]) == (2, first)

    async def test_what_a_client_of_the_original_sends_is_understood(self, served):
        operator = {
            "kind": None,
            "id": "http-run",
            "spawn_hook_id": None,
            "senior_bridge_id": None,
            "operator_backend_id": None,
            "per_agent_kinds": {},
        }
        body = task(PURE, {"a": 1}, ttl_secs=None, operator=operator, operator_sid=None)

        assert (await served.http.post("/v1/tasks", json=body)).status_code == 200

    async def test_row_107_clients_that_go_leave_their_runs_going_and_hold_no_call(self, serve, eventually):
        gate, most = Gate(), 50
        settings = ServerSettings(port=0, max_requests=most)
        served = await serve(functions={"gated": gate.gated}, settings=settings)
        writers = [await posted(served, task(working("gated"))) for _ in range(most)]
        await eventually(lambda: (gate.begun, served.serving.in_flight) == (most, most))

        for writer in writers:
            writer.close()
        await eventually(lambda: not served.serving.in_flight)

        runs = (await served.http.get("/v1/runs")).json()["runs"]
        assert [run["status"] for run in runs] == ["running"] * most
        gate.open.set()
        for run in runs:
            ended = await served.http.get(f"/v1/runs/{run['id']}/result?wait=20")
            assert (ended.status_code, ended.json()["status"]) == (200, "done")

    async def test_row_107_whoever_posts_and_goes_at_once_has_launched_a_run_or_none(self, serve, eventually):
        served = await serve(functions={"work": lambda input: "done"})
        for _ in range(20):
            (await posted(served, task(working("work")))).close()

        await eventually(lambda: not served.serving.in_flight)

        runs = (await served.http.get("/v1/runs")).json()["runs"]
        ends = [(await served.http.get(f"/v1/runs/{run['id']}/result?wait=20")).json()["status"] for run in runs]
        assert set(ends) <= {"done"}

    async def test_whoever_waits_for_an_end_and_goes_holds_no_call(self, serve, eventually):
        gate = Gate()
        served = await serve(functions={"gated": gate.gated})
        run_id = (await served.http.post("/v1/tasks", json=task(working("gated"), detach=True))).json()["run_id"]
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head_of(served, f"GET /v1/runs/{run_id}/result?wait=300") + b"\r\n")
        await eventually(lambda: served.serving.in_flight == 1)

        writer.close()

        await eventually(lambda: not served.serving.in_flight)
        gate.open.set()

    async def test_a_run_that_waits_for_an_answer_is_waited_for(self, served, eventually):
        asking = asyncio.ensure_future(served.http.post("/v1/tasks", json=task(ASKING)))
        async with asyncio.timeout(20):
            while not (found := (await served.http.get("/v1/questions?open=true")).json()["questions"]):
                await asyncio.sleep(0.02)

        await served.http.post(f"/v1/questions/{found[0]['key']}/answer", json={"answer": "yes"})

        answer = await asking
        assert (answer.status_code, answer.json()["final_ctx"]["out"]) == (200, "yes")


class TestTtl:
    @pytest.mark.parametrize(
        ("said", "of_blueprint", "told"),
        [
            (7, 9, (7, "request_body")),
            (None, 9, (9, "bp_metadata")),
            (None, None, (1800, "server_default")),
        ],
    )
    async def test_row_90_the_request_counts_over_the_blueprint_over_the_server(self, served, said, of_blueprint, told):
        blueprint = PURE if of_blueprint is None else {**PURE, "metadata": {"default_run_ttl_secs": of_blueprint}}

        answer = (await served.http.post("/v1/tasks", json=task(blueprint, {"a": 1}, ttl_secs=said))).json()

        assert (answer["effective_ttl_secs"], answer["ttl_source"]) == told

    async def test_row_90_at_its_end_the_call_is_answered_and_the_run_goes_on(self, serve):
        gate = Gate()
        served = await serve(functions={"gated": gate.gated})

        answer = await served.http.post("/v1/tasks", json=task(working("gated"), ttl_secs=1))
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (504, "run_unfinished")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["location"] == f"/v1/runs/{problem['run_id']}"

        gate.open.set()
        ended = await served.http.get(f"/v1/runs/{problem['run_id']}/result?wait=20")
        assert ended.json()["status"] == "done"


class TestRefusals:
    """Row 90: 404, 409, 422 and 504 where the original answers 400 to everything."""

    async def test_row_90_without_init_ctx(self, served):
        answer = await served.http.post("/v1/tasks", json={"blueprint": {"kind": "inline", "value": PURE}})

        assert answer.status_code == 422
        assert "init_ctx" in answer.json()["error"]

    async def test_row_90_what_is_no_json_is_400(self, served):
        answer = await served.http.post("/v1/tasks", content=b"{", headers={"content-type": "application/json"})

        assert answer.status_code == 400

    async def test_row_90_an_unknown_blueprint_is_404(self, served):
        body = {"blueprint": {"kind": "id", "id": "nowhere"}, "init_ctx": {}}

        answer = await served.http.post("/v1/tasks", json=body)

        assert (answer.status_code, answer.json()["code"]) == (404, "blueprint_not_found")

    async def test_row_90_an_archived_one_is_409(self, served):
        await served.http.post("/v1/blueprints/pure", json=PURE)
        await served.http.delete("/v1/blueprints/pure")

        answer = await served.http.post("/v1/tasks", json={"blueprint": {"kind": "id", "id": "pure"}, "init_ctx": {}})

        assert (answer.status_code, answer.json()["code"]) == (409, "blueprint_archived")

    async def test_row_90_an_invalid_one_is_422_with_all_its_problems(self, served):
        wrong = {"id": "wrong", "flow": step("nobody"), "agents": [{"name": "a", "kind": "functoin", "spec": {}}]}

        answer = await served.http.post("/v1/tasks", json=task(wrong))

        assert answer.status_code == 422
        assert {problem["code"] for problem in answer.json()["problems"]} >= {"unknown_kind", "unresolved_ref"}

    async def test_row_90_a_run_that_fails_is_422_and_tells_the_flows_error(self, serve):
        served = await serve(functions={"fails": fails})

        answer = await served.http.post("/v1/tasks", json=task(working("fails")))

        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["result"]["status"]) == (422, "run_failed", "failed")
        assert "the disk is full" in problem["error"]
        assert problem["run_id"] == problem["result"]["run_id"]

    async def test_row_90_a_run_that_is_cancelled_is_409(self, serve, eventually):
        gate = Gate()
        served = await serve(functions={"gated": gate.gated})
        waiting = asyncio.ensure_future(served.http.post("/v1/tasks", json=task(working("gated"))))
        await eventually(lambda: gate.begun)

        run_id = (await served.http.get("/v1/runs")).json()["runs"][0]["id"]
        await served.http.post(f"/v1/runs/{run_id}/cancel")

        answer = await waiting
        assert (answer.status_code, answer.json()["code"]) == (409, "run_cancelled")

    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", False),
            ("none", False),
        ],
    )
    async def test_the_trace_that_a_launch_belongs_to_is_kept_with_the_run(self, served, said, kept):
        done = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}), headers={"traceparent": said})

        launch = (await served.swarm.history.run(done.json()["run_id"])).launch
        assert (launch["request"] or {}).get("traceparent") == (said if kept else None)

    async def test_an_unknown_operator_sid_is_400(self, served):
        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}, operator_sid="op-nobody"))

        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_operator_sid")

    @pytest.mark.parametrize("said", [0, -1, 10**12])
    async def test_a_ttl_out_of_range_is_422(self, served, said):
        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}, ttl_secs=said))

        assert (answer.status_code, answer.json()["code"]) == (422, "bad_ttl")

    async def test_an_unknown_field_is_422_and_names_the_nearest(self, served):
        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}, ttl_sec=3))

        assert answer.status_code == 422
        assert "ttl_secs" in answer.json()["error"]

    async def test_more_runs_than_the_server_carries_out_are_503(self, serve):
        gate = Gate()
        served = await serve(functions={"gated": gate.gated}, settings=ServerSettings(port=0, max_runs=1))
        await served.http.post("/v1/tasks", json=task(working("gated"), detach=True))

        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}))

        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_runs")
        assert answer.headers["retry-after"] == "1"


class TestFiles:
    async def test_an_inline_blueprint_reads_no_file(self, served):
        reading = {**PURE, "metadata": {"description": {"$file": "secret.txt"}}}

        answer = await served.http.post("/v1/tasks", json=task(reading, {"a": 1}))

        assert (answer.status_code, answer.json()["problems"][0]["code"]) == (422, "ref_outside")

    async def test_below_the_folder_that_the_server_names_it_does(self, serve, tmp_path):
        folder = tmp_path / "texts"
        folder.mkdir()
        (folder / "about.txt").write_text("a sum")
        served = await serve(settings=ServerSettings(port=0, blueprint_ref_base=folder))
        reading = {**PURE, "metadata": {"description": {"$file": "about.txt"}}}

        first = await served.http.post("/v1/tasks", json=task(reading, {"a": 1}))
        (folder / "about.txt").write_text("another text")
        second = await served.http.post("/v1/tasks", json=task(reading, {"a": 1}))
        outside = await served.http.post(
            "/v1/tasks", json=task({**reading, "metadata": {"description": {"$file": "../swarm.db"}}}, {"a": 1})
        )

        assert (first.status_code, second.status_code, outside.status_code) == (200, 200, 422)
        assert first.json()["bound_version"] != second.json()["bound_version"]

    async def test_functions_of_the_projects_folder_can_be_used_as_they_are_now(self, server_process, tmp_path):
        swarmfile = tmp_path / "swarmfile.py"
        swarmfile.write_text("from swarm_core import function\n\n@function\ndef greet(input):\n    return 'hello'\n")
        server = server_process()

        with server.client() as http:
            first = http.post("/v1/tasks", json=task(working("greet"))).json()
            swarmfile.write_text(Path(swarmfile).read_text().replace("hello", "good morning"))
            second = http.post("/v1/tasks", json=task(working("greet"))).json()

        assert (first["final_ctx"]["out"], second["final_ctx"]["out"]) == ("hello", "good morning")


class TestDetached:
    @pytest.mark.parametrize("how", ["header", "body"])
    async def test_the_run_is_kept_and_goes_on(self, served, how):
        headers = {"prefer": "respond-async"} if how == "header" else {}
        body = task(PURE, {"a": 4}, **({"detach": True} if how == "body" else {}))

        answer = await served.http.post("/v1/tasks", json=body, headers=headers)

        run_id = answer.json()["run_id"]
        assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/runs/{run_id}")
        ended = await served.http.get(f"/v1/runs/{run_id}/result?wait=20")
        assert ended.json()["final_ctx"] == {"a": 4, "sum": 5}

    async def test_p7_the_same_key_gives_the_same_run(self, serve):
        gate = Gate()
        served = await serve(functions={"gated": gate.gated})
        key, body = {"idempotency-key": "order-17"}, task(working("gated"), detach=True)

        told = await asyncio.gather(*(served.http.post("/v1/tasks", json=body, headers=key) for _ in range(5)))
        gate.open.set()
        run_id = told[0].json()["run_id"]
        await served.http.get(f"/v1/runs/{run_id}/result?wait=20")
        after = await served.http.post("/v1/tasks", json={**body, "detach": False}, headers=key)

        assert {answer.status_code for answer in told} == {202}
        assert {answer.json()["run_id"] for answer in (*told, after)} == {run_id}
        assert sorted(answer.json()["known"] for answer in (*told, after)) == [False, *[True] * 5]
        assert (after.status_code, after.json()["final_ctx"], gate.begun) == (200, {"out": {"begun": 1}}, 1)
        assert after.json()["bound_version"] == told[0].json()["bound_version"]

    async def test_p7_another_launch_under_the_same_key_is_refused(self, served):
        key = {"idempotency-key": "order-18"}
        first = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}), headers=key)

        other = await served.http.post("/v1/tasks", json=task(PURE, {"a": 2}), headers=key)

        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert first.json()["run_id"] in other.json()["error"]

    async def test_p7_of_two_launches_at_once_under_one_key_one_is_refused(self, served):
        key = {"idempotency-key": "order-19"}
        bodies = [task(PURE, {"a": number}, detach=True) for number in range(4)]

        told = await asyncio.gather(*(served.http.post("/v1/tasks", json=body, headers=key) for body in bodies))

        assert sorted(answer.status_code for answer in told) == [202, 422, 422, 422]
        assert len((await served.http.get("/v1/runs")).json()["runs"]) == 1

    async def test_p7_a_key_whose_run_was_interrupted_lets_it_go_on(self, server_process, tmp_path):
        (tmp_path / "swarmfile.py").write_text(
            "import asyncio, pathlib\nfrom swarm_core import function\n\n@function\nasync def slow(input):\n"
            "    while not pathlib.Path('go').exists():\n        await asyncio.sleep(0.02)\n    return 'done'\n"
        )
        (tmp_path / "swarm.toml").write_text("[plugin.server]\nresume = false\n")
        server, key = server_process(), {"idempotency-key": "order-20"}
        with server.client() as http:
            first = http.post("/v1/tasks", json=task(working("slow"), detach=True), headers=key).json()
        server.kill()
        server.restart()
        (tmp_path / "go").touch()

        with server.client() as http:
            second = http.post("/v1/tasks", json=task(working("slow")), headers=key)

        assert (second.json()["run_id"], second.json()["final_ctx"]) == (first["run_id"], {"out": "done"})

    @pytest.mark.parametrize("key", ["", "k" * 201])
    async def test_a_key_that_is_none_is_refused(self, served, key):
        answer = await served.http.post("/v1/tasks", json=task(PURE, {"a": 1}), headers={"idempotency-key": key})

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


class TestOptions:
    async def test_agents_can_run_on_other_kinds_and_within_a_budget(self, serve):
        served = await serve(functions={"fails": fails})
        twice = {"kind": "seq", "children": [step("worker"), step("worker", "$.again")]}
        blueprint = {"id": "twice", "flow": twice, "agents": [{"name": "worker", "kind": "function", "spec": {}}]}

        bound = await served.http.post("/v1/tasks", json=task(blueprint, bind={"worker": "nowhere"}))
        spent = await served.http.post(
            "/v1/tasks",
            json=task({**blueprint, "agents": [{**blueprint["agents"][0], "spec": {"fn_id": "identity"}}]})
            | {"budget": {"dispatches": 1}},
        )

        assert (bound.status_code, bound.json()["problems"][0]["code"]) == (422, "unknown_kind")
        assert (spent.status_code, spent.json()["result"]["error"]["kind"]) == (422, "BudgetExceeded")
