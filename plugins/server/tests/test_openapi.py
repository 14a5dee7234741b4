"""The server describes itself: a valid OpenAPI document that it keeps to, and a page that shows it."""

import asyncio
import re
from pathlib import Path

import jsonschema
import pytest
import requests
import schemathesis
from attrs import fields, frozen
from hypothesis import HealthCheck, Phase, given, settings
from swarm_plugin_server.openapi import refusals_of
from swarm_plugin_server.routes import description, own_endpoints, own_sockets
from swarm_plugin_server.settings import ServerSection, ServerSettings

from swarm_core.endpoints import Access, Answer, Endpoint, HttpReply, Parameter
from swarm_core.hookspecs import hookimpl
from swarm_core.model.access import Verb

REF = re.compile(r'"\$ref":\s*"#/components/schemas/([^"]+)"')


_PATIENCE = 2
_CALLS = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NODE = {"type": "array", "items": {"$ref": "#/$defs/node"}}


@frozen
class Order:
    """What the test's own endpoint takes."""

    item: str


class Desk:
    """A plugin with an endpoint."""

    SWARM_API = 1

    @staticmethod
    @hookimpl
    def swarm_register_endpoints():
        return [
            Endpoint(
                method="POST",
                path="/v1/desk/{seat}",
                name="order",
                summary="Order",
                tag="desk",
                handler=print,
                body=Order,
                query=(Parameter(name="limit", type=int, default=20, least=1, most=100),),
                answers={200: Answer(model={"$ref": "#/$defs/node", "$defs": {"node": NODE}})},
            )
        ]


def plugin(plugin_name, *paths, name):
    """Return a plugin with an endpoint at each path, all of one name."""

    async def answer(request):
        return HttpReply(value=plugin_name)

    @staticmethod
    @hookimpl
    def swarm_register_endpoints():
        facts = {"method": "GET", "summary": "Answer", "tag": "test", "handler": answer, "verb": Verb.READ_TRACE}
        return [Endpoint(path=path, name=name, **facts) for path in paths]

    return type(plugin_name, (), {"SWARM_API": 1, "swarm_register_endpoints": swarm_register_endpoints})


