"""The command line without a process of its own, and short ways to write flows."""

import json

import pytest
from attrs import frozen


@frozen
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def problems(self):
        """Without the note that there is no `audit` for the set `standard`: the core may stand alone here."""
        return [problem for problem in self.json["problems"] if problem["code"] != "layer_not_installed"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that commands run in; no settings of the machine reach it."""
    for name in ("SWARM_CONFIG", "SWARM_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(folder, capsys):
    """Run `swarm ARGS` in the folder and return its exit code, stdout and stderr."""
    from swarm_core.cli.group import cli
    from swarm_core.cli.outcome import run

    def call(*args):
        capsys.readouterr()
        code = run(cli, [str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def write(folder):
    """Write a file into the folder, data as JSON, and return its name."""

    def write(name, content):
        data = content if isinstance(content, bytes | str) else json.dumps(content)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return name

    return write


@frozen
class Flow:
    """Nodes and expressions by name."""

    @property
    def nothing(self):
        return {"kind": "seq", "children": []}

    @staticmethod
    def path(at):
        return {"op": "path", "at": at}

    @staticmethod
    def lit(value):
        return {"op": "lit", "value": value}

    @staticmethod
    def seq(*children):
        return {"kind": "seq", "children": list(children)}

    def let(self, at, value):
        return {"kind": "let", "at": at, "value": value}

    def step(self, ref, out="$.out", value=None):
        return {"kind": "step", "ref": ref, "in": self.lit(value), "out": self.path(out)}

    def loop(self, most, body, cond=True):
        return {"kind": "loop", "counter": self.path("$.n"), "cond": self.lit(cond), "body": body, "max": most}

    def fanout(self, items, body, *, join="all", out="$.lanes", bind="$.item"):
        return {"kind": "fanout", "items": items, "bind": self.path(bind), "body": body, "join": join,
                "out": self.path(out)}  # fmt: skip

    def attempt(self, body, catch=None):
        return {"kind": "try", "body": body, "catch": catch or self.nothing, "err_at": self.path("$.why")}

    @staticmethod
    def blueprint(flow, *agents, **fields):
        """Return a Blueprint whose agents are functions of their own names."""
        named = [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in agents]
        return {"id": "test", "flow": flow, "agents": named, **fields}


@pytest.fixture
def flow():
    return Flow()


@pytest.fixture
def run_flow(flow):
    """Run a flow to its end; the named functions are its agents, those in `pure` can be called by its expressions."""
    from swarm_core import run
    from swarm_core.factories import Function

    def call(node, ctx=None, *, pure=None, **functions):
        known = {name: Function(name, made, pure=True) for name, made in (pure or {}).items()}
        blueprint = flow.blueprint(node, *functions)
        return run(blueprint, init_ctx=ctx, functions={**functions, **known}, plugins=())

    return call
