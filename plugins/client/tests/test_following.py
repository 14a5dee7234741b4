"""Events of a run over connections that break: each comes once, in order, and none is missing."""

import asyncio
import signal

import pytest
from swarm_plugin_client import AsyncClient, ServerRefused, ServerUnreachable

WAITING = {
    "id": "waiting",
    "agents": [
        {"name": "waited", "kind": "function", "spec": {"fn_id": "wait_for"}},
        {"name": "doubled", "kind": "function", "spec": {"fn_id": "double"}},
    ],
    "flow": {
        "kind": "seq",
        "children": [
            {"kind": "step", "ref": "doubled", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.one"}},
            {
                "kind": "step",
                "ref": "waited",
                "in": {"op": "path", "at": "$.path"},
                "out": {"op": "path", "at": "$.two"},
            },
            {"kind": "step", "ref": "doubled", "in": {"op": "lit", "value": 3}, "out": {"op": "path", "at": "$.three"}},
        ],
    },
}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_p37_a_server_that_begins_again_costs_a_listener_nothing(own_server, tmp_path, number):
    async with AsyncClient(own_server.url, own_server.token) as client:
        run = await client.tasks.launch(WAITING, init_ctx={"path": str(tmp_path / "go")})
        heard, under_way = [], asyncio.Event()

        async def listen():
            async for event in client.runs.events(run.run_id):
                heard.append(event)
                if event.kind == "task_attempt_started" and len(heard) > 4:
                    under_way.set()

        listening = asyncio.create_task(listen())
        await under_way.wait()
        await asyncio.to_thread(own_server.stop, number)
        await asyncio.to_thread(own_server.start)
        (tmp_path / "go").touch()
        await asyncio.wait_for(listening, 60)

        assert list(range(1, len(heard) + 1)) == [event.seq for event in heard]
        assert list(await client.runs.recorded(run.run_id)) == heard
        assert "run_resumed" in [event.kind for event in heard]
        assert ("run_ended", "done") == (heard[-1].kind, heard[-1].data["status"])


class Scripted:
    """A server that says what a test has written, one answer for each connection; keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *args):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.asked.append((head + await reader.readexactly(length)).decode())
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        writer.close()


def reply(status, body="", *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


def stream(*events, cut=b""):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return head + b"".join(events) + cut


def event(seq, kind="custom"):
    return f'id: {seq}\nevent: {kind}\ndata: {{"kind":"{kind}","seq":{seq},"time":1.0,"run_id":"RUN-1"}}\n\n'.encode()


END = b'event: end\ndata: {"status":"done"}\n\n'
LAGGED = b'event: lagged\ndata: {"after":2}\n\n'
JSON = "Content-Type: application/json"


async def seqs(url, **options):
    async with AsyncClient(url, "token") as client:
        return [each.seq async for each in client.runs.events("RUN-1", **options)]


class TestCuts:
    async def test_what_came_already_is_not_told_twice_and_a_half_event_is_none(self):
        cut = stream(event(1), event(2), cut=event(3)[:20])
        async with Scripted(cut, stream(event(2), event(3), END)) as server:
            assert [1, 2, 3] == await seqs(server.url)

        assert "last-event-id" not in server.asked[0].lower()
        assert "last-event-id: 2\r\n" in server.asked[1].lower()

    async def test_a_listener_that_fell_behind_goes_on_where_it_was(self):
        async with Scripted(stream(event(1), event(2), LAGGED), stream(event(3), END)) as server:
            assert [1, 2, 3] == await seqs(server.url)

    async def test_a_server_that_is_not_ready_is_waited_for(self):
        busy = reply(503, '{"code":"starting","detail":"not yet"}', JSON, "Retry-After: 0")
        async with Scripted(stream(event(1)), busy, stream(event(2), END)) as server:
            assert [1, 2] == await seqs(server.url)

    async def test_a_server_that_stays_away_is_told(self):
        async with Scripted(stream(event(1))) as server, AsyncClient(server.url, "token") as client:
            events = client.runs.events("RUN-1", patience=0.0)
            assert 1 == (await anext(events)).seq
            server._server.close()
            with pytest.raises(ServerUnreachable):
                await anext(events)

    async def test_what_a_stream_says_is_wrong_is_raised(self):
        wrong = b'event: error\ndata: {"code":"store_unreadable","status":503,"detail":"row 3 does not decode"}\n\n'
        async with Scripted(stream(event(1), wrong)) as server:
            with pytest.raises(ServerRefused, match="row 3 does not decode"):
                await seqs(server.url)

    async def test_what_is_lasting_is_raised_at_once(self):
        async with Scripted(reply(401, '{"code":"unauthorized"}', JSON)) as server:
            with pytest.raises(ServerRefused):
                await seqs(server.url)

        assert 1 == len(server.asked)


class TestAgain:
    async def test_a_call_that_may_be_repeated_is_when_the_server_says_later(self):
        later = reply(503, '{"code":"draining"}', JSON, "Retry-After: 0")
        done = reply(200, '{"runs":[],"next":null}', JSON)
        async with Scripted(later, later, done) as server, AsyncClient(server.url, "token") as client:
            assert () == (await client.runs.list()).runs

        assert 3 == len(server.asked)

    async def test_it_is_not_for_ever(self):
        later = reply(503, "{}", JSON, "Retry-After: 0")
        async with Scripted(later) as server, AsyncClient(server.url, "token", retries=2) as client:
            with pytest.raises(ServerRefused) as caught:
                await client.runs.list()

        assert (3, 0.0) == (len(server.asked), caught.value.retry_after)

    async def test_a_wait_that_is_too_long_is_not_waited(self):
        later = reply(429, "{}", JSON, "Retry-After: 3600")
        async with Scripted(later) as server, AsyncClient(server.url, "token") as client:
            with pytest.raises(ServerRefused) as caught:
                await client.runs.list()

        assert (1, 3600.0) == (len(server.asked), caught.value.retry_after)

    @pytest.mark.parametrize("key", [None, "key"])
    async def test_a_launch_is_repeated_only_under_a_key(self, key):
        done = reply(202, '{"run_id":"RUN-1","status":"running"}', JSON)
        async with Scripted(b"", done) as server, AsyncClient(server.url, "token") as client:
            if key is None:
                with pytest.raises(ServerUnreachable):
                    await client.tasks.launch({"id": "x", "flow": {}, "agents": []}, key=key)
            else:
                assert "RUN-1" == (await client.tasks.launch({"id": "x", "flow": {}, "agents": []}, key=key)).run_id

        assert (1 if key is None else 2) == len(server.asked)
        assert ["Idempotency-Key: key" in asked for asked in server.asked] == [key is not None] * len(server.asked)

    @pytest.mark.parametrize(
        ("call", "answer"),
        [
            (lambda worker: worker.submit({"a": 1}, part="half"), reply(204)),
            (lambda worker: worker.result("T-1", 1), reply(204)),
            (
                lambda worker: worker.heartbeat(),
                reply(200, '{"task_id":"T-1","attempt":1,"status":"running"}', JSON),
            ),
        ],
        ids=["submit", "result", "heartbeat"],
    )
    async def test_what_a_worker_says_twice_counts_once_so_it_is_said_again(self, call, answer):
        async with Scripted(b"", answer) as server, AsyncClient(server.url, "token") as client:
            await call(client.worker("wh-1"))

        assert 2 == len(server.asked)
        assert server.asked[0] == server.asked[1]

    async def test_digits_of_a_version_are_made_whole_with_one_call_more(self):
        whole = "1a2b" * 16
        told = reply(200, f'{{"version":"{whole}"}}', JSON)
        done = reply(202, '{"run_id":"RUN-1","status":"running"}', JSON)
        async with Scripted(told, done) as server, AsyncClient(server.url, "token") as client:
            await client.tasks.launch("bp:review@1a2b")
            await client.tasks.launch(f"bp:review@{whole}")

        assert server.asked[0].startswith("GET /v1/blueprints/review/versions/1a2b ")
        assert [whole in asked for asked in server.asked] == [False, True, True]


class TestForeignServers:
    @pytest.mark.parametrize(
        "answer",
        [
            reply(200, "<html>hello</html>", "Content-Type: text/html"),
            reply(200, "{", JSON),
            reply(200, "[" * 5000 + "]" * 5000, JSON),
            reply(200, '{"runs": 3}', JSON),
            reply(200, '{"runs": [{"id": 3}]}', JSON),
            reply(302, "", "Location: http://127.0.0.1:9/"),
        ],
    )
    async def test_what_is_no_swarm_server_is_told(self, answer):
        async with Scripted(answer) as server, AsyncClient(server.url, "token") as client:
            with pytest.raises(Exception, match=r".") as caught:
                await client.runs.list()

        assert "bad_answer" == caught.value.code

    @pytest.mark.parametrize("body", ["", "nonsense", "[]", '{"detail": 3, "problems": "x", "hint": []}'])
    async def test_a_refusal_in_any_words_is_a_refusal(self, body):
        async with Scripted(reply(422, body, JSON)) as server, AsyncClient(server.url, "token") as client:
            with pytest.raises(ServerRefused) as caught:
                await client.runs.list()

        assert 422 == caught.value.status
        assert str(caught.value)

    async def test_a_newer_server_may_say_more(self):
        run = '{"run_id":"RUN-1","status":"done","final_ctx":1,"counts":{},"from_the_future":true}'
        async with Scripted(reply(200, run, JSON)) as server, AsyncClient(server.url, "token") as client:
            assert 1 == (await client.runs.result("RUN-1")).final_ctx

    async def test_the_token_goes_to_no_other_host(self):
        async with Scripted(reply(200, "{}", JSON)) as other:
            moved = reply(307, "", f"Location: {other.url}/v1/runs")
            async with Scripted(moved) as server, AsyncClient(server.url, "token") as client:
                with pytest.raises(Exception, match="307"):
                    await client.runs.list()

        assert [] == other.asked
