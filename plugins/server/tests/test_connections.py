"""Connections cost no more than they may: heads are bounded in size and time, and so is their number."""

import asyncio
import subprocess
import sys
from socket import IPPROTO_TCP, SO_RCVBUF, SOL_SOCKET, TCP_NODELAY, socket

import pytest
from swarm_plugin_server.listening import bind
from swarm_plugin_server.settings import ServerSettings

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply
from swarm_core.hookspecs import hookimpl

HEAD = b"GET /v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
async def small(serve):
    return await serve(plugins=(), settings=ServerSettings(port=0, max_connections=20, header_time=0.5, keep_alive=60))


async def connected(served):
    """A connection that has had one answer and is idle."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(HEAD + b"\r\n")
    await reader.readuntil(b"ok")
    return reader, writer


class TestHeads:
    async def test_tk79_a_head_of_64_kib_is_refused(self, small, raw):
        for head in (
            HEAD + b"Authorization: Bearer " + b"a" * 65_536,
            b"GET /v1/" + b"a" * 65_536,
            HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)),
        ):
            answer = await raw(small.port, head + b" HTTP/1.1\r\n\r\n")
            assert b" 431 " in answer.split(b"\r\n")[0]

    async def test_a_head_that_does_not_end_is_given_up(self, small, raw):
        answer = await raw(small.port, HEAD + b"X-Slow: ")

        assert b" 408 " in answer.split(b"\r\n")[0]

    async def test_a_connection_that_never_says_anything_is_closed(self, small, raw):
        assert await raw(small.port, b"") == b""

    async def test_what_is_no_http_is_told_so_and_closed(self, small, raw):
        for data in (b"HELO there\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n"):
            assert b" 400 " in (await raw(small.port, data)).split(b"\r\n")[0]

    async def test_pipelined_requests_are_answered_in_their_order(self, small):
        reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
        writer.write(HEAD + b"\r\n" + HEAD.replace(b"healthz", b"readyz") + b"\r\n" + HEAD + b"\r\n")

        read = [await reader.readuntil(end) for end in (b"ok", b"}", b"ok")]

        assert [b"200 OK" in answer for answer in read] == [True] * 3
        writer.close()


class TestNumber:
    async def test_hb106_beyond_the_limit_the_longest_idle_one_makes_room(self, small):
        idle = [await connected(small) for _ in range(20)]

        _, newest = await connected(small)

        assert await idle[0][0].read() == b""
        assert not idle[1][0].at_eof()
        for _, writer in (*idle, (None, newest)):
            writer.transport.abort()

    async def test_when_none_is_idle_a_new_one_is_closed_and_the_others_go_on(self, serve, eventually):
        busy = ServerSettings(port=0, max_connections=5, header_time=20, keep_alive=60)
        served = await serve(plugins=(), settings=busy)
        open_ones = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(5)]
        for _, writer in open_ones:
            writer.write(HEAD)  # not its end: each is busy with a head
        await asyncio.sleep(0.1)

        refused, newest = await asyncio.open_connection("127.0.0.1", served.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            newest.write(HEAD + b"\r\n")
            await refused.readuntil(b"ok")

        newest.transport.abort()
        for reader, writer in open_ones:
            writer.write(b"\r\n")
            await reader.readuntil(b"ok")
            writer.close()

    async def test_hb106_a_thousand_idle_connections_leave_the_server_answering(self, serve):
        served = await serve(plugins=(), settings=ServerSettings(port=0, max_connections=200))
        idle = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(1_000)]

        assert (await served.http.get("/v1/healthz")).text == "ok"

        closed = await asyncio.gather(*(asyncio.wait_for(reader.read(), 30) for reader, _ in idle[:700]))
        assert closed == [b""] * 700
        for _, writer in idle:
            writer.transport.abort()


class Pourer:
    """A plugin that answers with more than a client takes that does not read."""

    SWARM_API = 1
    PIECE, PIECES = b"x" * 65_536, 256

    async def pour(self, request):
        async def pieces():
            while True:
                yield self.PIECE

        return HttpReply(stream=pieces())

    async def bulk(self, request):
        return HttpReply(value=self.PIECE * self.PIECES)

    async def sip(self, request):
        return HttpReply(value=self.PIECE)

    @hookimpl
    def swarm_register_endpoints(self):
        facts = {"method": "GET", "summary": "Pour", "tag": "pour", "access": Access.PUBLIC}
        answers = {200: Answer(media_type="application/octet-stream")}
        return [
            Endpoint(path=f"/v1/{name}", name=name, handler=getattr(self, name), answers=answers, **facts)
            for name in ("pour", "bulk", "sip")
        ]


def deaf(port):
    """A connection whose other side buffers little."""
    sock = socket()
    sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 4_096)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def is_cut(sock):
    """Tell whether the other side has closed; what is sent means nothing there."""
    try:
        sock.send(b"\r\n")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


class TestStalled:
    @pytest.fixture
    async def impatient(self, serve):
        return await serve(plugins=[Pourer()], settings=ServerSettings(port=0, stall=0.6, keep_alive=60))

    @pytest.mark.parametrize(("path", "calls"), [(b"/v1/pour", 1), (b"/v1/bulk", 1), (b"/v1/sip", 300)])
    async def test_p31_a_client_that_never_reads_is_cut_off(self, impatient, eventually, path, calls):
        with deaf(impatient.port) as stalled:
            stalled.send((HEAD.replace(b"/v1/healthz", path) + b"\r\n") * calls)

            assert (await impatient.http.get("/v1/healthz")).text == "ok"
            await eventually(lambda: is_cut(stalled) and not impatient.serving.streams)

    async def test_one_that_reads_slowly_gets_everything(self, impatient):
        reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port, limit=65_536)
        writer.write(HEAD.replace(b"healthz", b"bulk") + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(Pourer.PIECES):
            await asyncio.sleep(0.006)
            assert await reader.readexactly(65_536) == Pourer.PIECE
        writer.close()


class TestCalls:
    async def test_answers_are_sent_without_delay(self):
        """Otherwise Nagle's algorithm and a client's delayed acknowledgement make 40 ms of every answer."""
        made = asyncio.get_running_loop().create_future()

        class Noting(asyncio.Protocol):
            def connection_made(self, transport):
                made.set_result(transport.get_extra_info("socket").getsockopt(IPPROTO_TCP, TCP_NODELAY))
                transport.abort()

        with bind(ServerSettings(port=0)) as sock:
            async with await asyncio.get_running_loop().create_server(Noting, sock=sock):
                _, writer = await asyncio.open_connection(*sock.getsockname())
                assert await made
                writer.transport.abort()

    async def test_more_calls_than_may_be_are_told_to_come_again_but_health_is_always_told(self, serve, raw):
        served = await serve(settings=ServerSettings(port=0, max_requests=1))
        served.serving.in_flight += 1
        try:
            busy = await served.http.get("/v1/runs")
            health = await served.http.get("/v1/healthz")
        finally:
            served.serving.in_flight -= 1

        assert (busy.status_code, busy.json()["code"], busy.headers["retry-after"]) == (503, "busy", "1")
        assert health.status_code == 200
        assert (await served.http.get("/v1/runs")).status_code == 200


class TestDescriptors:
    CHILD = """
import resource, sys
from swarm_plugin_server.descriptors import fitted
from swarm_plugin_server.settings import ServerSettings
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(fitted(ServerSettings(max_connections=500)).max_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""

    @pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
    @pytest.mark.parametrize(
        ("soft", "hard", "connections", "after"), [(400, 1024, 500, 756), (400, 600, 344, 600), (1000, 1024, 500, 1000)]
    )
    def test_the_limit_of_open_files_is_raised_as_far_as_that_goes(self, soft, hard, connections, after):
        command = [sys.executable, "-c", self.CHILD, str(soft), str(hard)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)

        assert done.stdout.split() == [str(connections), str(after)]
