"""The example of an AI's command line, with its stand-in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cli_agents"


def run(*args, path, cwd):
    command = [sys.executable, "-m", "swarm_core", "run", str(EXAMPLE / "review.yaml"), "--quiet", *args]
    environment = {**os.environ, "PATH": str(path)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def path():
    """The stand-in, and the interpreter that its first line asks for."""
    return os.pathsep.join([str(EXAMPLE / "stand_in"), str(Path(sys.executable).parent), "/usr/bin", "/bin"])


@pytest.mark.parametrize(("change", "verdict"), [("return 1", "PASS"), ("eval(input())", "BLOCKED")])
def test_the_answer_of_the_program_decides(tmp_path, path, change, verdict):
    done = run("--set", f"change={change}", path=path, cwd=tmp_path)

    ended = json.loads(done.stdout)
    assert (ended["review"]["verdict"], ended["merged"]) == (verdict, verdict == "PASS")


def test_without_the_program_it_is_told_how_to_get_it(tmp_path):
    done = run(path=tmp_path, cwd=tmp_path)

    assert done.returncode == 1
    assert "cannot start 'claude'" in done.stderr
    assert "npm install -g @anthropic-ai/claude-code" in done.stderr
