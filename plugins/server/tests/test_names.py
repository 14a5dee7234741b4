"""P28: the server answers only to its own names, and only pages that it knows, over HTTP and WebSocket."""

import pytest
from swarm_plugin_server.names import names_of
from swarm_plugin_server.routes import own_sockets
from swarm_plugin_server.settings import ServerSettings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

FOREIGN = [
    "evil.example",
    "",
    "127.0.0.1:7777@evil.example",
    "127.0.0.1:abc",
    "127.0.0.1:0",
    "127.0.0.1:99999",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.2",
    "[::1",
    "[evil]",
    "localhost, evil.example",
    "localhost/",
]
SOCKET = next(iter(own_sockets())).path.replace("{sid}", "op-1")


class TestHost:
    async def test_p28_hb103_another_name_is_misdirected(self, served):
        for host in FOREIGN:
            answer = await served.http.get("/v1/healthz", headers={"host": host})
            assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host"), host

    async def test_loopback_has_three_names_at_any_port(self, served):
        for host in ("localhost", "LOCALHOST:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"):
            answer = await served.http.get("/v1/healthz", headers={"host": host.format(port=served.port)})
            assert answer.status_code == 200

    async def test_p28_hb103_two_names_none_or_one_in_the_target_itself_are_misdirected(self, served, raw):
        own = b"Host: 127.0.0.1\r\n"
        heads = [
            b"GET /v1/healthz HTTP/1.1\r\n" + own + own + b"\r\n",
            b"GET /v1/healthz HTTP/1.1\r\n\r\n",
            b"GET http://evil.example/v1/healthz HTTP/1.1\r\n" + own + b"\r\n",
        ]
        for head in heads:
            assert b"421" in (await raw(served.port, head)).split(b"\r\n")[0]

    async def test_p28_a_websocket_is_refused_alike(self, served):
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{served.port}{SOCKET}", additional_headers={"Host": "evil.example"})

        assert caught.value.response.status_code == 421

    async def test_further_names_are_said_in_the_settings(self, serve):
        served = await serve(settings=ServerSettings(port=0, allow_hosts=("Swarm.example", "other.example:8443")))
        seen = {
            host: (await served.http.get("/v1/healthz", headers={"host": host})).status_code
            for host in ("swarm.example", "swarm.example:443", "other.example:8443", "other.example")
        }

        assert list(seen.values()) == [200, 200, 200, 421]

    def test_a_server_for_the_network_answers_to_the_name_it_listens_at_and_loopback(self):
        assert names_of("192.0.2.7") == ("192.0.2.7",)
        assert names_of("0.0.0.0") == ("0.0.0.0", "127.0.0.1", "localhost", "::1")


class TestOrigin:
    async def test_p28_hb104_a_page_of_another_origin_is_refused(self, served):
        for origin in ("null", "http://localhost.evil.com", "http://127.0.0.1:9999", "http://evil.example", ""):
            answer = await served.http.get("/v1/healthz", headers={"origin": origin})
            assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin"), origin

    async def test_p28_a_websocket_from_another_origin_is_refused_although_it_brings_the_token(self, served):
        headers = {"Authorization": f"Bearer {served.token}"}
        with pytest.raises(InvalidStatus) as caught:
            await connect(
                f"ws://127.0.0.1:{served.port}{SOCKET}", additional_headers=headers, origin="http://evil.example"
            )

        assert caught.value.response.status_code == 403

    async def test_its_own_pages_and_those_that_are_allowed_are_answered(self, serve):
        served = await serve(settings=ServerSettings(port=0, allow_origins=("https://desk.example",)))
        for origin in (served.base_url, "https://desk.example"):
            assert (await served.http.get("/v1/healthz", headers={"origin": origin})).status_code == 200

    async def test_no_answer_lets_a_foreign_page_read_it(self, served):
        """No CORS header is ever sent: a browser keeps the answer from the page."""
        preflight = await served.http.request(
            "OPTIONS", "/v1/tasks", headers={"origin": served.base_url, "access-control-request-method": "POST"}
        )

        assert preflight.status_code == 405
        assert not [name for name in preflight.headers if name.startswith("access-control")]


async def test_p28_an_upgrade_without_a_token_is_denied_with_a_status_of_its_own(served):
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://127.0.0.1:{served.port}{SOCKET}")

    assert caught.value.response.status_code == 401


async def test_tk92_a_token_in_the_address_of_a_websocket_is_refused(served):
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://127.0.0.1:{served.port}{SOCKET}?token={served.token}")

    assert caught.value.response.status_code == 400
