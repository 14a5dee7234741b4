"""A served swarm on a real socket: in the test's own event loop, or as a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import websockets
from attrs import define, field, frozen
from swarm_plugin_server.access import ServerToken
from swarm_plugin_server.app import build_app
from swarm_plugin_server.listening import bind, listening_at, url_of
from swarm_plugin_server.settings import ServerSettings
from swarm_plugin_server.state import Serving

from swarm_core import Swarm
from swarm_core.attachments import Attachments
from swarm_core.contracts import Operator
from swarm_core.model.call import Result

PATIENCE = 30
PLAIN = {"verify": False, "trust_env": False}  # reading the system's certificates takes longer than most tests


def client_of(url, headers):
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, **PLAIN)


@frozen
class Served:
    """A server in this event loop: `http` brings its token, `client(token)` another one, or none."""

    base_url: str
    token: str
    swarm: Swarm
    serving: Serving
    http: httpx2.AsyncClient

    @property
    def port(self):
        return int(self.base_url.rpartition(":")[2])

    def client(self, token=None):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return client_of(self.base_url, headers)


@pytest.fixture
async def serve(tmp_path):
    """Serve a swarm: `settings` are the server's, `core` the swarm's; further keywords go to `Swarm.open`.

    `auth=False` asks for no token.
    """
    async with AsyncExitStack() as stack:

        async def begin(*, auth=True, settings=None, core=None, store=None, **opening):
            store = store or f"sqlite:///{tmp_path}/swarm.db"
            swarm = await stack.enter_async_context(Swarm.open(core, store=store, **{"strict": False, **opening}))
            return await stack.enter_async_context(_served(swarm, settings or ServerSettings(port=0), auth=auth))

        yield begin


@asynccontextmanager
async def _served(swarm, settings, *, auth):
    token = ServerToken(secret="t" * 43) if auth else None
    sock = bind(settings)
    serving = Serving(settings=settings, base_url=url_of(sock, settings), token=token)
    serving.ready.set()
    headers = {"authorization": f"Bearer {token.secret}"} if token else {}
    async with (
        listening_at(sock, build_app(swarm, serving), settings),
        client_of(serving.base_url, headers) as http,
    ):
        yield Served(serving.base_url, token.secret if token else "", swarm, serving, http)
        serving.leaving.set()


@pytest.fixture
async def served(serve):
    """A server over a store file, with the plugins that are installed."""
    return await serve()


@define
class ServerProcess:
    """`swarm serve` as a process: `url` and `token` are known once it has said that it listens."""

    directory: Path
    arguments: tuple[str, ...]
    process: subprocess.Popen = None
    started: dict = None
    port: int = 0

    def start(self):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        command = [sys.executable, "-m", "swarm_core", "serve", "--json", "--port", str(self.port), *self.arguments]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env=clean, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(PATIENCE)
            pytest.fail(f"swarm serve did not start:\n{self.log}")
        self.started = json.loads(line)
        self.port = int(self.url.rpartition(":")[2])
        return self

    @property
    def url(self):
        return self.started["url"]

    @property
    def token(self):
        return Path(self.started["token_file"]).read_text().strip()

    @property
    def store(self):
        return self.started["store"]

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return (self.directory / "server.log").read_text()

    def client(self, **options):
        headers = {"authorization": f"Bearer {self.token}"} if self.started["token_file"] else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=PATIENCE, **PLAIN, **options)

    def send(self, number):
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self):
        """Wait for the end; return the exit code."""
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def terminate(self):
        """Send SIGTERM and wait; return the exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """Send SIGKILL and wait."""
        self.send(signal.SIGKILL)
        return self.wait()

    def restart(self):
        """Begin again at the same port, on the same store; the process has ended before."""
        return self.start()


@pytest.fixture
def server_process(tmp_path):
    """Start `swarm serve ARGS` in a folder; what still runs at the end is killed."""
    started = []

    def start(*arguments, directory=tmp_path):
        server = ServerProcess(directory, tuple(map(str, arguments)))
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
        if server.process is not None:
            server.wait()


@pytest.fixture
def eventually():
    """Wait until something is true, asked again and again for as long as PATIENCE."""

    async def until(what):
        async with asyncio.timeout(PATIENCE):
            while not (found := what()):
                await asyncio.sleep(0.01)
            return found

    return until


# operators ---------------------------------------------------------------------------------------------------


