"""Running `swarm` as its users do: as a program of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]


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
def cwd(tmp_path):
    return tmp_path


@pytest.fixture
def swarm(cwd):
    """Run `swarm ARGS` in a folder of its own and return its exit code, stdout and stderr."""

    def run(*args, stdin=None, env=None, timeout=60):
        command = [sys.executable, "-m", "swarm_core", *map(str, args)]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        done = subprocess.run(
            command,
            cwd=cwd,
            input=stdin,
            env={**clean, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def examples():
    return ROOT / "examples"


@pytest.fixture
def write(cwd):
    """Write a file below the command's folder and return its path."""

    def write(name, text):
        path = cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    return write
