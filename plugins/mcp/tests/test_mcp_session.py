"""A whole session of the official client, over each transport, in this process and on a server."""

import asyncio
import contextlib
import json
import signal
import stat
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from swarm_plugin_mcp.command import command
from swarm_plugin_mcp.tools import TOOLS

SLOW = """
id: slow
agents: [{name: worker, kind: function, spec: {fn_id: until_told}}]
flow: {kind: step, ref: worker, in: {op: lit, value: hello}, out: {op: path, at: $.said}}
"""

ASK = """
id: ask
agents: [{name: person, kind: ask, spec: {question: May we?, schema: {type: boolean}}}]
flow: {kind: step, ref: person, in: {op: path, at: $}, out: {op: path, at: $.decision}}
"""

LOUD = """
id: loud
flow:
  kind: seq
  children:
    - {kind: step, ref: one, in: {op: lit, value: hello}, out: {op: path, at: $.one}}
    - {kind: step, ref: two, in: {op: lit, value: hello}, out: {op: path, at: $.two}}
agents:
  - {name: one, kind: function, spec: {fn_id: shout}}
  - {name: two, kind: lua, spec: {source: "print('from lua') return 'LUA'"}}
"""


async def whole_session(tools, project, sample_02, drive, eventually):
    """List tools, run sample 01, sit at a seat, drive sample 02 to its end, cancel a run, answer a question."""
    listed = {tool.name for tool in (await tools.client.list_tools()).tools}
    sample = (await tools.client.read_resource("mse://blueprints/samples/01")).contents[0].text
    first = await tools.call("swarm_run", blueprint=sample, timeout_secs=20)
    sid = (await tools.call("mse_operator_join", roles=["main-ai"]))["sid"]
    begun = await tools.call("swarm_run", blueprint=sample_02, timeout_secs=20)
    done, end = await drive(tools, sid, begun["run_id"])
    await tools.call("mse_operator_leave", sid=sid)
    slow = await tools.call("swarm_run", blueprint=SLOW, detach=True)
    await eventually((project / "started").exists)
    cancelled = await tools.call("swarm_cancel", run_id=slow["run_id"])
    seen = await tools.call("swarm_status", run_id=slow["run_id"][:12])
    asked = await tools.call("swarm_run", blueprint=ASK, init_ctx={}, timeout_secs=20)
    await tools.call("swarm_answer", key=asked["questions"][0]["key"], answer=True)
    answered = await tools.call("swarm_watch", run_id=asked["run_id"], timeout_secs=20)

    assert {"swarm_run", "mse_operator_join"} <= listed
    assert "in-range" == first["final_ctx"]["grade"]
    assert ["scout", "plan", "resolver", "gate", "resolver", "gate", "commit"] == done
    assert ("done", {"committed": True}) == (end["status"], end["final_ctx"]["result"])
    assert ("cancelled", "cancelled") == (cancelled["status"], seen["status"])
    assert ("waiting", "done", True) == (asked["status"], answered["status"], answered["final_ctx"]["decision"])


@pytest.fixture
def session(project, sample_02, drive, eventually):
    async def run(tools):
        await whole_session(tools, project, sample_02, drive, eventually)

    return run


@asynccontextmanager
async def over_http(program):
    """Talk to an MCP server that was started with `--http --json`."""
    told = json.loads(await read_object(program.stdout))
    token = Path(told["token_file"]).read_text().strip()
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http,
        Client(streamable_http_client(told["url"], http_client=http)) as client,
    ):
        yield client, told, token


async def read_object(stream):
    """Read one JSON object, which is printed over several lines."""
    lines = [await stream.readline()]
    while lines[-1] and lines[-1].strip() != b"}":
        lines.append(await stream.readline())
    return b"".join(lines)


@pytest.mark.needs("operator")
class TestSession:
    async def test_over_stdio(self, over_stdio, session):
        async with over_stdio() as tools:
            await session(tools)

    async def test_over_http(self, started, tools_of, session):
        async with started("mcp", "--http", "--port", 0, "--json") as program, over_http(program) as (client, _, _):
            await session(tools_of(client))

    @pytest.mark.needs("server", "client")
    async def test_on_a_server_that_the_session_starts_and_stops(self, over_stdio, session):
        async with over_stdio() as tools:
            begun = await tools.call("swarm_server_start")
            try:
                await session(tools)
                status = await tools.call("swarm_server_status")
            finally:
                stopped = await tools.call("mlua_swarm_server_shutdown")
            after = await tools.call("mse_doctor")

        assert (True, True, "server") == (begun["started"], status["running"], status["tools_work_on"]["mode"])
        assert (True, begun["pid"], "embedded") == (stopped["stopped"], stopped["pid"], after["mode"])

    @pytest.mark.needs("server", "client")
    async def test_on_a_server_that_runs_already(self, started, over_stdio, session):
        async with started("serve", "--port", 0, "--json") as server:
            told = json.loads(await server.stdout.readline())
            async with over_stdio() as tools:
                found = await tools.call("mse_doctor")
                again = await tools.call("swarm_server_start")
                await session(tools)

        assert ("server", told["url"]) == (found["mode"], found["url"])
        assert (False, server.pid) == (again["started"], again["pid"])


