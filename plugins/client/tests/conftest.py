"""A real server, and `swarm` as its users run it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from attrs import define, field

from swarm_core.testing import CommandEnded, Commands

PATIENCE = 60

SWARMFILE = '''
import os
import time

from swarm_core import function


@function
def double(number):
    return 2 * number


@function
def fail(number):
    raise ValueError("it is odd")


@function
def wait_for(path):
    """Wait until a file is there."""
    until = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.02)
    return "it is there"
'''

STEP = "{{kind: step, ref: {0}, in: {1}, out: {{op: path, at: $.{0}}}}}"
NUMBER = "{op: path, at: $.number}"

BLUEPRINTS = {
    "doubling.yaml": f"""
id: doubling
default_init_ctx: {{number: 4}}
agents: [{{name: doubled, kind: function, spec: {{fn_id: double}}}}]
flow: {STEP.format("doubled", NUMBER)}
""",
    "failing.yaml": f"""
id: failing
default_init_ctx: {{number: 3}}
agents:
  - {{name: doubled, kind: function, spec: {{fn_id: double}}}}
  - {{name: checked, kind: function, spec: {{fn_id: fail}}}}
flow:
  kind: seq
  children:
    - {STEP.format("doubled", NUMBER)}
    - {STEP.format("checked", NUMBER)}
""",
    "asking.yaml": f"""
id: asking
agents: [{{name: asked, kind: ask, spec: {{question: Go on?, schema: {{type: boolean}}}}}}]
flow: {STEP.format("asked", "{op: lit, value: null}")}
""",
    "waiting.yaml": f"""
id: waiting
agents:
  - {{name: waited, kind: function, spec: {{fn_id: wait_for}}}}
  - {{name: doubled, kind: function, spec: {{fn_id: double}}}}
flow:
  kind: seq
  children:
    - {STEP.format("waited", "{op: path, at: $.path}")}
    - {STEP.format("doubled", NUMBER)}
""",
    "wrong.yaml": f"""
id: wrong
agents: [{{name: doubled, kind: functoin, spec: {{fn_id: double}}}}]
flow: {STEP.format("tripled", NUMBER)}
""",
    "broken.yaml": "id: broken\nagents: [",
    "doubtful.yaml": f"""
id: doubtful
default_init_ctx: {{number: 4}}
agents:
  - {{name: doubled, kind: function, spec: {{fn_id: double}}}}
  - {{name: unused, kind: function, spec: {{fn_id: double}}}}
flow: {STEP.format("doubled", NUMBER)}
""",
}


_COMMANDS = Commands()


@pytest.fixture(scope="session", autouse=True)
def commands():
    yield
    _COMMANDS.close()


@define
class Folder:
    """A folder in which `swarm` is run; `before` stands before each command, `env` beside the usual variables."""

    path: Path
    before: tuple = ()
    env: dict = field(factory=dict)

    def command(self, *args):
        return [sys.executable, "-m", "swarm_core", *map(str, (*self.before, *args))]

    def environ(self, env=None):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        return {**clean, **self.env, **(env or {})}

    def swarm(self, *args, stdin=None, env=None):
        done = subprocess.run(
            self.command(*args),
            cwd=self.path,
            env=self.environ(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return CommandEnded(done.returncode, done.stdout, done.stderr)

    def say(self, *args):
        """Run `swarm ARGS` without waiting for Python to start and to load what it needs."""
        ended = _COMMANDS.run(*self.before, *args, cwd=self.path, env=self.env)
        assert "Traceback" not in ended.err, ended.err
        return ended

    def start(self, *args):
        return subprocess.Popen(
            self.command(*args),
            cwd=self.path,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def furnish(path, *, functions=True):
    """Write the Blueprints into a folder, and the functions that they name."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in BLUEPRINTS.items():
        (path / name).write_text(text)
    if functions:
        (path / "swarmfile.py").write_text(SWARMFILE)
    return path


