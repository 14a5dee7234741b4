"""Operators: joining, sitting down, working, handing over, leaving."""

import asyncio
import json
import shutil
import stat

import pytest
import websockets
from swarm_plugin_server.app import build_app
from swarm_plugin_server.settings import ServerSettings
from swarm_plugin_server.state import Serving

from swarm_core import Result, SessionRequest, Swarm
from swarm_core.errors import SettingsError
from swarm_core.model.operator import OperatorKind

SERVER = {"authorization": f"Bearer {'t' * 43}"}


def blueprint(*seats, layers=(), operators=None):
    """Return a Blueprint with one step for each seat, one after the other; `$.ROLE` is its result."""
    return {
        "id": "seats",
        "operators": [{"name": seat} for seat in operators or dict.fromkeys(seats)],
        "agents": [
            {"name": f"agent{at}", "kind": "operator", "spec": {"operator_ref": seat}} for at, seat in enumerate(seats)
        ],
        "spawner_hints": {"layers": list(layers)},
        "flow": {
            "kind": "seq",
            "children": [
                {
                    "kind": "step",
                    "ref": f"agent{at}",
                    "in": {"op": "lit", "value": f"work {at}"},
                    "out": {"op": "path", "at": f"$.{seat}"},
                }
                for at, seat in enumerate(seats)
            ],
        },
    }


def plain(answer="", layers=(), ok=True):
    """Return a Blueprint of one step that a function carries out."""
    return {
        "id": "plain",
        "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "work"}}],
        "spawner_hints": {"layers": list(layers)},
        "flow": {
            "kind": "step",
            "ref": "worker",
            "in": {"op": "lit", "value": "go"},
            "out": {"op": "path", "at": "$.done"},
        },
    }


def work(call):
    return Result("done")


def fail(call):
    return Result("stuck", False)


async def ended(run):
    async with asyncio.timeout(30):
        return await run.wait()


class TestJoining:
    async def test_a_session_has_a_secret_that_is_told_once_and_kept_as_a_digest(self, served, tmp_path):
        joined = (await served.http.post("/v1/operators", json={"roles": ["main-ai"]})).json()
        view = (await served.http.get(f"/v1/operators/{joined['sid']}")).json()
        book = tmp_path / "swarm.operators.json"

        assert {"sid", "token", "roles"} == set(joined) and joined["roles"] == ["main-ai"]
        assert (joined["sid"], ["main-ai"], False) == (view["sid"], view["roles"], view["connected"])
        assert len(bytes.fromhex(joined["token"].removeprefix("ot-"))) == 16
        assert joined["token"] not in book.read_text() and stat.S_IMODE(book.stat().st_mode) == 0o600
        assert joined["token"] not in json.dumps(view)

    async def test_without_a_body_an_operator_has_no_roles(self, served):
        reply = await served.http.post("/v1/operators")

        assert (200, []) == (reply.status_code, reply.json()["roles"])

    async def test_row_91_a_role_that_is_taken_is_refused_with_the_conflicts(self, served):
        await served.http.post("/v1/operators", json={"roles": ["main-ai", "gate"]})

        reply = await served.http.post("/v1/operators", json={"roles": ["scout", "main-ai"]})
        after = (await served.http.get("/v1/operators")).json()["operators"]

        assert (409, "roles conflict", ["main-ai"]) == (
            reply.status_code,
            reply.json()["error"],
            reply.json()["conflicts"],
        )
        assert [["main-ai", "gate"]] == [one["roles"] for one in after]

    async def test_a_role_cannot_be_the_name_of_somebody_else(self, served, join):
        one = await join(served)
        seat = served.swarm.attach_operator("in_process", object())

        for role in (one.sid, "in_process"):
            joining = await served.http.post("/v1/operators", json={"roles": [role]})
            assert (409, [role]) == (joining.status_code, joining.json()["conflicts"])
        seat.detach()

    @pytest.mark.parametrize(
        "roles", [[""], [" x"], ["a\nb"], ["x" * 201], [5], "main-ai", [f"r{n}" for n in range(101)]]
    )
    async def test_roles_that_are_none_are_refused(self, served, roles):
        reply = await served.http.post("/v1/operators", json={"roles": roles})

        assert 422 == reply.status_code and "role" in reply.text

    async def test_there_is_a_limit_and_it_is_told(self, serve, join):
        served = await serve(settings=ServerSettings(port=0, max_operators=1))
        await join(served)

        reply = await served.http.post("/v1/operators")

        assert (429, "too_many_operators") == (reply.status_code, reply.json()["code"])

    async def test_only_the_own_token_opens_a_session(self, served, join):
        one, other = await join(served, "a"), await join(served, "b")

        def told(token):
            return served.client(token)

        async with told(other.token) as stranger, told(one.token) as owner, told(None) as nobody:
            path = f"/v1/operators/{one.sid}"
            for call in (stranger.get(path), stranger.delete(path), nobody.get(path)):
                assert 401 == (await call).status_code
            assert 401 == (await stranger.post(f"{path}/acquire", json={"roles": ["a"]})).status_code
            assert 200 == (await owner.get(path)).status_code
            assert 401 == (await owner.get("/v1/operators")).status_code
            assert 404 == (await owner.get("/v1/operators/op-0")).status_code
            assert 204 == (await owner.delete(path)).status_code
            assert 404 == (await owner.get(path)).status_code

    async def test_a_session_that_is_away_for_too_long_ends(self, serve, join):
        served = await serve(settings=ServerSettings(port=0, operator_idle=0.5))
        one = await (await join(served, "a")).connect()
        await join(served, "b")

        async with asyncio.timeout(30):
            while len(left := (await served.http.get("/v1/operators")).json()["operators"]) > 1:
                await asyncio.sleep(0.05)

        assert [one.sid] == [each["sid"] for each in left]