@pytest.mark.needs("server", "client")
class TestOnAServer:
    @pytest.fixture
    async def server(self, started):
        async with started("serve", "--port", 0, "--json") as program:
            yield json.loads(await program.stdout.readline())

    async def test_everything_else_works_there_too(self, server, over_stdio, project):
        (project / "loud.yaml").write_text(LOUD.replace("shout", "none"))
        (project / "ask.yaml").write_text(ASK)
        async with over_stdio("--server", server["url"], "--server-token-file", server["token_file"]) as tools:
            wrong = await tools.call("swarm_check", file="loud.yaml")
            explained = await tools.call("swarm_explain", file="ask.yaml", bind={"person": "fake"})
            _, no_set = await tools.refused("swarm_explain", file="ask.yaml", layers="none")
            first = await tools.call("bp_add", file="ask.yaml", message="to begin with", by="ada")
            second = await tools.call("bp_add", blueprint=ASK.replace("May we", "Should we"))
            diff = await tools.call("bp_diff", id="ask")
            listed = await tools.call("bp_list")
            asked = await tools.call("swarm_run", blueprint=f"bp:ask@{first['version'][:12]}", init_ctx={})
            told = await tools.call("swarm_runs", status=["waiting"])
            steps = await tools.call("swarm_show", run_id=asked["run_id"])
            _, unfit = await tools.refused("swarm_answer", key=asked["questions"][0]["key"], answer="perhaps")
            again = await tools.call("swarm_rerun", run_id=asked["run_id"], steps=[steps["steps"][0]["address"]])
            events = await tools.call("swarm_show", run_id=asked["run_id"], what="events", after=1, limit=2)
            await tools.call("bp_archive", id="ask", confirm=True)
            archived = await tools.call("bp_list", archived=True)
            _, gone = await tools.refused("swarm_run", blueprint="bp:ask", init_ctx={})
            _, unknown = await tools.refused("swarm_status", run_id="RUN-0000000000000000")
            _, guessed = await tools.refused("mse_worker_prompt", handle=f"wh-{'0' * 32}")

        assert not wrong["ok"]
        assert [("person", "fake")] == [(agent["agent"], agent["kind"]) for agent in explained["agents"]]
        assert "invalid_blueprint" == no_set
        assert ("to begin with", "ada") == (first["rationale"], first["author"])
        assert ([2, 3], 3) == ([event["seq"] for event in events["events"]], events["next"])
        assert (1, 2, True) == (first["number"], second["number"], second["added"])
        assert "Should we" in diff["diff"]
        assert [("ask", False)] == [(entry["blueprint_id"], entry["archived"]) for entry in listed["blueprints"]]
        assert [("ask", True)] == [(entry["blueprint_id"], entry["archived"]) for entry in archived["blueprints"]]
        assert (first["version"], second["version"], 2) == tuple(asked[name] for name in _VERSIONS)
        assert asked["run_id"] in [run["id"] for run in told["runs"]]
        assert "waiting" == again["status"]
        assert ("answer_invalid", "blueprint_archived", "run_not_found") == (unfit, gone, unknown)
        assert guessed in ("token_not_found", "unauthenticated", "access_denied")

    async def test_the_session_of_an_operator_outlives_a_run_and_its_role_can_be_taken(self, server, project, opened):
        where = {"url": server["url"], "token_file": server["token_file"]}
        async with opened(project, **where) as tools, opened(project, **where) as others:
            mine = (await tools.call("mse_operator_join", roles=["desk"]))["sid"]
            _, conflict = await others.refused("mse_operator_join", roles=["desk"])
            theirs = await others.call("mse_operator_join", roles=["desk"], take=True)
            told = await tools.call("mse_pending_wait", sid=mine, timeout_ms=100)

        assert "roles_conflict" == conflict
        assert ["desk"] == theirs["roles"]
        assert told["message"] is None or told["message"]["type"] == "released"


