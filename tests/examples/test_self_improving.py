"""The example of the enhance loop: what its README says is what happens."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("enhance")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENV = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SWARM_")},
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "NO_COLOR": "1",
}
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)


def run(command, cwd):
    done = subprocess.run(
        command, shell=True, cwd=cwd, env=ENV, capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, f"{command}: {done.stderr}"
    return done.stdout


def test_every_command_of_the_readme_does_what_the_readme_shows(tmp_path):
    hidden = shutil.ignore_patterns(".swarm", "__pycache__")
    shutil.copytree(EXAMPLES / "self_improving", tmp_path / "examples/self_improving", ignore=hidden)
    readme = (EXAMPLES / "self_improving/README.md").read_text()
    cwd = tmp_path

    for command, shown in COMMAND.findall(readme):
        if command.startswith("cd "):
            cwd = cwd / command.removeprefix("cd ")
        else:
            printed = run(command, cwd)
            assert not shown.strip() or shown == printed, command

    applied, rejected = json.loads(run("swarm enhance log --json", cwd))
    assert ("applied", "rejected") == (applied["status"], rejected["status"])
    assert "one failed test holds a build back" in applied["rationale"]
    assert "agent-ref: $.flow.children[1].then names agent 'express'" in rejected["reasons"][0]
    versions = json.loads(run("swarm bp log release --json", cwd))
    assert ["1.0.0", "1.1.0", "1.0.0"] == [version["label"] for version in versions]
    assert (applied["rationale"], f"enhance {applied['issue_id']}") == (versions[1]["rationale"], versions[1]["author"])
