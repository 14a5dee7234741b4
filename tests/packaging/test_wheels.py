"""What people install works: every wheel, in a clean environment, found through its entry point.

Plugins are built from a copy outside the repository, as their authors elsewhere would build them; so are the
third-party plugins among the examples.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
EXAMPLES = sorted(file.parent for file in ROOT.glob("examples/*/pyproject.toml"))
UV = Path(sys.executable).with_name("uv")


def run(*command: object, cwd: Path) -> str:
    """Run a command without this repository or its settings in the environment, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SWARM"))}
    environment |= {"UV_SYSTEM_CERTS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ends with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@frozen(kw_only=True)
class CleanEnvironment:
    """A new virtual environment."""

    folder: Path

    def install(self, *arguments: object) -> None:
        python = self.folder / "bin/python"
        if UV.exists():
            run(UV, "pip", "install", "--quiet", "--python", python, *arguments, cwd=self.folder)
        else:
            run(python, "-m", "pip", "install", "--quiet", *arguments, cwd=self.folder)

    def run(self, program: str, *arguments: object) -> str:
        return run(self.folder / "bin" / program, *arguments, cwd=self.folder)

    def active_plugins(self) -> set[str]:
        """Return the plugins that `swarm plugins` calls active, without the core's own."""
        listed = json.loads(self.run("swarm", "plugins", "--json"))["plugins"]
        found = [plugin for plugin in listed if plugin["distribution"] != "swarm-core"]
        return {plugin["name"] for plugin in found if plugin["state"] == "active"}


@pytest.fixture
def environment(tmp_path: Path) -> CleanEnvironment:
    folder = tmp_path / "environment"
    if UV.exists():
        run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=tmp_path)
    else:
        venv.create(folder, with_pip=True)
    return CleanEnvironment(folder=folder)


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


def described(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def entry_points(project: Path) -> dict[str, str]:
    found: dict[str, str] = described(project)["entry-points"]["swarm_core.plugins"]
    return found


def contents(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("project", [*PLUGINS, *EXAMPLES], ids=lambda project: str(project.relative_to(ROOT)))
class TestPlugin:
    def test_is_active_when_it_is_the_only_one_installed(
        self, project: Path, core: Path, wheel_of: Callable[[Path], Path], environment: CleanEnvironment
    ) -> None:
        environment.install(core, wheel_of(project))

        assert environment.active_plugins() == set(entry_points(project))

    def test_wheel_holds_nothing_but_the_modules_of_its_entry_points(
        self, project: Path, wheel_of: Callable[[Path], Path]
    ) -> None:
        modules = {target.partition(":")[0].partition(".")[0] for target in entry_points(project).values()}

        top_level = {name.partition("/")[0].removesuffix(".py") for name in contents(wheel_of(project))}

        assert top_level == modules

    def test_wheel_holds_no_tests(self, project: Path, wheel_of: Callable[[Path], Path]) -> None:
        names = contents(wheel_of(project))

        assert [name for name in names if "tests/" in name or "test_" in name] == []


def test_all_extra_brings_every_bundled_plugin(
    core: Path, wheel_of: Callable[[Path], Path], environment: CleanEnvironment, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for plugin in PLUGINS:
        shutil.copy(wheel_of(plugin), links)

    environment.install(f"swarm-core[all] @ {core.as_uri()}", "--find-links", links)

    assert environment.active_plugins() == {name for plugin in PLUGINS for name in entry_points(plugin)}


def test_core_alone_has_its_command_and_no_plugins(core: Path, environment: CleanEnvironment) -> None:
    environment.install(core)

    assert described(ROOT)["version"] in environment.run("swarm", "--version")
    assert environment.active_plugins() == set()


def test_core_wheel_holds_the_core_only(core: Path) -> None:
    names = contents(core)

    assert {name.partition("/")[0] for name in names} == {"swarm_core"}
    assert "swarm_core/py.typed" in names


def test_core_sdist_holds_no_plugins_and_no_tests(core: Path) -> None:
    sdist = next(core.parent.glob("*.tar.gz"))
    listing = run("tar", "--list", "--file", sdist, cwd=core.parent).splitlines()

    top_level = {name.split("/")[1] for name in listing}

    assert top_level <= {
        "swarm_core",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        ".gitignore",
        "PKG-INFO",
    }


@pytest.mark.parametrize("project", [ROOT, *PLUGINS], ids=lambda project: project.name)
def test_wheel_names_its_licence_and_has_a_description(
    project: Path, core: Path, wheel_of: Callable[[Path], Path]
) -> None:
    wheel = zipfile.ZipFile(core if project == ROOT else wheel_of(project))
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))

    headers, _, description = wheel.read(name).decode().partition("\n\n")

    assert "License-Expression: Apache-2.0" in headers.splitlines()
    assert description.strip() != ""
