"""Running `swarm` as its users do: as a program of its own."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cwd(tmp_path):
    return tmp_path


@pytest.fixture
def swarm(swarm_command):
    """Run `swarm ARGS` in a folder of its own and return its exit code, stdout and stderr."""
    return swarm_command


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
