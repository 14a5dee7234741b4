"""A project, the tools on it in this process, and `swarm mcp` as a program of its own."""

import asyncio
import contextlib
import json
import os
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec

import pytest
from attrs import frozen
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from swarm_plugin_mcp.home import open_home
from swarm_plugin_mcp.places import embedded, remote
from swarm_plugin_mcp.protocol import make_server

from swarm_core import Swarm
from swarm_core.settings import load_settings, store_url


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(plugin, ...): runs only where these bundled plugins are installed")


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        for plugin in mark.args:
            if find_spec(f"swarm_plugin_{plugin}") is None:
                pytest.skip(f"needs swarm-plugin-{plugin.replace('_', '-')}")


SWARMFILE = """
import asyncio
from pathlib import Path

from swarm_core import function

HERE = Path(__file__).parent


@function
async def until_told(text):
    (HERE / "started").touch()
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    print("this goes to stderr")
    return text


@function
def shout(text):
    print("so does this")
    return text.upper()
"""


@pytest.fixture
def project(tmp_path):
    """A folder with functions: `until_told` works until there is a file `go`."""
    (tmp_path / "swarm.toml").write_text("")
    (tmp_path / "swarmfile.py").write_text(SWARMFILE)
    return tmp_path


@frozen(eq=False)
class Tools:
    """The tools as a client calls them."""

    client: Client

    async def call(self, name, **arguments):
        """Return what a tool tells; its failure fails the test."""
        done = await self.client.call_tool(name, arguments)
        assert not done.is_error, done.content[0].text
        assert json.loads(done.content[0].text) == done.structured_content
        return done.structured_content

    async def refused(self, name, **arguments):
        """Return the text and the code of a tool's refusal."""
        done = await self.client.call_tool(name, arguments)
        assert done.is_error, done.structured_content
        return done.content[0].text, done.structured_content["code"]


@frozen
class Line:
    """What the tools use of the command line."""

    project: object
    server: str | None = None

    def settings(self):
        return load_settings(file=self.project / "swarm.toml", environ={})

    def open_swarm(self, *, store=None, **opening):
        settings = self.settings()
        return Swarm.open(settings, store=store_url(settings, store), **opening)

    def user(self):
        return "tester"


@pytest.fixture
def line_of():
    """Make a command line in a project, with the server that stands before the command."""
    return Line


@asynccontextmanager
async def tools_on(project, *, store=None, url=None, token_file=None):
    line = Line(project)
    place = embedded(line, store) if url is None else remote(line, url, token_file=token_file)
    async with open_home(line, store, place) as home, Client(make_server(home)) as client:
        yield Tools(client)


@pytest.fixture
def opened():
    """Open the tools on a project: on a swarm in this process, or on the server at `url`."""
    return tools_on


@pytest.fixture
async def tools(project):
    """The tools on the project.

    They are opened in a task of their own, as pytest ends fixtures in another task than it began them in.
    """
    ready, ending = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def hold():
        async with tools_on(project) as found:
            ready.set_result(found)
            await ending.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait((ready, holding), return_when=asyncio.FIRST_COMPLETED)
    if holding.done():
        holding.result()
    yield ready.result()
    ending.set()
    await holding


@pytest.fixture
def clean():
    """The environment without what speaks of another swarm."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}


@pytest.fixture
def over_stdio(project, clean):
    """Run `swarm mcp` in the project, and talk to it with the official client."""

    @asynccontextmanager
    async def begin(*args):
        command = ["-m", "swarm_core", "mcp", *map(str, args)]
        async with Client(
            StdioServerParameters(command=sys.executable, args=command, cwd=project, env=clean)
        ) as client:
            yield Tools(client)

    return begin


@pytest.fixture
def started(project, clean):
    """Start `swarm ARGS` in the project as a program whose streams are pipes; it is ended with the test."""

    @asynccontextmanager
    async def begin(*args):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "swarm_core", *map(str, args), cwd=project, env=clean, limit=2**24, **pipes
        )
        try:
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            await program.communicate()

    return begin


@pytest.fixture
def eventually():
    """Wait until something is true."""

    async def wait(is_true):
        async with asyncio.timeout(20):
            while not is_true():
                await asyncio.sleep(0.01)

    return wait


LOOP = """
id: verdict-loop
default_init_ctx: {task: add a cache, verdict: BLOCKED}
flow:
  kind: seq
  children:
    - {kind: step, ref: scout, in: {op: path, at: $.task}, out: {op: path, at: $.scouted}}
    - {kind: step, ref: plan, in: {op: path, at: $.scouted}, out: {op: path, at: $.plan}}
    - kind: loop
      counter: {op: path, at: $.n}
      cond: {op: eq, lhs: {op: path, at: $.verdict}, rhs: {op: lit, value: BLOCKED}}
      max: 3
      body:
        kind: seq
        children:
          - {kind: step, ref: resolver, in: {op: path, at: $}, out: {op: path, at: $.resolved}}
          - {kind: step, ref: gate, in: {op: path, at: $.resolved}, out: {op: path, at: $.verdict}}
    - kind: branch
      cond: {op: eq, lhs: {op: path, at: $.verdict}, rhs: {op: lit, value: PASS}}
      then: {kind: step, ref: commit, in: {op: path, at: $}, out: {op: path, at: $.result}}
      else: {kind: step, ref: escalate, in: {op: path, at: $}, out: {op: path, at: $.result}}
operators: [{name: main-ai}]
agents:
"""


@pytest.fixture
def sample_02():
    """Sample 02 as the original has it: all its agents are an operator's."""
    agents = ("scout", "plan", "resolver", "gate", "commit", "escalate")
    lines = [f"  - {{name: {name}, kind: operator, spec: {{operator_ref: main-ai}}}}\n" for name in agents]
    return LOOP + "".join(lines)


ANSWERS = {
    "scout": [{"files": ["cache.py"]}],
    "plan": [{"steps": ["write", "test"]}],
    "resolver": ["first try", "second try"],
    "gate": ["BLOCKED", "PASS"],
    "commit": [{"committed": True}],
}


@pytest.fixture
def drive():
    """Sit at a seat, doing the work of sample 02 as a main AI with sub-agents does, until no more comes."""

    async def work(tools, sid, run_id):
        left, done = {name: list(answers) for name, answers in ANSWERS.items()}, []
        while True:
            told = await tools.call("mse_pending_wait", sid=sid, timeout_ms=5000)
            message = told["message"]
            assert message is not None and message["type"] == "spawn", told
            work = await tools.call("mse_worker_prompt", handle=message["worker_handle"], task_id=message["task_id"])
            assert work["agent"] == message["agent"]
            value = left[message["agent"]].pop(0)
            await tools.call("mse_worker_submit", handle=message["worker_handle"], value=value)
            await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack")
            done.append(message["agent"])
            if message["agent"] in ("commit", "escalate"):
                break
        return done, await tools.call("swarm_watch", run_id=run_id, timeout_secs=20)

    return work
