"""Packages of strangers, written from the documentation: installed by pip, tested, used as their READMEs say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROVIDES = {
    "layer": ("redact", ["layer redact"]),
    "store": ("folder", ["store output folder"]),
    "resolver": ("language", ["resolver language"]),
}

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the packages into a folder of their own; backend and core are those of this environment."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    packages = [EXAMPLES / f"third_party_{kind}" for kind in PROVIDES]
    subprocess.run([*command, "--no-build-isolation", "--target", folder, *packages], check=True, timeout=120)
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """Run a program of this Python where the packages are installed."""

    def run(module, *args, cwd=tmp_path):
        path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", module, *map(str, args)]
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.mark.parametrize("kind", PROVIDES)
def test_it_is_found_as_a_plugin(run, kind):
    name, provides = PROVIDES[kind]

    plugins = {
        plugin["name"]: plugin for plugin in json.loads(run("swarm_core", "plugins", "--json").stdout)["plugins"]
    }

    assert ("active", f"swarm-{name}", provides) == tuple(
        plugins[name][key] for key in ("state", "distribution", "provides")
    )


@pytest.mark.parametrize("kind", PROVIDES)
def test_its_own_tests_pass(run, kind):
    done = run("pytest", "-q", "-p", "no:cacheprovider", cwd=EXAMPLES / f"third_party_{kind}")

    assert 0 == done.returncode, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("layer", "text=card 1234-5678", {"echoed": "card [redacted]"}),
        ("resolver", "language=de", {"agent": "greeter.de"}),
        ("resolver", "language=fr", {"agent": "greeter"}),
    ],
)
def test_its_blueprint_runs_as_the_readme_says(run, kind, given, said):
    done = run("swarm_core", "run", EXAMPLES / f"third_party_{kind}" / "hello.yaml", "--set", given, "--quiet")

    answer = json.loads(done.stdout)["said"]
    assert (0, said) == (done.returncode, {key: answer[key] for key in said})


def test_the_settings_of_a_plugin_are_checked(run, tmp_path):
    (tmp_path / "swarm.toml").write_text('[plugin.language]\nkeyy = "lang"\n')

    done = run("swarm_core", "plugins", "doctor")

    assert 3 == done.returncode
    assert "keyy" in done.stderr
