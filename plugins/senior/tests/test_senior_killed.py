"""The command line, killed while a senior is being asked: the worker has done its work once, and the answer counts."""

import json
import subprocess
import sys
import time

import pytest

SWARM = (sys.executable, "-m", "swarm_core")

BLUEPRINT = {
    "id": "stuck",
    "spawner_hints": {"layers": [{"senior_escalation": {"seniors": ["function:policy", "ask"]}}]},
    "flow": {
        "kind": "step",
        "ref": "worker",
        "in": {"op": "lit", "value": "shelf 7"},
        "out": {"op": "path", "at": "$.out"},
    },
    "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "work"}}],
}
FUNCTIONS = """
from swarm_core import Result, function

@function
def work(given):
    with open("worked.txt", "a") as file:
        file.write("once\\n")
    return Result(f"which one of {given}?", ok=False)

@function
def policy(question):
    return None
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stuck.json").write_text(json.dumps(BLUEPRINT))
    (tmp_path / "swarmfile.py").write_text(FUNCTIONS)
    return tmp_path


def swarm(folder, *args):
    return subprocess.run([*SWARM, *args], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def questions(folder):
    """Return the open questions, once there are some."""
    for _ in range(100):
        asked = swarm(folder, "questions", "--json")
        if asked.returncode == 0 and (found := json.loads(asked.stdout)):
            return found
        time.sleep(0.1)  # another process is being waited for
    raise AssertionError("nobody was asked")


def test_a_run_that_was_killed_goes_on_with_the_question_and_not_with_the_worker(folder):
    running = subprocess.Popen([*SWARM, "run", "stuck.json", "--wait", "--quiet"], cwd=folder)
    try:
        (question,) = questions(folder)
    finally:
        running.kill()
        running.wait()
    answered = swarm(folder, "answer", question["key"], "the left one")
    resumed = swarm(folder, "resume", question["run_id"], "--quiet")

    assert (0, 0) == (answered.returncode, resumed.returncode), (answered.stderr, resumed.stderr)
    said = {"original": "which one of shelf 7?", "senior_answer": "the left one"}
    assert {"out": said} == json.loads(resumed.stdout)
    assert "once\n" == (folder / "worked.txt").read_text()
