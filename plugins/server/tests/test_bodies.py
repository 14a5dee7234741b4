"""What a request carries: strict JSON, bounded in size, depth and time; query strings and ids that cannot hurt."""

import asyncio
import gzip
import json
from urllib.parse import quote

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_server.problems import Refused
from swarm_plugin_server.queries import query_of
from swarm_plugin_server.settings import ServerSettings

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, Parameter
from swarm_core.hookspecs import hookimpl
from swarm_core.model.access import Verb


@frozen
class Order:
    """What the test's own endpoint takes."""

    item: str
    count: int = 1


async def _echo(request):
    return HttpReply(value={"body": request.body if not isinstance(request.body, bytes) else len(request.body)})


async def _break(request):
    raise RuntimeError("a secret of the server")


QUERY = (
    Parameter(name="limit", type=int, default=20, least=1, most=100),
    Parameter(name="share", type=float),
    Parameter(name="open", type=bool, default=False),
    Parameter(name="status", many=True, choices=("done", "failed")),
)


def _endpoint(path, **facts):
    name = path.removeprefix("/v1/x/")
    given = {"method": "POST", "handler": _echo, "access": Access.TOKEN, "verb": Verb.READ_TRACE, **facts}
    return Endpoint(path=path, name=name, summary=name, tag="x", answers={200: Answer()}, **given)


class Desk:
    """A plugin with endpoints of each kind."""

    SWARM_API = 1

    @staticmethod
    @hookimpl
    def swarm_register_endpoints():
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        return [
            _endpoint("/v1/x/order", body=Order),
            _endpoint("/v1/x/maybe", body=Order, optional_body=True),
            _endpoint("/v1/x/schema", body=schema),
            _endpoint("/v1/x/raw", body=bytes),
            _endpoint("/v1/x/none"),
            _endpoint("/v1/x/break", handler=_break),
            _endpoint("/v1/x/query", method="GET", query=QUERY),
        ]


LIMITS = ServerSettings(port=0, max_body=10_000, max_raw_body=20_000, body_time=1.0, header_time=1.0)


@pytest.fixture
async def desk(serve):
    return await serve(plugins=[Desk], settings=LIMITS)


NOT_STRICT = (
    b"",
    b"{",
    b"{'item': 1}",
    b'{"item": "tea", "item": "tea"}',
    b'{"item": "tea", "count": NaN}',
    b'{"item": "tea", "count": 1e999}',
    b'{"item": "tea", "count": 99999999999999999999}',
    b'{"item": "\\ud800"}',
    b'{"item": "\xff"}',
    b"[" * 5_000,
    b'{"item": "tea"} trailing',
    b'\xef\xbb\xbf{"item": "tea"}x',
)


def json_of(text):
    return {"content": text, "headers": {"content-type": "application/json"}}


