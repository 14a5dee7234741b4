"""Clean environments, and the wheels that are installed into them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def try_to_run(*command: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command without this repository or its settings in the environment; `more` goes into it."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SWARM", "PYTEST"))
    }
    environment |= {"UV_SYSTEM_CERTS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def run(*command: object, cwd: Path, **more: str) -> str:
    """Run a command that has to succeed, and return what it prints."""
    done = try_to_run(*command, cwd=cwd, **more)
    assert done.returncode == 0, f"{command} ends with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@frozen(kw_only=True)
class CleanEnvironment:
    """A virtual environment that has nothing but what is installed into it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def install(self, *arguments: object) -> None:
        if UV.exists():
            run(UV, "pip", "install", "--quiet", "--python", self.python, *arguments, cwd=self.folder)
        else:
            run(self.python, "-m", "pip", "install", "--quiet", *arguments, cwd=self.folder)

    def run(self, program: str, *arguments: object, cwd: Path | None = None) -> str:
        return run(self.folder / "bin" / program, *arguments, cwd=cwd or self.folder, **self._path)

    def try_to_run(
        self, program: str, *arguments: object, cwd: Path, pythonpath: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        more = {} if pythonpath is None else {"PYTHONPATH": str(pythonpath)}
        return try_to_run(self.folder / "bin" / program, *arguments, cwd=cwd, **self._path, **more)

    def plugins(self) -> list[dict[str, Any]]:
        """Return what `swarm plugins` lists."""
        found: list[dict[str, Any]] = json.loads(self.run("swarm", "plugins", "--json"))["plugins"]
        return found

    def active_plugins(self) -> set[str]:
        """Return the plugins that `swarm plugins` calls active, without the core's own."""
        found = [plugin for plugin in self.plugins() if plugin["distribution"] != "swarm-core"]
        return {plugin["name"] for plugin in found if plugin["state"] == "active"}

    @property
    def _path(self) -> dict[str, str]:
        return {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def make_environment() -> Callable[[Path], CleanEnvironment]:
    """Makes a new virtual environment below a folder."""

    def make(below: Path) -> CleanEnvironment:
        folder = below / "environment"
        if UV.exists():
            run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=below)
        else:
            venv.create(folder, with_pip=True)
        return CleanEnvironment(folder=folder)

    return make


@pytest.fixture
def environment(tmp_path: Path, make_environment: Callable[[Path], CleanEnvironment]) -> CleanEnvironment:
    return make_environment(tmp_path)


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core's wheel, built from its sdist; both lie in the same folder."""
    dist = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT, cwd=dist)
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Builds a plugin's wheel from a copy of its folder, once."""
    built: dict[Path, Path] = {}

    def build(project: Path) -> Path:
        if project not in built:
            outside = tmp_path_factory.mktemp("outside")
            copy = shutil.copytree(project, outside / project.name, ignore=shutil.ignore_patterns("__pycache__"))
            run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", outside, copy, cwd=outside)
            built[project] = next(outside.glob("*.whl"))
        return built[project]

    return build


@pytest.fixture(scope="session")
def test_libraries() -> list[str]:
    """What tests may use beside what they test: the libraries below `# Tests` of requirements/dev.txt."""
    text = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    (section,) = re.findall(r"^# Tests\n(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return [line for line in section.splitlines() if line and not line.startswith("#")]
