"""What comes over an operator's WebSocket that should not, and what does not come at all."""

import asyncio
import json
import os
import random
import socket
import struct

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from swarm_plugin_server.operators.frames import BadFrame, read_reply
from websockets.sync.client import connect as connect_sync

from swarm_core import Result, SessionRequest

SEAT = {
    "id": "seat",
    "operators": [{"name": "main-ai"}],
    "agents": [{"name": "worker", "kind": "operator", "spec": {"operator_ref": "main-ai"}}],
    "flow": {
        "kind": "step",
        "ref": "worker",
        "in": {"op": "lit", "value": "go"},
        "out": {"op": "path", "at": "$.done"},
    },
}

BAD = [
    pytest.param("{", "not_json", id="ws111-no-json"),
    pytest.param('{"type": "answer", "type": "answer"}', "not_json", id="ws111-a-key-twice"),
    pytest.param('{"type": "spawn_ack", "req_id": "x", "value": NaN}', "not_json", id="ws111-nan"),
    pytest.param("[" * 5000, "not_json", id="ws111-too-deep"),
    pytest.param("[]", "not_an_object", id="ws111-no-object"),
    pytest.param('"answer"', "not_an_object", id="ws111-a-text"),
    pytest.param("{}", "unknown_type", id="ws111-no-type"),
    pytest.param('{"type": "spawn_ak", "req_id": "x"}', "unknown_type", id="ws111-a-typo"),
    pytest.param('{"type": ["answer"], "req_id": "x"}', "unknown_type", id="ws111-type-is-no-text"),
    pytest.param('{"type": "spawn", "req_id": "x"}', "unknown_type", id="ws111-the-servers-own-type"),
    pytest.param('{"type": "spawn_ack"}', "bad_fields", id="ws111-no-req-id"),
    pytest.param('{"type": "answer", "req_id": "x"}', "bad_fields", id="ws111-no-value"),
    pytest.param('{"type": "spawn_ack", "req_id": 5}', "bad_fields", id="ws111-req-id-is-no-text"),
    pytest.param('{"type": "spawn_ack", "req_id": "x", "ok": "false"}', "bad_fields", id="ws111-ok-is-a-text"),
    pytest.param('{"type": "spawn_ack", "req_id": "x", "vaule": 1}', "bad_fields", id="ws111-an-unknown-field"),
]


@pytest.fixture
async def seated(served, join):
    return await (await join(served, "main-ai")).connect()


async def ended(run):
    async with asyncio.timeout(30):
        return await run.wait()


class TestBadFrames:
    @pytest.mark.parametrize(("text", "code"), BAD)
    async def test_a_frame_that_is_wrong_is_answered_and_the_session_goes_on(self, served, seated, text, code):
        run = await served.swarm.launch(SEAT)
        frame = await seated.next("spawn")

        await seated.socket.send(text)
        error = await seated.next("error")
        await seated.say("spawn_ack", frame, value="fine")

        assert (code, True) == (error["code"], len(error["message"]) > 5)
        assert "fine" == (await ended(run)).final_ctx["done"]

    async def test_the_error_names_the_req_id_and_the_nearest_type(self, seated):
        await seated.say("spawn_akc", req_id="mine")
        error = await seated.next("error")

        assert ("mine", True) == (error["req_id"], "spawn_ack" in error["hint"])

    async def test_ws111_a_binary_frame_is_refused(self, seated):
        await seated.socket.send(b'{"type": "spawn_ack", "req_id": "x"}')

        assert "binary" == (await seated.next("error"))["code"]

    async def test_ws111_ten_bad_frames_close_the_connection_and_not_the_session(self, served, seated):
        run = await served.swarm.launch(SEAT)
        await seated.next("spawn")

        for _ in range(9):
            assert await seated.silent()
        await seated.socket.send("{}")
        code = await seated.closed()
        await seated.connect()
        await seated.say("spawn_ack", await seated.next("spawn"), value="fine")

        assert 1008 == code
        assert "fine" == (await ended(run)).final_ctx["done"]


