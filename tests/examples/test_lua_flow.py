"""The Blueprint in Lua with agents in Markdown does what its README says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lua_flow"
BLUEPRINT = EXAMPLE / "release_notes.lua"


@pytest.fixture
def swarm(tmp_path):
    def call(*arguments):
        command = [sys.executable, "-m", "swarm_core", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    return call


def test_notes_are_written_until_the_reviewer_is_content(swarm):
    ended = json.loads(swarm("run", BLUEPRINT, "--quiet"))

    assert ("published", 2, "PASS") == (ended["outcome"], ended["round"], ended["verdict"])
    assert "Repaired: teapot drips; New: a larger cup" == ended["notes"]
    assert ["fulfilled", "fulfilled", "rejected"] == [lane["status"] for lane in ended["lanes"]]


def test_the_layer_cuts_each_answer_to_one_line(swarm):
    lanes = json.loads(swarm("run", BLUEPRINT, "--quiet"))["lanes"]

    assert ["Repaired: teapot drips", "New: a larger cup"] == [lane["value"]["line"] for lane in lanes[:2]]


def test_a_gate_ends_the_flow_before_anyone_is_asked(swarm):
    ended = json.loads(swarm("run", BLUEPRINT, "--quiet", "--set", "changes=[]"))

    assert {"changes": [], "outcome": "nothing to say"} == ended


def test_notes_that_stay_too_long_are_not_published(swarm):
    changes = json.dumps(["feat: " + "a very long description of it " * 4])

    ended = json.loads(swarm("run", BLUEPRINT, "--quiet", "--set", f"changes={changes}"))

    assert ("too long", 3) == (ended["outcome"], ended["round"])


def test_its_agents_come_from_files(swarm):
    agents = json.loads(swarm("explain", BLUEPRINT, "--json"))["agents"]

    assert [("describer", "lua"), ("reviewer", "lua"), ("writer", "lua")] == [
        (agent["agent"], agent["kind"]) for agent in agents
    ]