class TestJson:
    async def test_a_body_becomes_the_endpoints_model(self, desk):
        answer = await desk.http.post("/v1/x/order", json={"item": "tea"})

        assert answer.json() == {"body": {"item": "tea"}}

    async def test_hb98_what_is_no_strict_json_is_unreadable(self, desk):
        answers = {text[:30]: await desk.http.post("/v1/x/order", **json_of(text)) for text in NOT_STRICT}

        seen = {text: (answer.status_code, answer.json()["code"]) for text, answer in answers.items()}
        assert seen == dict.fromkeys(seen, (400, "bad_body"))
        assert all(answer.json()["problems"][0]["message"] for answer in answers.values())

    async def test_wrong_fields_are_told_all_at_once_with_their_places(self, desk):
        answer = await desk.http.post("/v1/x/order", json={"itme": "tea", "count": "two"})

        told = answer.json()
        assert answer.status_code == 422
        assert {(each["path"], each["code"]) for each in told["problems"]} == {
            ("$.itme", "unknown_field"),
            ("$.count", "wrong_type"),
            ("$", "missing_field"),
        }
        assert "did you mean 'item'?" in [each.get("hint") for each in told["problems"]]
        assert told["error"] == f"{told['detail']}" + (f"; {told['hint']}" if "hint" in told else "")

    async def test_a_body_that_a_schema_describes_is_checked_against_it(self, desk):
        assert (await desk.http.post("/v1/x/schema", json={"n": 1})).json() == {"body": {"n": 1}}
        assert (await desk.http.post("/v1/x/schema", json={"n": "1"})).status_code == 422

    async def test_an_optional_body_may_be_absent(self, desk):
        assert (await desk.http.post("/v1/x/maybe")).json() == {"body": None}
        assert (await desk.http.post("/v1/x/none")).json() == {"body": None}

    async def test_a_body_that_nobody_asked_for_is_refused(self, desk):
        answer = await desk.http.post("/v1/x/none", json={})

        assert (answer.status_code, answer.json()["code"]) == (400, "unexpected_body")

    async def test_hb95_another_media_type_is_refused(self, desk):
        types = [None, "text/plain", "application/x-www-form-urlencoded", "*/*", "application/json; charset=latin-1"]
        for media_type in types:
            headers = {} if media_type is None else {"content-type": media_type}
            answer = await desk.http.post("/v1/x/order", content=b'{"item": "tea"}', headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "media_type"), media_type

    async def test_json_in_utf_8_may_say_so(self, desk):
        for charset in ("utf-8", "UTF-8", '"utf-8"'):
            headers = {"content-type": f"application/json; charset={charset}"}
            answer = await desk.http.post("/v1/x/order", content='{"item": "thé"}'.encode(), headers=headers)
            assert answer.json() == {"body": {"item": "thé"}}

    async def test_hb97_a_compressed_body_is_refused_before_it_grows(self, desk):
        bomb = gzip.compress(b'{"item": "' + b"a" * 10_000_000 + b'"}')
        for path in ("/v1/x/order", "/v1/x/raw"):
            headers = {"content-type": "application/json", "content-encoding": "gzip"}
            answer = await desk.http.post(path, content=bomb[:5_000], headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "encoded_body")

    async def test_an_error_of_an_endpoint_tells_its_class_only(self, desk, caplog):
        answer = await desk.http.post("/v1/x/break")

        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "secret" not in answer.text
        assert "POST /v1/x/break failed: RuntimeError" in caplog.text


class TestSize:
    async def test_hb96_a_body_is_bounded_whether_its_length_is_said_or_not(self, desk):
        async def pieces(most):
            for _ in range(most // 1_000 + 1):
                yield b" " * 1_000

        for path, most in (("/v1/x/order", 10_000), ("/v1/x/raw", 20_000)):
            for content in (b" " * (most + 1), pieces(most)):
                answer = await desk.http.post(path, content=content, headers={"content-type": "application/json"})
                assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def test_hb96_a_length_of_10_gib_is_refused_before_a_byte_has_come(self, desk, raw):
        head = _head(desk, "/v1/x/order", b"Content-Length: 10737418240")

        assert b" 413 " in (await raw(desk.port, head)).split(b"\r\n")[0]

    async def test_hb96_a_body_that_never_ends_is_given_up(self, desk, raw):
        heads = [_head(desk, "/v1/x/order", each) for each in (b"Content-Length: 100", b"Transfer-Encoding: chunked")]

        for answer in await asyncio.gather(*(raw(desk.port, head + b"1\r\n{\r\n") for head in heads)):
            assert b" 408 " in answer.split(b"\r\n")[0]
            assert b"connection: close" in answer.lower()

    async def test_hb96_two_hundred_slow_bodies_do_not_stop_the_server(self, serve):
        desk = await serve(plugins=[Desk], settings=ServerSettings(port=0, body_time=60.0))
        head = _head(desk, "/v1/x/order", b"Content-Length: 100") + b"{"
        open_ones = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(200)]
        for _, writer in open_ones:
            writer.write(head)

        async with asyncio.timeout(20):
            while desk.serving.in_flight < 200:
                await asyncio.sleep(0.01)
            assert (await desk.http.get("/v1/healthz")).text == "ok"

        for _, writer in open_ones:
            writer.transport.abort()
        async with asyncio.timeout(20):
            while desk.serving.in_flight:
                await asyncio.sleep(0.01)

    async def test_hb105_contradictory_framing_ends_the_connection(self, desk, raw):
        for framing in (
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5",
            b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: -5",
            b"Content-Length: five",
        ):
            answer = await raw(desk.port, _head(desk, "/v1/x/order", framing) + b"5\r\nhello\r\n0\r\n\r\n")
            assert b" 400 " in answer.split(b"\r\n")[0], framing
            assert b"connection: close" in answer.lower()

    async def test_hb105_what_asks_to_continue_or_to_upgrade_is_answered_as_it_is(self, desk, raw):
        extra = b"Expect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: h2c"
        head = b"GET /v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + extra + b"\r\n\r\n"

        assert (await raw(desk.port, head)).endswith(b"ok")


