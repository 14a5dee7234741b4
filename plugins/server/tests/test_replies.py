"""Answers on their way out: JSON of models, and streams that end when either side goes."""

import asyncio
import math

import pytest
from attrs import frozen
from swarm_plugin_server.replies import json_bytes

from swarm_core.endpoints import Answer, Endpoint, HttpReply
from swarm_core.hookspecs import hookimpl
from swarm_core.model.access import Verb


@frozen
class Item:
    """What a reply may hold."""

    name: str
    count: int = 1


class Tap:
    """A plugin with a stream; it notes when the stream was closed."""

    SWARM_API = 1

    def __init__(self):
        self.closed = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def pour(self, request):
        async def drops():
            try:
                yield b"first\n"
                await self.goes_on.wait()
                raise RuntimeError("a secret of the tap")
            finally:
                self.closed.set()

        return HttpReply(stream=drops(), headers={"content-type": "text/plain"})

    @hookimpl
    def swarm_register_endpoints(self):
        facts = {"tag": "tap", "verb": Verb.READ_TRACE, "answers": {200: Answer(media_type="text/plain")}}
        return [Endpoint(method="GET", path="/v1/tap", name="tap", summary="Pour", handler=self.pour, **facts)]


@pytest.fixture
async def tap():
    return Tap()


@pytest.fixture
async def served(serve, tap):
    return await serve(plugins=[tap])


class TestJson:
    def test_models_anywhere_in_a_reply_become_objects(self):
        assert (
            json_bytes({"items": [Item("tea"), Item("ink", 2)]})
            == b'{"items":[{"name":"tea"},{"name":"ink","count":2}]}'
        )

    def test_text_and_large_integers_stay_as_they_are(self):
        assert json_bytes({"é": 2**63}) == '{"é":9223372036854775808}'.encode()

    @pytest.mark.parametrize("value", ["\ud800", {"a": "b\udfff"}])
    def test_half_a_surrogate_pair_is_escaped(self, value):
        assert b"\\ud" in json_bytes(value)

    def test_what_json_has_no_number_for_is_null(self):
        assert json_bytes([math.nan]) == b"[null]"


class TestStream:
    async def test_it_is_closed_when_the_client_goes(self, served, tap):
        async with served.http.stream("GET", "/v1/tap") as answer:
            assert await anext(answer.aiter_lines()) == "first"
            assert served.serving.streams == 1

        async with asyncio.timeout(10):
            await tap.closed.wait()
            while served.serving.streams:
                await asyncio.sleep(0.01)

    async def test_p37_it_ends_in_order_when_the_server_leaves(self, served, tap):
        async with served.http.stream("GET", "/v1/tap") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "first"
            served.serving.leaving.set()
            assert [line async for line in lines] == []  # a connection that was cut raises

        assert tap.closed.is_set()

    async def test_an_error_in_it_is_logged_and_cuts_the_connection(self, served, tap, caplog):
        tap.goes_on.set()
        with pytest.raises(Exception, match=r"incomplete|peer closed|disconnected"):
            await served.http.get("/v1/tap")

        assert "/v1/tap broke off: RuntimeError" in caplog.text
        assert tap.closed.is_set()

    async def test_a_head_closes_it_without_sending_it(self, served, eventually):
        answer = await served.http.head("/v1/tap")

        assert (answer.status_code, answer.content) == (200, b"")
        await eventually(lambda: not served.serving.streams)