@define
class Server:
    """`swarm serve` as a process on a store file; it begins again at the same address."""

    folder: Folder
    started: dict = None
    process: subprocess.Popen = None
    port: int = 0

    def start(self):
        arguments = ("serve", "--json", "--port", self.port)
        with (self.folder.path / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.folder.command(*arguments),
                cwd=self.folder.path,
                env=self.folder.environ(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(PATIENCE)
            pytest.fail(f"swarm serve did not start:\n{(self.folder.path / 'server.log').read_text()}")
        self.started = json.loads(line)
        self.port = int(self.url.rpartition(":")[2])
        return self

    @property
    def url(self):
        return self.started["url"]

    @property
    def token(self):
        return Path(self.started["token_file"]).read_text().strip()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None


def serving_folder(path):
    """Return a folder for a server that lets its runs go at once when it is told to end."""
    furnish(path)
    (path / "swarm.toml").write_text('[plugin.server]\ngrace = "0.1s"\n')
    return Folder(path)


@pytest.fixture(scope="session")
def served_here():
    """Skip where no server is installed that could be asked."""
    if find_spec("swarm_plugin_server") is None:
        pytest.skip("needs swarm-plugin-server")


@pytest.fixture(scope="module")
def server(served_here, tmp_path_factory):
    """A server that a module's tests share."""
    running = Server(serving_folder(tmp_path_factory.mktemp("server"))).start()
    yield running
    running.stop()


@pytest.fixture
def own_server(served_here, tmp_path):
    """A server that a test may kill."""
    running = Server(serving_folder(tmp_path / "server")).start()
    yield running
    if running.runs:
        running.stop(signal.SIGKILL)


@pytest.fixture
def away(tmp_path, server):
    """A folder whose commands ask the shared server; it has the Blueprints, not the functions."""
    return folder_of(tmp_path / "away", server)


def folder_of(path, server):
    return Folder(furnish(path, functions=False), ("--server", server.url), {"SWARM_SERVER_TOKEN": server.token})


@pytest.fixture
def folder_at():
    return folder_of


@pytest.fixture
def here(tmp_path):
    """A folder whose commands run what they run themselves."""
    return Folder(furnish(tmp_path / "here"))


@pytest.fixture(scope="module")
def shared_here(tmp_path_factory):
    """A folder as `here`, which a module's tests share."""
    return Folder(furnish(tmp_path_factory.mktemp("here")))


@pytest.fixture
def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


_VARYING = (
    (r"\bRUN-[0-9a-f]+", "RUN-1"),
    (r"\bR-[0-9a-zA-Z]+", "R-1"),
    (r"\bT-[0-9a-f]+", "T-1"),
    (r"\bS-[0-9a-f]+", "S-1"),
    (r"\b[0-9a-f]{32,}\b", "HEX"),
    (r" --server \S+", ""),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "THEN"),
    (r"\b\d+(\.\d+)? s\b( ago)?", "SOME s"),
    (r"process \d+ on \S+", "PROCESS"),
    (r'"elapsed": [\d.e-]+', '"elapsed": SOME'),
    (r" +", " "),
)
_VARYING_KEYS = {
    "created_at",
    "updated_at",
    "ended_at",
    "began_at",
    "asked_at",
    "answered_at",
    "time",
    "seconds",
    "directory",
}
_VARYING_KEYS |= {"elapsed", "owner", "plugins", "epoch", "host", "pid", "fingerprint", "session_id", "operator_id"}


def even(text, *folders):
    """Return text without what differs from one run to the next."""
    for folder in folders:
        text = text.replace(str(folder), "FOLDER")
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text


def even_json(value):
    """Return JSON without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: even_json(item) for key, item in value.items() if key not in _VARYING_KEYS}
    if isinstance(value, list):
        return [even_json(item) for item in value]
    return even(value) if isinstance(value, str) else value


@pytest.fixture
def evened():
    return even


@pytest.fixture
def evened_json():
    return even_json