def _head(desk, path, *extra):
    lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: 127.0.0.1", b"Content-Type: application/json"]
    lines.append(b"Authorization: Bearer " + desk.token.encode())
    return b"\r\n".join([*lines, *extra]) + b"\r\n\r\n"


class TestAddresses:
    async def test_hb99_an_address_that_nothing_stands_behind_is_not_found(self, desk):
        for path in ("/", "/v1", "/v1/nothing", "//v1/healthz", "/v1/healthz/", "/v1//healthz"):
            answer = await desk.http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "no_route"), path

    async def test_hb99_traversal_and_hidden_slashes_find_nothing(self, desk, raw):
        for path in (b"/v1/../v1/healthz", b"/v1/%2e%2e/v1/healthz", b"/v1/runs/a%2fb", b"/v1/runs/%00"):
            head = b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + desk.token.encode()
            assert b" 404 " in (await raw(desk.port, head + b"\r\n\r\n")).split(b"\r\n")[0]

    async def test_hb100_an_id_that_can_be_none_is_not_found(self, served):
        for id in ("R-*", "' OR 1=1 --", "a" * 10_000, "one\ntwo", "\u202e", "%"):
            answer = await served.http.get(f"/v1/runs/{quote(id, safe='')}")
            assert answer.status_code in (404, 422)
            assert "\n" not in answer.text

    async def test_hb99_another_method_is_told_which_there_are(self, desk):
        answer = await desk.http.delete("/v1/x/query")

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")

    async def test_a_head_is_a_get_without_its_body(self, desk):
        answer = await desk.http.head("/v1/healthz")

        assert (answer.status_code, answer.content) == (200, b"")


BAD_QUERIES = (
    "limit=-1",
    "limit=0",
    "limit=1000000000",
    "limit=abc",
    "limit=",
    "limit=1&limit=2",
    "limit=1.5",
    "limit=%D9%A1",
    "share=nan",
    "share=1e5",
    "open=maybe",
    "status=gone",
    "x%27)%20OR%20(%271%27=%271=1",
    "limit=%ff",
    "&".join(f"status={n}" for n in range(200)),
)


class TestQueries:
    async def test_hb101_hb102_what_is_not_declared_or_not_such_a_value_is_a_bad_query(self, desk):
        answers = {query[:40]: await desk.http.get(f"/v1/x/query?{query}") for query in BAD_QUERIES}

        seen = {query: (answer.status_code, answer.json()["code"]) for query, answer in answers.items()}
        assert seen == dict.fromkeys(seen, (400, "bad_query"))

    async def test_a_near_name_is_suggested(self, desk):
        answer = await desk.http.get("/v1/x/query?limt=3")

        assert answer.json()["hint"] == "did you mean 'limit'?"

    def test_values_have_their_types_and_defaults(self):
        endpoint = Desk.swarm_register_endpoints()[-1]

        assert query_of(endpoint, b"") == {"limit": 20, "share": None, "open": False, "status": ()}
        assert query_of(endpoint, b"limit=7&share=0.5&open=true&status=done&status=failed") == {
            "limit": 7,
            "share": 0.5,
            "open": True,
            "status": ("done", "failed"),
        }

    @given(st.binary(max_size=200))
    def test_any_query_string_is_read_or_refused(self, text):
        try:
            read = query_of(Desk.swarm_register_endpoints()[-1], text)
        except Refused as refused:
            assert refused.status == 400
        else:
            assert set(read) == {"limit", "share", "open", "status"}


async def test_large_bodies_are_read_beside_the_event_loop(serve):
    """A body that takes tens of milliseconds to read is read by a thread."""
    desk = await serve(plugins=[Desk])
    text = json.dumps({"item": "a" * 1_500_000})

    answer = await desk.http.post("/v1/x/order", **json_of(text))

    assert len(answer.json()["body"]["item"]) == 1_500_000
