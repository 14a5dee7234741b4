"""A stranger's package, installed by pip and used as its README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "examples" / "third_party_spawner"

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the package into a folder of its own; backend and core are those of this environment."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "--target", folder, PACKAGE], check=True, timeout=120)
    return folder


@pytest.fixture
def swarm(installed, tmp_path):
    def run(*args):
        path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "swarm_core", *map(str, args)]
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_it_is_found_as_a_plugin(swarm):
    plugins = {plugin["name"]: plugin for plugin in json.loads(swarm("plugins", "--json").stdout)["plugins"]}

    assert ("active", "swarm-shout", "0.1.0") == tuple(
        plugins["shout"][key] for key in ("state", "distribution", "version")
    )
    assert ["spawner shout"] == plugins["shout"]["provides"]


def test_its_blueprint_runs_as_the_readme_says(swarm):
    done = swarm("run", PACKAGE / "hello.yaml", "--set", "text=hello", "--quiet")

    assert (0, {"text": "hello", "shouted": "HELLO!!!"}) == (done.returncode, json.loads(done.stdout))


def test_its_spec_is_checked_with_the_place_in_the_file(swarm, tmp_path):
    wrong = (PACKAGE / "hello.yaml").read_text().replace("marks: 3", "marks: many")
    (tmp_path / "wrong.yaml").write_text(wrong)

    done = swarm("check", "wrong.yaml", "--json")

    (problem,) = json.loads(done.stdout)["problems"]
    assert (3, "$.agents[0].spec.marks", 3) == (done.returncode, problem["path"], problem["line"])


def test_the_whole_package_is_under_forty_lines_of_python():
    assert 40 > len((PACKAGE / "swarm_shout.py").read_text().splitlines())
