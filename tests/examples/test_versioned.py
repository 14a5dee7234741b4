"""The example of versions: what its README says is what happens."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENV = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
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
    shutil.copytree(EXAMPLES / "versioned", tmp_path / "examples/versioned", ignore=shutil.ignore_patterns(".swarm"))
    readme = (EXAMPLES / "versioned/README.md").read_text()
    cwd = tmp_path

    for command, shown in COMMAND.findall(readme):
        if command.startswith("cd "):
            cwd = cwd / command.removeprefix("cd ")
        else:
            printed = run(command, cwd)
            assert not shown.strip() or shown == printed, command

    said = run("swarm bp log discount --json", cwd)
    assert [3, 2, 1] == [int(number) for number in re.findall(r'"number": (\d+)', said)]
    assert "3\n" == run("git -C .swarm/blueprints.git rev-list --count discount", cwd)


def test_the_two_versions_have_different_prices_for_the_same_order(tmp_path):
    folder = tmp_path / "versioned"
    shutil.copytree(EXAMPLES / "versioned", folder, ignore=shutil.ignore_patterns(".swarm"))
    for number in (1, 2):
        run(f"swarm bp add discount-{number}.yaml", folder)

    old, new = (run(f"swarm run 'bp:discount@^{number}' --set total=1000 --quiet", folder) for number in (1, 2))

    assert "950.00 (5 % off)" in old
    assert "900.00 (10 % off)" in new