class TestStaleReplies:
    async def test_ws112_an_unknown_foreign_or_answered_req_id_resolves_nothing(self, served, join, seated):
        other = await (await join(served, "gate")).connect()
        run = await served.swarm.launch(SEAT)
        frame = await seated.next("spawn")

        for _ in range(20):  # no matter how often
            await other.say("spawn_ack", frame, value="not mine")
            assert ("stale_ack", frame["req_id"]) == ((e := await other.next("error"))["code"], e["req_id"])
        await seated.say("spawn_ack", req_id=f"{seated.sid}-spawn-0", value="unknown")
        unknown = await seated.next("error")
        await seated.say("spawn_ack", frame, value="mine")
        await seated.say("spawn_ack", frame, value="again")
        again = await seated.next("error")

        assert ("stale_ack", "stale_ack") == (unknown["code"], again["code"])
        assert "mine" == (await ended(run)).final_ctx["done"]

    async def test_a_reply_of_the_wrong_type_is_told_and_the_right_one_still_counts(self, served, seated):
        run = await served.swarm.launch(SEAT)
        frame = await seated.next("spawn")

        await seated.say("answer", frame, value="wrong")
        error = await seated.next("error")
        await seated.say("spawn_ack", frame, value="right")

        assert ("wrong_reply", True) == (error["code"], "spawn_ack" in error["message"])
        assert "right" == (await ended(run)).final_ctx["done"]


class TestLimits:
    async def test_ws113_a_frame_of_two_mebibytes_is_1009(self, served, seated):
        await seated.socket.send(json.dumps({"type": "spawn_ack", "req_id": "x", "value": "x" * 2 * 1024 * 1024}))

        assert 1009 == await seated.closed()
        assert await (await seated.connect()).silent()

    async def test_ws113_frames_are_not_inflated(self, served, join):
        one = await (await join(served)).connect(compression="deflate")

        assert [] == list(one.socket.protocol.extensions)

    async def test_ws114_ten_thousand_messages_in_a_second_are_too_many(self, served, seated):
        async def flood():
            for n in range(10_000):
                await seated.say("spawn_ack", req_id=str(n))

        flooding = asyncio.ensure_future(flood())
        code = await seated.closed()
        await asyncio.gather(flooding, return_exceptions=True)

        assert 1013 == code
        assert 200 == (await served.http.get("/v1/healthz")).status_code

    async def test_a_burst_of_acknowledgements_is_no_flood(self, served, seated):
        runs = [await served.swarm.launch(SEAT) for _ in range(100)]
        frames = [await seated.next("spawn") for _ in runs]

        for frame in frames:
            await seated.say("spawn_ack", frame, value=frame["task_id"])

        assert ["done"] * 100 == [(await ended(run)).status for run in runs]


class TestSilence:
    @pytest.fixture
    async def swift(self, serve, monkeypatch):
        monkeypatch.setattr("swarm_plugin_server.listening._PING", 0.2)

        def stuck(call):
            return Result("x" * 400_000, False)

        return await serve(functions={"stuck": stuck})

    async def test_ws115_ws116_p31_a_client_that_never_reads_is_given_up_and_its_frames_wait(
        self, swift, join, eventually
    ):
        one, good = await join(swift), await (await join(swift, "main-ai")).connect()
        stalled = await asyncio.to_thread(deaf, swift.port, one)
        view = f"/v1/operators/{one.sid}"

        runs = [await swift.swarm.launch(stuck(), request=SessionRequest(bridge_id=one.sid)) for _ in range(20)]
        run = await swift.swarm.launch(SEAT)
        await good.say("spawn_ack", await good.next("spawn"), value="not held up")
        done = await ended(run)
        async with asyncio.timeout(20):
            while (await swift.http.get(view)).json()["connected"]:
                await asyncio.sleep(0.05)
        pending = (await swift.http.get(view)).json()["pending"]
        stalled.close()

        await one.connect()
        asks = [await one.next("ask") for _ in runs]
        for ask in asks:
            await one.say("answer", ask, value="go on")

        assert "not held up" == done.final_ctx["done"]
        assert 20 == pending == len({ask["req_id"] for ask in asks})
        assert ["done"] * 20 == [(await ended(each)).status for each in runs]

    async def test_ws116_a_peer_that_answers_no_ping_is_away(self, swift, join):
        one = await join(swift)
        stalled = await asyncio.to_thread(deaf, swift.port, one)
        try:
            async with asyncio.timeout(20):
                while (await swift.http.get(f"/v1/operators/{one.sid}")).json()["connected"]:
                    await asyncio.sleep(0.05)
        finally:
            stalled.close()


def stuck():
    return {
        "id": "stuck",
        "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "stuck"}}],
        "spawner_hints": {"layers": ["senior_escalation"]},
        "flow": {
            "kind": "step",
            "ref": "worker",
            "in": {"op": "lit", "value": "go"},
            "out": {"op": "path", "at": "$.done"},
        },
    }