class TestConnecting:
    async def test_row_92_ws109_who_may_not_connect_gets_a_problem_document(self, served, join):
        one, other = await join(served), await join(served)

        async def refused(operator, token):
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(operator.ws_url, additional_headers=headers)
            document = json.loads(caught.value.response.body)
            assert document["status"] == caught.value.response.status_code and "error" in document
            return caught.value.response.status_code

        unknown = type(one)(served.base_url, "op-" + "0" * 32, one.token)
        assert (401, 401, 401, 401, 404) == (
            await refused(one, None),
            await refused(one, "ot-wrong"),
            await refused(one, other.token),
            await refused(one, served.token),
            await refused(unknown, one.token),
        )

    async def test_p28_a_page_of_another_origin_and_another_host_are_not_upgraded(self, served, join):
        one = await join(served)
        auth = {"authorization": f"Bearer {one.token}"}

        with pytest.raises(websockets.InvalidStatus) as origin:
            await websockets.connect(one.ws_url, additional_headers=auth, origin="http://evil.example")
        with pytest.raises(websockets.InvalidStatus) as query:
            await websockets.connect(f"{one.ws_url}?token={one.token}")

        assert (403, 400) == (origin.value.response.status_code, query.value.response.status_code)

    async def test_ws118_a_last_seq_is_refused_in_a_sentence(self, served, join):
        one = await join(served)

        for value in ("99999", "-1", "x"):
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(
                    f"{one.ws_url}?last_seq={value}", additional_headers={"authorization": f"Bearer {one.token}"}
                )
            assert 400 == caught.value.response.status_code
            assert "come anew by themselves" in json.loads(caught.value.response.body)["error"]

    async def test_ws117_a_second_connection_takes_over_with_all_that_waits(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        first = await one.next("spawn")
        older = one.socket

        await one.connect()
        again = await one.next("spawn")
        await one.say("spawn_ack", again, value="by the newer")
        done = await ended(run)

        assert first["req_id"] == again["req_id"]
        assert "by the newer" == done.final_ctx["main-ai"]
        one.socket, newer = older, one.socket
        assert 4001 == await one.closed()
        one.socket = newer
        assert await one.silent()

    async def test_the_view_tells_who_is_connected(self, served, join, eventually):
        one = await (await join(served)).connect()

        async def connected():
            return (await served.http.get(f"/v1/operators/{one.sid}")).json()["connected"]

        assert await connected()
        await one.leave()
        async with asyncio.timeout(30):
            while await connected():
                await asyncio.sleep(0.01)

    async def test_a_server_that_leaves_closes_with_1001(self, served, join):
        one = await (await join(served)).connect()

        served.serving.leaving.set()

        assert 1001 == await one.closed()


class TestWork:
    async def test_the_frame_of_an_attempt_has_the_protocols_fields(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))

        frame = await one.next("spawn")
        await one.say("spawn_ack", frame, value={"n": 1}, ok=True)

        assert {
            "type",
            "req_id",
            "task_id",
            "agent",
            "attempt",
            "capability_token",
            "worker_handle",
            "directive",
        } == set(frame)
        assert frame["req_id"].startswith(f"{one.sid}-spawn-") and ("agent0", 1) == (frame["agent"], frame["attempt"])
        for fact in ("mse-worker", frame["worker_handle"], frame["task_id"], served.base_url, "agent0"):
            assert fact in frame["directive"]
        assert "work 0" not in frame["directive"]
        assert {"n": 1} == (await ended(run)).final_ctx["main-ai"]

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            ({"ok": False, "value": "no"}, 'blocked: "no"'),
            ({"ok": False}, "blocked: null"),
            ({"ok": False, "error": "no sub-agent"}, "the operator could not do it: no sub-agent"),
        ],
    )
    async def test_work_that_is_not_done_fails_the_step(self, served, join, reply, text):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))

        await one.say("spawn_ack", await one.next("spawn"), **reply)

        assert text in str((await ended(run)).error)

    async def test_row_94_what_the_worker_submits_counts_before_the_acknowledgement(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        frame = await one.next("spawn")

        async with served.client(frame["worker_handle"]) as worker:
            prompt = await worker.get("/v1/worker/prompt", params={"task_id": frame["task_id"]})
            posted = await worker.post("/v1/worker/submit?ok=false", content=b"it cannot be done \n")
        await one.say("spawn_ack", frame, value="ignored", ok=True)

        assert ("work 0", 204) == (prompt.json()["prompt"], posted.status_code)
        assert 'blocked: "it cannot be done"' in str((await ended(run)).error)

    async def test_row_94_what_the_worker_submits_counts_before_an_error_too(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        frame = await one.next("spawn")

        async with served.client(frame["worker_handle"]) as worker:
            await worker.post("/v1/worker/submit", content=b"it is done")
        await one.say("spawn_ack", frame, ok=False, error="the sub-agent did not come back")

        assert {"main-ai": "it is done"} == (await ended(run)).final_ctx

    async def test_several_seats_of_one_blueprint_go_to_those_who_have_them(self, served, join):
        scout = await (await join(served, "scout")).connect()
        both = await (await join(served, "plan", "gate")).connect()
        run = await served.swarm.launch(blueprint("scout", "plan", "gate"))

        await scout.say("spawn_ack", await scout.next("spawn"), value="s")
        for value in ("p", "g"):
            await both.say("spawn_ack", await both.next("spawn"), value=value)

        assert {"scout": "s", "plan": "p", "gate": "g"} == (await ended(run)).final_ctx

    async def test_work_that_waits_as_a_question_is_taken_by_who_sits_down(self, served, join, eventually):
        run = await served.swarm.launch(blueprint("main-ai"))
        await run.wait(or_waiting=True)
        one = await join(served, "main-ai")
        assert 1 == len(await served.swarm.store.questions(open_only=True))

        await one.connect()
        await one.say("spawn_ack", await one.next("spawn"), value="at last")

        async with asyncio.timeout(30):
            while (await served.swarm.history.stands(run.id)).status != "done":
                await asyncio.sleep(0.01)
        assert {"main-ai": "at last"} == await served.swarm.history.result(run.id)

    async def test_a_sid_takes_what_a_launch_delegates_to_it(self, served, join):
        one = await join(served)
        request = SessionRequest(operator_backend_id=one.sid)
        async with asyncio.timeout(30):
            run = await served.swarm.launch(blueprint("x", layers=["operator_delegate"]), request=request)
            await one.connect()  # the work was there before
            await one.say("spawn_ack", await one.next("spawn"), value=1)

        assert {"x": 1} == (await ended(run)).final_ctx

    async def test_a_cancelled_run_withdraws_its_frames(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        frame = await one.next("spawn")

        await served.swarm.cancel(run.id)
        withdrawn = await one.next("withdrawn")
        await one.say("spawn_ack", frame, value=1)

        assert frame["req_id"] == withdrawn["req_id"]
        assert ("stale_ack", frame["req_id"]) == ((error := await one.next("error"))["code"], error["req_id"])
        assert "cancelled" == (await ended(run)).status

    async def test_no_reply_in_time_fails_the_attempt_where_a_time_is_set(self, serve, join):
        served = await serve(settings=ServerSettings(port=0, operator_reply=0.05))
        await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))

        assert "gave no reply within 0.05 s" in str((await ended(run)).error)


class TestFaces:
    @pytest.fixture
    async def here(self, serve):
        return await serve(functions={"work": work})

    @pytest.fixture
    async def failing(self, serve):
        return await serve(functions={"work": fail})

    async def test_a_senior_is_asked(self, failing, join):
        one = await (await join(failing)).connect()
        run = await failing.swarm.launch(plain(layers=["senior_escalation"]), request=SessionRequest(bridge_id=one.sid))

        ask = await one.next("ask")
        await one.say("answer", ask, value="go on")

        assert {"type", "req_id", "task_id", "question"} == set(ask) and ask["req_id"].startswith(f"{one.sid}-ask-")
        assert {"reason": "worker reported ok=false", "value": "stuck"}.items() <= ask["question"].items()
        assert {"original": "stuck", "senior_answer": "go on"} == (await ended(run)).final_ctx["done"]

    async def test_a_hook_sees_attempts_before_and_after(self, here, join):
        one = await (await join(here, "main-ai")).connect()
        request = SessionRequest(operator_kind=OperatorKind.MAIN_AI, hook_id="main-ai")
        run = await here.swarm.launch(plain(layers=["main_ai"]), request=request)

        before = await one.next("hook_before")
        await one.say("hook_ack", before, ok=True)
        after = await one.next("hook_after")

        assert {"type", "req_id", "task_id", "agent", "attempt"} == set(before)
        assert before["req_id"].startswith(f"{one.sid}-hb-") and after["req_id"].startswith(f"{one.sid}-ha-")
        assert ("worker", 1, "done") == (after["agent"], after["attempt"], after["result"])
        assert {"done": "done"} == (await ended(run)).final_ctx

    async def test_a_hook_that_refuses_ends_the_attempt_before_it_begins(self, here, join):
        one = await (await join(here)).connect()
        request = SessionRequest(operator_kind=OperatorKind.MAIN_AI, hook_id=one.sid)
        run = await here.swarm.launch(plain(layers=["main_ai"]), request=request)

        await one.say("hook_ack", await one.next("hook_before"), ok=False, reason="not today")

        assert "spawn rejected by middleware: not today" in str((await ended(run)).error)

    async def test_what_happened_while_the_hook_was_away_is_told_once(self, here, join):
        one = await (await join(here)).connect()
        request = SessionRequest(operator_kind=OperatorKind.MAIN_AI, hook_id=one.sid)
        run = await here.swarm.launch(plain(layers=["main_ai"]), request=request)
        before = await one.next("hook_before")
        await one.say("hook_ack", before, ok=True)
        await one.next("hook_after")
        await ended(run)

        await one.connect()

        assert await one.silent()

    async def test_a_question_that_no_message_can_hold_is_passed_over(self, serve, join):
        def huge(call):
            return Result("x" * 1_100_000, False)

        served = await serve(functions={"work": huge})
        one = await (await join(served)).connect()
        run = await served.swarm.launch(plain(layers=["senior_escalation"]), request=SessionRequest(bridge_id=one.sid))
        done = await ended(run)

        assert "failed" == done.status
        assert any(
            event.kind == "senior_passed" and "1,048,576 at most" in event.data["reason"] for event in await told(run)
        )
        assert await one.silent()


async def told(run):
    return [event async for event in run.events()]


class TestAway:
    async def test_ws116_frames_wait_and_come_once_and_in_order(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        await one.leave()
        runs = [await served.swarm.launch(blueprint("main-ai")) for _ in range(5)]
        order = [task.id for run in runs for task in run.tasks()]

        await one.connect()
        frames = [await one.next("spawn") for _ in runs]
        assert await one.silent()
        for frame in reversed(frames):
            await one.say("spawn_ack", frame, value=frame["task_id"])
        done = [await ended(run) for run in runs]

        assert order == [frame["task_id"] for frame in frames]
        assert order == [each.final_ctx["main-ai"] for each in done]

    async def test_a_reply_after_a_reconnect_counts(self, served, join):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        frame = await one.next("spawn")
        await one.leave()

        await one.connect()
        await one.say("spawn_ack", frame, value="late")

        assert {"main-ai": "late"} == (await ended(run)).final_ctx

    async def test_sessions_and_their_roles_outlive_the_server(self, serve, join, tmp_path):
        one = await (await join(await serve(), "main-ai")).connect()
        await one.leave()
        shutil.copy(tmp_path / "swarm.operators.json", tmp_path / "other.operators.json")

        served = await serve(store=f"sqlite:///{tmp_path}/other.db")
        run = await served.swarm.launch(blueprint("main-ai"))
        one.base_url = served.base_url
        await one.connect()
        await one.say("spawn_ack", await one.next("spawn"), value="still here")

        assert {"main-ai": "still here"} == (await ended(run)).final_ctx

    @pytest.mark.parametrize(
        "text", ['{"version": 1, "sessions": [', '{"version": 2}', "[]", '{"version": 1, "more": 1}', "\x00"]
    )
    async def test_a_book_that_cannot_be_read_stops_the_server_with_a_sentence(self, tmp_path, text):
        (tmp_path / "swarm.operators.json").write_text(text)
        settings = ServerSettings(port=0)

        async with Swarm.open(store=f"sqlite:///{tmp_path}/swarm.db") as swarm:
            with pytest.raises(SettingsError, match=r"swarm\.operators\.json"):
                build_app(swarm, Serving(settings=settings, base_url="http://127.0.0.1:1", token=None))


class TestHandingOver:
    async def test_a_role_is_taken_over_and_its_work_begins_anew(self, served, join):
        old = await (await join(served, "main-ai", "gate")).connect()
        new = await (await join(served)).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        first = await old.next("spawn")

        async with served.client(new.token) as http:
            reply = await http.post(f"/v1/operators/{new.sid}/acquire", json={"roles": ["main-ai"]})
        released = await old.next("released")
        second = await new.next("spawn")
        await old.say("spawn_ack", first, value="by the old")
        stale = await old.next("error")
        await new.say("spawn_ack", second, value="by the new")

        assert (200, {"main-ai": 2}) == (reply.status_code, reply.json()["generations"])
        assert (["main-ai"], new.sid, {"main-ai": 2}) == (released["roles"], released["by"], released["generations"])
        assert ("stale_ack", first["req_id"]) == (stale["code"], stale["req_id"])
        assert first["task_id"] == second["task_id"]
        assert {"main-ai": "by the new"} == (await ended(run)).final_ctx
        assert ["gate"] == (await served.http.get(f"/v1/operators/{old.sid}")).json()["roles"]

    async def test_what_a_senior_is_asked_goes_to_the_next_one(self, serve, join):
        served = await serve(functions={"work": fail})
        old = await (await join(served, "boss")).connect()
        new = await (await join(served)).connect()
        run = await served.swarm.launch(plain(layers=["senior_escalation"]), request=SessionRequest(bridge_id="boss"))
        await old.next("ask")

        async with served.client(new.token) as http:
            await http.post(f"/v1/operators/{new.sid}/acquire", json={"roles": ["boss"]})
        await new.say("answer", await new.next("ask"), value="yes")

        assert "yes" == (await ended(run)).final_ctx["done"]["senior_answer"]

    async def test_a_role_goes_back_and_forth_and_generations_only_grow(self, served, join):
        one, two = await join(served, "r"), await join(served)
        seen = []
        for who in (two, one, two, two):
            async with served.client(who.token) as http:
                reply = await http.post(f"/v1/operators/{who.sid}/acquire", json={"roles": ["r"]})
            seen.append(reply.json()["generations"]["r"])

        assert [2, 3, 4, 4] == seen

    async def test_who_leaves_leaves_its_work_as_a_question(self, served, join, eventually):
        one = await (await join(served, "main-ai")).connect()
        run = await served.swarm.launch(blueprint("main-ai"))
        await one.next("spawn")

        await served.http.delete(f"/v1/operators/{one.sid}")
        code = await one.closed()
        waiting = await run.wait(or_waiting=True)
        reply = await served.http.post("/v1/operators", json={"roles": ["main-ai"]})

        assert (4002, "waiting", 200) == (code, waiting.status, reply.status_code)
        assert 1 == len(await served.swarm.store.questions(open_only=True))
