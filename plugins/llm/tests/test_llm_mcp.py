"""Tools of MCP servers: programs and URLs, only those that the profile names."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path

import pytest
from model_server import calls, says

from swarm_core.errors import SpawnFailed

mcp = pytest.importorskip("mcp")

PROGRAM = Path(__file__).with_name("mcp_program.py")
FILES = {"name": "files", "command": sys.executable, "args": [str(PROGRAM)]}


def returned(asked):
    return [message["content"] for message in asked.messages if message["role"] == "tool"]


async def test_an_agent_uses_the_tools_of_its_servers_and_no_others(bench, server):
    server.script(
        calls(("mcp__files__add", {"a": 2, "b": 3}), ("mcp__files__fail", {}), ("mcp__files__surroundings", {})),
        says("ok"),
    )

    await bench.run(spec={"mcp_servers": [FILES]}, profile={"tools": ["mcp__files__add", "mcp__files__fail"]})

    assert ["mcp__files__add", "mcp__files__fail"] == server.asked[0].tools
    five, failure, refused = returned(server.asked[1])
    assert ("5", "error: Error executing tool fail: there is no such book") == (five, failure)
    assert refused.startswith("error: you have no tool 'mcp__files__surroundings'")


async def test_p24_a_server_sees_what_it_was_given_and_ends_with_the_attempt(bench, server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("LET_THROUGH", "yes")
    (tmp_path / "below").mkdir()
    server.script(calls(("mcp__files__surroundings", {})), says("ok"))
    own = {**FILES, "env": {"OWN": "1"}}

    await bench.run(
        spec={"mcp_servers": [own], "project_root": "below"},
        profile={"tools": ["mcp__files__*"]},
        section={"pass_env": ["LET_*"]},
    )

    told = json.loads(returned(server.asked[1])[0])
    assert {"OWN": "1", "LET_THROUGH": "yes", "PATH": os.environ["PATH"]}.items() <= told["env"].items()
    assert not {name for name in told["env"] if name.startswith(("OPENAI", "SWARM", "HOME"))}
    assert str(tmp_path / "below") == told["cwd"]
    with pytest.raises(ProcessLookupError):
        os.kill(told["pid"], 0)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"command": "no-such-program-here"}, "no-such-program-here"),
        ({"command": sys.executable, "args": ["-c", "print('hello')"]}, "MCP server 'files' gives no connection"),
    ],
)
async def test_a_server_that_is_none_refuses_the_attempt(bench, told, text):
    with pytest.raises(SpawnFailed) as caught:
        await bench.run(
            spec={"mcp_servers": [{"name": "files", **told}], "mcp_rpc_timeout_ms": 2000},
            profile={"tools": ["mcp__files__x"]},
        )
    assert text in str(caught.value)


async def test_a_tool_that_the_server_has_not_refuses_the_attempt(bench):
    with pytest.raises(SpawnFailed, match="has no tool 'ad'; it offers: add, fail, surroundings"):
        await bench.run(spec={"mcp_servers": [FILES]}, profile={"tools": ["mcp__files__ad"]})


async def test_a_server_that_no_tool_names_is_not_started(bench, server):
    server.script(says("ok"))

    result = await bench.run(spec={"mcp_servers": [{"name": "files", "command": "no-such-program-here"}]})

    assert "ok" == result.value


@contextlib.asynccontextmanager
async def served(headers_seen):
    import uvicorn
    from mcp.server import MCPServer

    remote = MCPServer("remote")

    @remote.tool()
    def shout(text: str) -> str:
        return text.upper()

    inner = remote.streamable_http_app()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            headers_seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await inner(scope, receive, send)

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1)
    uvicorn_server = uvicorn.Server(config)
    task = asyncio.ensure_future(uvicorn_server.serve(sockets=[sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/mcp"
    finally:
        uvicorn_server.should_exit = True
        await task


async def test_a_server_of_the_settings_is_reached_by_its_url_with_its_key(bench, server, monkeypatch):
    monkeypatch.setenv("BOOKS_KEY", "Bearer canary-7")
    seen = []
    server.script(calls(("mcp__books__shout", {"text": "quiet"})), says("ok"))

    async with served(seen) as url:
        books = {"url": url, "headers_env": {"Authorization": "BOOKS_KEY"}}
        await bench.run(section={"mcp_servers": {"books": books}}, profile={"tools": ["mcp__books__shout"]})

    assert ["QUIET"] == returned(server.asked[1])
    assert {"Bearer canary-7"} == {headers.get("authorization") for headers in seen}
    assert "canary" not in repr(server.asked)


async def test_p29_a_url_of_the_blueprint_is_used_where_its_origin_is_allowed(bench, server):
    server.script(calls(("mcp__books__shout", {"text": "quiet"})), says("ok"))

    async with served([]) as url:
        origin = url.removesuffix("/mcp")
        asked = {"spec": {"mcp_servers": [{"name": "books", "url": url}]}, "profile": {"tools": ["mcp__books__shout"]}}
        await bench.run(**asked, section={"mcp_origins": [origin]})
        with pytest.raises(ValueError, match="no request may go to the URL of 'books'"):
            await bench.run(**asked, section={"mcp_origins": [origin.replace("127.0.0.1", "localhost")]})

    assert ["QUIET"] == returned(server.asked[1])


async def test_a_server_of_the_settings_cannot_be_replaced_by_a_blueprint(bench):
    with pytest.raises(ValueError, match="the settings have a server 'files' already"):
        bench.build(spec={"mcp_servers": [FILES]}, section={"mcp_servers": {"files": {"command": "x"}}})