_VERSIONS = ("bound_version", "head", "history_len")


@pytest.fixture
def tools_of():
    """Return the tools that a client calls."""
    from types import SimpleNamespace

    def make(client):
        async def call(name, **arguments):
            done = await client.call_tool(name, arguments)
            assert not done.is_error, done.content[0].text
            return done.structured_content

        return SimpleNamespace(client=client, call=call)

    return make


class TestStdio:
    @staticmethod
    async def ask(program, number, method, **params):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        program.stdin.write(json.dumps(message).encode() + b"\n")
        await program.stdin.drain()

    @staticmethod
    async def answer(program, number):
        """Return the answer to a request; whatever else comes must be the protocol's too."""
        while line := await program.stdout.readline():
            message = json.loads(line)
            assert "2.0" == message["jsonrpc"]
            if message.get("id") == number:
                return message["result"]
        raise AssertionError((await program.stderr.read()).decode())

    async def begin(self, program):
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        await self.ask(program, 1, "initialize", **about)
        await self.answer(program, 1)
        program.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')

    @pytest.mark.needs("lua")
    async def test_p30_what_plugins_functions_and_lua_print_is_not_on_stdout(self, started, project):
        """Everything on stdout is the protocol's: a function, a Lua worker and a program of a worker print."""
        async with started("mcp") as program:
            await self.begin(program)
            await self.ask(program, 2, "tools/call", name="swarm_run", arguments={"blueprint": LOUD})
            told = await self.answer(program, 2)
            program.stdin.close()
            rest = await program.stdout.read()
            errors = (await program.stderr.read()).decode()
            code = await program.wait()

        assert {"one": "HELLO", "two": "LUA"} == told["structuredContent"]["final_ctx"]
        assert (b"", 0) == (rest, code)
        assert "so does this" in errors

    async def test_a_signal_interrupts_runs_so_that_they_can_be_resumed(self, started, project, eventually, opened):
        async with started("mcp") as program:
            await self.begin(program)
            await self.ask(program, 2, "tools/call", name="swarm_run", arguments={"blueprint": SLOW})
            await eventually((project / "started").exists)
            program.send_signal(signal.SIGTERM)
            code = await program.wait()
        (project / "go").touch()
        async with opened(project) as tools:
            (run,) = (await tools.call("swarm_runs"))["runs"]
            end = await tools.call("swarm_resume", run_id=run["id"], timeout_secs=20)

        assert (0, "interrupted", "done") == (code, run["status"], end["status"])

    async def test_what_is_no_message_ends_nothing(self, started):
        async with started("mcp") as program:
            await self.begin(program)
            program.stdin.write(b"hello\n\xff\xfe\n{}\n[1]\n" + b"x" * 100_000 + b"\n")
            await self.ask(program, 2, "tools/list")

            assert (await self.answer(program, 2))["tools"]

    async def test_a_message_that_is_too_long_ends_the_conversation(self, started):
        async with started("mcp") as program:
            await self.begin(program)
            with contextlib.suppress(ConnectionError):
                for _ in range(17):
                    program.stdin.write(b"x" * 2**20)
                    await program.stdin.drain()

            assert 0 == await program.wait()
            assert b"more than 16777216 bytes" in await program.stderr.read()

    async def test_settings_that_cannot_be_are_told_at_the_start(self, started, project):
        (project / "swarm.toml").write_text("[engine]\nmax_lans = 3\n")
        async with started("mcp") as program:
            errors = (await program.stderr.read()).decode()

            assert 3 == await program.wait()
        assert "max_lans" in errors

    async def test_a_store_that_cannot_be_used_is_told_by_the_tools(self, opened, project):
        (project / "broken.db").write_bytes(b"this is no database" * 100)
        async with opened(project, store=f"sqlite:///{project}/broken.db") as tools:
            _, code = await tools.refused("swarm_runs")
            resources = (await tools.client.list_resources()).resources

        assert "store_unreadable" == code
        assert resources

    async def test_nothing_is_made_before_a_tool_needs_it(self, opened, project):
        async with opened(project) as tools:
            await tools.client.list_tools()

            assert not (project / ".swarm").exists()