@define
class Seated:
    """An operator that has joined, at the other end of a WebSocket once it is connected."""

    base_url: str
    sid: str
    token: str
    socket: websockets.ClientConnection = None

    @property
    def ws_url(self):
        return f"{self.base_url.replace('http', 'ws', 1)}/v1/operators/{self.sid}/ws"

    async def connect(self, **options):
        headers = {"authorization": f"Bearer {self.token}"}
        self.socket = await websockets.connect(self.ws_url, additional_headers=headers, **options)
        return self

    async def next(self, type=None):
        """Return the next frame, which is of a type."""
        async with asyncio.timeout(PATIENCE):
            frame = json.loads(await self.socket.recv())
        assert type in (None, frame["type"]), frame
        return frame

    async def say(self, type, frame=None, **fields):
        """Send a frame, such as the reply to another one."""
        req_id = {} if frame is None else {"req_id": frame["req_id"]}
        await self.socket.send(json.dumps({"type": type, **req_id, **fields}))

    async def silent(self):
        """Tell whether nothing is on its way: a frame that is wrong is answered at once, after all that came before."""
        await self.socket.send("{}")
        return (await self.next())["type"] == "error"

    async def closed(self):
        """Wait until the server closes; return the code."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.socket.recv()
                except websockets.ConnectionClosed as error:
                    return error.rcvd.code

    async def leave(self):
        if self.socket is not None:
            await self.socket.close()


@pytest.fixture
async def join():
    """Let an operator join a server: `await join(served, "main-ai")`; it is not connected yet."""
    joined = []

    async def begin(served, *roles):
        headers = {"authorization": f"Bearer {served.token}"} if served.token else {}
        async with client_of(served.base_url, headers) as http:
            reply = await http.post("/v1/operators", json={"roles": list(roles)})
        assert reply.status_code == 200, reply.text
        joined.append(Seated(served.base_url, reply.json()["sid"], reply.json()["token"]))
        return joined[-1]

    yield begin
    for operator in joined:
        await operator.leave()


# workers outside ---------------------------------------------------------------------------------------------


@frozen(eq=False)
class Work:
    """One attempt that lies on a desk: its call, and its handle."""

    call: object
    handle: str
    over: asyncio.Event

    @property
    def task(self):
        return self.call.task_id

    @property
    def token(self):
        return self.call.context.token()

    def acknowledge(self):
        """Let the operator say that the work is done."""
        self.over.set()


@define(eq=False)
class Desk(Operator):
    """An operator that gives handles away and waits for the word that the work is done, as a main AI does."""

    work: asyncio.Queue = field(factory=asyncio.Queue)

    async def execute(self, call, system):
        piece = Work(call, call.context.handle(), asyncio.Event())
        await self.work.put(piece)
        await piece.over.wait()
        return Result("acknowledged")

    async def next(self):
        """Return the work that came next."""
        async with asyncio.timeout(PATIENCE):
            return await self.work.get()


@pytest.fixture
def desk():
    """Whoever sits at the seat `desk` in `outside`."""
    return Desk()


@pytest.fixture
async def outside(desk):
    """Launch agents that sit at the seat `desk`, one step after the other; what still runs at the end is cancelled."""
    async with AsyncExitStack() as stack:

        async def begin(served, *agents, ctx=None, **more):
            blueprint = {
                "id": "outside",
                "operators": [{"name": "desk"}],
                "agents": [{"name": name, "kind": "operator", "spec": {"operator_ref": "desk"}} for name in agents],
                "flow": {"kind": "seq", "children": [_step(name) for name in agents]},
                **more,
            }
            if "desk" not in served.swarm.services[Attachments].operators:  # who is attached again begins all anew
                served.swarm.attach_operator("desk", desk)
            run = await served.swarm.launch(blueprint, init_ctx={"topic": "tea", **(ctx or {})})
            stack.push_async_callback(_over, run)
            return run

        yield begin


def _step(ref):
    return {"kind": "step", "ref": ref, "in": {"op": "path", "at": "$.topic"}, "out": {"op": "path", "at": f"$.{ref}"}}


async def _over(run):
    run.request_cancel()
    await run.wait()


@pytest.fixture
def raw():
    """Send bytes to a port; return the answer, or what came before the other side closed."""

    async def exchange(port, data):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        received = b""
        async with asyncio.timeout(PATIENCE):
            while not _whole(received) and (piece := await reader.read(65_536)):
                received += piece
        writer.transport.abort()
        return received

    return exchange


def _whole(received):
    """Tell whether an answer is complete, by its Content-Length; interim answers do not count."""
    while received.startswith(b"HTTP/1.1 100"):
        received = received.partition(b"\r\n\r\n")[2]
    head, blank, body = received.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(blank) and len(body) >= (lengths[0] if lengths else 0)
