"""The example in a folder of the test's own, and `swarm` in this process and as a program."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from swarm_core.cli import outcome
from swarm_core.cli.group import cli

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/self_improving"


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
def command(tmp_path):
    """Run `swarm ARGS` in the test's folder; `background` returns the process."""
    running = []

    def run(*args, stdin=None, background=False, folder=tmp_path):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm_core", *args],
            cwd=folder,
            env={**clean, "NO_COLOR": "1"},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        if background:
            return process
        out, err = process.communicate(stdin, timeout=60)
        return Ended(process.returncode, out, err)

    yield run
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def swarm(capsys, monkeypatch):
    """Run `swarm ARGS` in this process."""
    monkeypatch.setenv("NO_COLOR", "1")
    for name in [name for name in os.environ if name.startswith("SWARM_")]:
        monkeypatch.delenv(name)

    def run(*args, stdin=""):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = outcome.run(cli, args)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def kept_once(tmp_path_factory):
    """The example with its Blueprint kept, and its function as the agent that writes the patches."""
    folder = _copied(tmp_path_factory.mktemp("kept") / "example")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
    for words in (["bp", "add", "release.yaml"], ["enhance", "settings", "put", "--function", "improve"]):
        command = [sys.executable, "-m", "swarm_core", *words]
        subprocess.run(command, cwd=folder, env=clean, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def kept_example(kept_once, tmp_path, monkeypatch):
    """A copy of the example with what was kept, as its folder, in which the test stands."""
    folder = Path(shutil.copytree(kept_once, tmp_path / "example"))
    monkeypatch.chdir(folder)
    return folder


def _copied(folder):
    return Path(shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".swarm", "__pycache__")))