class TestHttp:
    async def test_p28_only_the_token_and_the_servers_own_names_are_let_in(self, started):
        async with started("mcp", "--http", "--port", 0, "--json") as program, over_http(program) as (_, told, token):
            right = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
            port = httpx2.URL(told["url"]).port

            async def status(**headers):
                given = {name.replace("_", "-"): value for name, value in headers.items()}
                async with httpx2.AsyncClient() as http:
                    return (await http.post(told["url"], json=body, headers=given)).status_code

            good = {**right, "MCP_Protocol_Version": "2025-06-18"}
            refused = {
                "no token": await status(Accept=right["Accept"]),
                "wrong token": await status(**{**right, "Authorization": f"Bearer {token[:-1]}"}),
                "other scheme": await status(**{**right, "Authorization": f"Basic {token}"}),
                "foreign host": await status(**right, Host="evil.example"),
                "host with another port": await status(**right, Host="127.0.0.1:1"),
                "foreign origin": await status(**right, Origin="http://localhost.evil.com"),
                "null origin": await status(**right, Origin="null"),
            }
            let_in = await status(**good, Origin=f"http://127.0.0.1:{port}")
            in_query = httpx2.post(f"{told['url']}?token={token}", json=body, headers={"Accept": right["Accept"]})

        wanted = dict.fromkeys(("no token", "wrong token", "other scheme"), 401)
        wanted |= dict.fromkeys(("foreign host", "host with another port"), 421)
        assert wanted | dict.fromkeys(("foreign origin", "null origin"), 403) == refused
        assert let_in not in (401, 403, 421)
        assert 401 == in_query.status_code

    async def test_the_token_is_its_owners_alone_and_a_signal_interrupts_runs(
        self, started, project, eventually, opened
    ):
        async with (
            started("mcp", "--http", "--port", 0, "--json") as program,
            over_http(program) as (client, told, token),
        ):
            mode = stat.S_IMODE(Path(told["token_file"]).stat().st_mode)
            await client.call_tool("swarm_run", {"blueprint": SLOW, "detach": True})
            await eventually((project / "started").exists)
            program.send_signal(signal.SIGTERM)
            out, err = await program.communicate()
        async with opened(project) as tools:
            (run,) = (await tools.call("swarm_runs"))["runs"]

        assert (0o600, 0, "interrupted") == (mode, program.returncode, run["status"])
        assert token not in (out + err).decode()

    async def test_a_token_that_others_can_read_is_refused(self, started, project):
        file = project / "token"
        file.write_text("x" * 40)
        file.chmod(0o644)
        async with started("mcp", "--http", "--port", 0, "--token-file", file) as program:
            errors = (await program.stderr.read()).decode()

            assert 3 == await program.wait()
        assert "chmod 600" in errors


class TestCommand:
    @pytest.fixture
    def mcp(self, project, line_of):
        """Run `swarm mcp ARGS` in this process, where it serves nobody."""
        return lambda *args, **about: CliRunner().invoke(command, args, obj=line_of(project, **about))

    async def test_the_skill_names_only_tools_that_exist(self, mcp):
        text = mcp("--skill").output

        named = {word.strip("`.,:;()") for word in text.split()}
        assert text.startswith("---\nname: swarm\n")
        assert {"swarm_run", "mse_pending_wait"} <= named
        assert not {word for word in named if word.startswith(("swarm_", "bp_", "mse_")) and word not in TOOLS}

    @pytest.mark.parametrize(
        ("args", "server", "chosen"),
        [
            ((), None, []),
            (("--embedded",), None, ["--embedded"]),
            (("--server", "http://127.0.0.1:1"), None, ["--server", "http://127.0.0.1:1"]),
            ((), "http://127.0.0.1:2", ["--server", "http://127.0.0.1:2"]),
        ],
    )
    async def test_the_configuration_starts_the_server(self, mcp, args, server, chosen):
        """A server that stands before the command is the same as one that stands after it."""
        entry = json.loads(mcp("--config", *args, server=server).output)["mcpServers"]["swarm"]

        assert (sys.executable, ["-m", "swarm_core", "mcp", *chosen]) == (entry["command"], entry["args"])

    @pytest.mark.parametrize(
        ("args", "server"),
        [(("--embedded", "--server", "http://127.0.0.1:1"), None), (("--embedded",), "http://127.0.0.1:1")],
    )
    async def test_two_places_are_one_too_many(self, mcp, args, server):
        ended = mcp(*args, server=server)

        assert 2 == ended.exit_code
        assert "--embedded" in ended.output

    @pytest.mark.needs("client")
    async def test_a_server_that_is_not_there_is_told_by_the_tools(self, opened, project):
        async with opened(project, url="http://127.0.0.1:9") as tools:
            async with asyncio.timeout(60):
                text, code = await tools.refused("swarm_runs")

        assert "server_unreachable" == code
        assert "127.0.0.1:9" in text
