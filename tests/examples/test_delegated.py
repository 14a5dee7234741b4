"""The example `delegated` does what its README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLUEPRINT = Path(__file__).resolve().parents[2] / "examples" / "delegated" / "delegated.yaml"


@pytest.fixture
def swarm(tmp_path):
    def run(*args):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        command = [sys.executable, "-m", "swarm_core", *map(str, args)]
        return subprocess.run(
            command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120, check=False
        )

    return run


class TestDelegated:
    def next_key(self, swarm, seat):
        found = swarm("operate", "--next", "--json", "--seat", seat)
        assert 0 == found.returncode, found.stderr
        return json.loads(found.stdout)

    def test_two_seats_are_worked_at_one_after_the_other(self, swarm):
        begun = swarm("run", BLUEPRINT)
        edit = self.next_key(swarm, "editors_desk")
        edited = swarm("operate", "--answer", edit["key"], "Teapot 2 does not drip!", "--as", "ada", "--resume")
        decide = self.next_key(swarm, "front_office")
        done = swarm("operate", "--answer", decide["key"], "yes", "--as", "bob", "--resume")

        assert (7, 7, 0) == (begun.returncode, edited.returncode, done.returncode), done.stderr
        assert "announcement of Teapot 2 friendly and short. Say that it no longer drips." in edit["system"]
        ended = json.loads(done.stdout)
        assert ("Teapot 2 does not drip!", "yes") == (ended["text"], ended["decision"])

    def test_a_refusal_fails_the_step(self, swarm):
        swarm("run", BLUEPRINT)
        edit = self.next_key(swarm, "editors_desk")

        refused = swarm("operate", "--answer", edit["key"], "too dull", "--not-ok", "--resume")

        assert (1, True) == (refused.returncode, 'blocked: "too dull"' in refused.stderr)

    def test_a_stand_in_takes_the_work_of_all_agents(self, swarm):
        done = swarm("run", BLUEPRINT, "--operator", "stand_in", "--quiet")

        assert 0 == done.returncode, done.stderr
        ended = json.loads(done.stdout)
        assert ("a draft", "edited: a draft", "yes") == (ended["draft"], ended["text"], ended["decision"])