def deaf(port, operator):
    """Connect an operator by hand; the socket that is returned is never read again."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.sendall(
        (
            f"GET /v1/operators/{operator.sid}/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {operator.token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return peer


# fuzz --------------------------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
types = st.sampled_from(["answer", "hook_ack", "spawn_ack", "spawn", "ask", "", "x"]) | values
fields = st.dictionaries(
    st.sampled_from(["req_id", "value", "ok", "error", "reason", "parent_req_id", "more"]), values, max_size=5
)
frames = (
    st.text(max_size=60)
    | values.map(json.dumps)
    | st.builds(lambda type, rest: json.dumps({"type": type, **rest}), types, fields)
)


@given(frames)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_a_reply_or_is_refused_in_a_sentence(text):
    try:
        reply = read_reply(text)
    except BadFrame as error:
        assert error.message and "Traceback" not in str(error)
    else:
        assert isinstance(reply.req_id, str)


class TestFuzz:
    @pytest.fixture
    def fuzzed(self, server_process):
        """A server of its own, with an operator that has work under way."""
        server = server_process()
        with server.client() as http:
            joined = http.post("/v1/operators", json={"roles": ["main-ai"]}).json()
            launched = http.post("/v1/tasks", json={"blueprint": SEAT_REF, "init_ctx": {}, "detach": True})
        assert 202 == launched.status_code, launched.text
        yield server, joined, launched.json()["run_id"]

    def connected(self, server, joined):
        url = f"{server.url.replace('http', 'ws', 1)}/v1/operators/{joined['sid']}/ws"
        return connect_sync(url, additional_headers={"authorization": f"Bearer {joined['token']}"}, compression=None)

    def proven_alive(self, server, joined, run_id):
        """The work under way can still be done, and the run ends with it."""
        with self.connected(server, joined) as ws, server.client() as http:
            frame = json.loads(ws.recv(timeout=30))
            ws.send(json.dumps({"type": "spawn_ack", "req_id": frame["req_id"], "value": "after all"}))
            while (run := http.get(f"/v1/runs/{run_id}").json())["status"] != "done":
                assert run["status"] in ("running", "waiting")
            assert {"done": "after all"} == http.get(f"/v1/runs/{run_id}/result").json()["final_ctx"]
        assert "Traceback" not in server.log

    def test_frames_of_any_content_kill_neither_session_nor_server(self, fuzzed):
        server, joined, run_id = fuzzed

        @given(st.lists(frames | st.binary(max_size=40), max_size=12))
        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        def fuzz(messages):
            with self.connected(server, joined) as ws:
                try:
                    for message in messages:
                        ws.send(message)
                    while json.loads(ws.recv(timeout=0.001))["type"] in ("spawn", "error"):
                        pass
                except TimeoutError:
                    pass
                except websockets.ConnectionClosed as closed:
                    assert 1008 == closed.rcvd.code

        fuzz()

        self.proven_alive(server, joined, run_id)

    def test_ws110_bytes_that_are_no_websocket_kill_neither_session_nor_server(self, fuzzed):
        server, joined, run_id = fuzzed
        operator = type("Operator", (), joined)
        mask = os.urandom(4)
        text = b'{"type": "answer"}'
        broken = [
            bytes([0x81, len(text)]) + text,  # not masked
            bytes([0xC1, 0x80]) + mask,  # a reserved bit
            bytes([0x83, 0x80]) + mask,  # a reserved opcode
            bytes([0x81, 0xFF]) + struct.pack("!Q", 2**63 - 1) + mask,  # more than there is
            bytes([0x89, 0xFE]) + struct.pack("!H", 126) + mask + b"x" * 126,  # a control frame that is too long
            bytes([0x81, 0x82]) + bytes(4) + b"\xff\xfe",  # no UTF-8
            (bytes([0x01, 0x80]) + bytes(4)) + (bytes([0x00, 0x80]) + bytes(4)) * 200_000,  # 200,000 fragments
            bytes([0x80, 0x80]) + mask,  # a continuation of nothing
            bytes([0x88, 0x81]) + bytes(4) + b"x",  # a close of one byte
        ]
        rng = random.Random(7)
        broken += [rng.randbytes(rng.randrange(1, 200)) for _ in range(40)]

        for data in broken:
            with deaf(server.port, operator) as peer:
                try:
                    peer.sendall(data)
                    peer.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # it was shut out before it had said everything

        self.proven_alive(server, joined, run_id)


SEAT_REF = {"kind": "inline", "value": SEAT}