class TestDocument:
    async def test_it_has_every_endpoint_and_every_reference_leads_somewhere(self, served):
        answer = await served.http.get("/v1/openapi.json")

        document = answer.json()
        told = {
            (method.upper(), path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert set(told) >= {(endpoint.method, endpoint.path) for endpoint in own_endpoints()}
        assert {operation["operationId"] for operation in told.values()} >= {each.name for each in own_endpoints()}
        assert set(REF.findall(answer.text)) <= set(document["components"]["schemas"])
        assert "#/$defs/" not in answer.text
        assert document["openapi"] == "3.1.0"

    async def test_every_schema_in_it_is_one(self, served):
        document = (await served.http.get("/v1/openapi.json")).json()

        for schema in document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    async def test_plugins_endpoints_are_in_it(self, serve):
        served = await serve(plugins=[Desk])

        document = (await served.http.get("/v1/openapi.json")).json()

        order = document["paths"]["/v1/desk/{seat}"]["post"]
        assert order["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Order")
        assert {"400", "401", "404", "413", "415", "422", "200"} <= set(order["responses"])
        seat, limit = order["parameters"]
        assert (seat["name"], seat["in"], seat["required"]) == ("seat", "path", True)
        assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
        answer = order["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer == {"$ref": "#/components/schemas/order_200_node"}
        assert document["components"]["schemas"]["order_200_node"]["items"] == answer

    async def test_endpoints_of_one_name_are_told_apart_by_their_plugins(self, serve):
        plugins = [plugin(name, f"/v1/{name}/seats", f"/v1/{name}/beds", name="seats") for name in ("bar", "den")]
        served = await serve(plugins=[*plugins, plugin("spy", "/v1/spy", name="list_runs")])

        document = (await served.http.get("/v1/openapi.json")).json()

        told = {path: methods["get"]["operationId"] for path, methods in document["paths"].items() if "get" in methods}
        names = [told[path] for path in ("/v1/bar/seats", "/v1/bar/beds", "/v1/den/seats", "/v1/den/beds", "/v1/spy")]
        assert names == ["seats", "bar_seats", "den_seats", "den_seats_2", "spy_list_runs"]
        assert told["/v1/runs"] == "list_runs"

    async def test_an_endpoint_that_the_server_has_itself_is_not_taken_from_it(self, serve, caplog):
        served = await serve(plugins=[plugin("spy", "/v1/runs", name="spy_runs")])

        assert (await served.http.get("/v1/runs")).json() == {"runs": [], "next": None}
        assert "GET /v1/runs of plugin spy " in caplog.text

    async def test_it_is_made_once(self, served, monkeypatch):
        made = []
        monkeypatch.setattr(description, "openapi", lambda *_, **facts: made.append(facts) or {"openapi": "3.1.0"})

        answers = [await served.http.get("/v1/openapi.json") for _ in range(3)]

        assert [answer.json() for answer in answers] == [{"openapi": "3.1.0"}] * 3
        assert len(made) == 1


class TestPage:
    async def test_it_loads_nothing_from_anywhere_else_and_runs_only_its_own_script(self, served):
        async with served.client() as anybody:
            answer = await anybody.get("/v1/docs")

        assert not re.search(r"https?://|//[a-z]|@import|<link|src=", answer.text.replace("<!doctype html>", ""))
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'sha256-" in policy
        assert "unsafe" not in policy
        assert served.token not in answer.text


@pytest.mark.slow
class TestConformance:
    async def test_no_call_within_the_document_or_beside_it_ends_in_an_error_of_the_server(self, serve):
        """Schemathesis makes calls from the document, right and wrong ones; no status is a surprise."""
        served = await serve(settings=ServerSettings(port=0, max_wrong=1_000_000, max_runs=100_000))
        document = (await served.http.get("/v1/openapi.json")).json()

        surprises = await asyncio.to_thread(_explore, document, served)

        assert surprises == []

    def test_every_refusal_of_an_endpoint_is_documented(self):
        for endpoint in own_endpoints():
            assert 500 not in refusals_of(endpoint)


def _explore(document, served):
    """Make calls of every operation; return those with an answer that is not documented."""
    headers = {"authorization": f"Bearer {served.token}"}
    surprises, seen = [], set()

    session = requests.Session()

    def check(case):
        made = case.as_transport_kwargs(base_url=served.base_url, headers=headers)
        try:
            answer = session.request(**made, timeout=_PATIENCE, stream=True)
        except requests.exceptions.Timeout:
            return  # it waits for what does not come: the end of a run
        with answer:
            seen.add((case.method, case.path, answer.status_code))
            documented = {"405", *case.operation.definition.raw["responses"]}
            if answer.status_code == 500 or str(answer.status_code) not in documented:
                surprises.append((case.method, case.path, answer.status_code, answer.content[:300], str(made)[:600]))

    with session:
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            _CALLS(given(result.ok().as_strategy())(check))()
    assert len({(method, path) for method, path, _ in seen}) == sum(map(len, document["paths"].values()))
    return surprises


class TestReference:
    """docs/reference/server.md has what the code has."""

    @pytest.fixture
    def page(self):
        file = Path(__file__).parents[3] / "docs/reference/server.md"
        if not file.exists():
            pytest.skip("compares with the repository around the plugin")
        return file.read_text(encoding="utf-8")

    def test_every_endpoint_stands_in_the_table_with_what_it_needs(self, page):
        told = set(re.findall(r"^\| `([A-Z]+ /v1/\S+)` \| .+ \| (.+) \|$", page, re.MULTILINE))

        sockets = {(f"GET {socket.path}", "session") for socket in own_sockets()}
        assert told == {(f"{each.method} {each.path}", _needs(each)) for each in own_endpoints()} | sockets

    def test_every_setting_stands_in_the_table(self, page):
        section = page.partition("## Settings")[2].partition("\n## ")[0]
        told = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", section, re.MULTILINE)

        assert told == [(each.name, each.metadata["summary"]) for each in fields(ServerSettings)]
        assert [each.name for each in fields(ServerSection)] == [each.name for each in fields(ServerSettings)]

    def test_every_status_that_is_refused_with_is_told(self, page):
        told = {int(status) for status in re.findall(r"^\| ([45][0-9]{2}) \|", page, re.MULTILINE)}

        assert set().union(*map(refusals_of, own_endpoints())) <= told


def _needs(endpoint):
    if endpoint.access is not Access.TOKEN:
        return {"public": "anyone"}.get(endpoint.access, str(endpoint.access))
    needs = "token" if endpoint.verb is None else f"token, `{endpoint.verb}`"
    return f"{needs}, worker" if endpoint.workers else needs
