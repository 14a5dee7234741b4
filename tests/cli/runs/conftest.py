"""A flow of three steps whose second one waits until it is let go, and runs of it in processes of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import define, frozen

WORKERS = """
import asyncio, pathlib
from swarm_core import function

def note(name):
    with open("ledger", "a") as ledger:
        ledger.write(name + "\\n")

@function
def quick(name):
    note(name)
    return name.upper()

@function
async def slow(name):
    note(name)
    while not pathlib.Path("go").exists():
        await asyncio.sleep(0.01)
    return name.upper()

@function
def picky(name):
    note(name)
    if not pathlib.Path("good").exists():
        raise ValueError("not good")
    return name.upper()
"""


def step(ref, out=None):
    return {
        "kind": "step",
        "ref": ref,
        "in": {"op": "lit", "value": ref},
        "out": {"op": "path", "at": f"$.{out or ref}"},
    }


def blueprint(id="three", **functions):
    """Return a Blueprint of one step after the other, each a function."""
    agents = [{"name": name, "kind": "function", "spec": {"fn_id": fn}} for name, fn in functions.items()]
    return {"id": id, "flow": {"kind": "seq", "children": [step(name) for name in functions]}, "agents": agents}


@pytest.fixture
def steps(write):
    """Write a Blueprint of such steps, by default three of which the second one waits; return its file."""
    write("swarmfile.py", WORKERS)

    def made(name="three.json", **functions):
        functions = functions or {"one": "quick", "two": "slow", "three": "quick"}
        return write(name, blueprint(name.removesuffix(".json"), **functions))

    return made


@pytest.fixture
def ledger(cwd):
    """Return what the workers have noted, in order."""

    def read():
        path = cwd / "ledger"
        return path.read_text().split() if path.exists() else []

    return read


@frozen
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def here(cwd, monkeypatch, capfd):
    """Run `swarm ARGS` in the folder, within this process: for commands that start nothing."""
    from swarm_core.cli.group import cli
    from swarm_core.cli.outcome import run

    monkeypatch.chdir(cwd)
    for name in [name for name in os.environ if name.startswith("SWARM_")]:
        monkeypatch.delenv(name)

    def call(*args):
        capfd.readouterr()
        code = run(cli, [str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert "Traceback" not in err, err
        return Ended(code, out, err)

    return call


@define
class Begun:
    """A command that goes on in a process of its own; what it prints goes into files."""

    process: subprocess.Popen
    files: tuple[Path, Path]
    run_id: str | None = None

    @property
    def out(self):
        return self.files[0].read_text()

    @property
    def err(self):
        return self.files[1].read_text()

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def end(self, number=None):
        """Wait for the end, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        assert "Traceback" not in self.err, self.err
        return Ended(code, self.out, self.err)


@pytest.fixture
def begin(cwd, tmp_path_factory):
    """Begin `swarm ARGS` in a process of its own."""
    begun = []

    def start(*args):
        command = [sys.executable, "-m", "swarm_core", *map(str, args)]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        folder = tmp_path_factory.mktemp("said")
        files = (folder / "out", folder / "err")
        with files[0].open("w") as out, files[1].open("w") as err:
            process = subprocess.Popen(command, cwd=cwd, env=clean, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        begun.append(Begun(process, files))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def wait_for():
    def wait(condition, seconds=30):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def under_way(steps, begin, ledger, wait_for, here):
    """Begin a run and return it when its second step works."""

    def start(*args):
        before = ledger().count("two")
        begun = begin("run", steps(), *args)

        def works():
            assert begun.process.poll() is None, begun.err
            return ledger().count("two") > before

        wait_for(works)
        (run,) = here("runs", "--limit", "1", "--json").json
        begun.run_id = run["id"]
        # its beginning is on record a moment later
        wait_for(lambda: "two" in here("show", begun.run_id, "--events").out)
        return begun

    return start


@pytest.fixture
def killed(under_way, ledger, cwd):
    """Kill a run in its second step, let that one go from now on, and return the run's id."""

    def kill():
        begun = under_way()
        begun.kill()
        (cwd / "go").touch()
        return begun.run_id

    return kill
