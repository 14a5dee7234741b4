"""What people install works: every wheel, in a clean environment, found through its entry point.

Plugins are built from a copy outside the repository, as their authors elsewhere would build them; so are the
third-party plugins among the examples.
"""

from __future__ import annotations

import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
EXAMPLES = sorted(file.parent for file in ROOT.glob("examples/*/pyproject.toml"))


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
        self, project: Path, core: Path, wheel_of: Callable[[Path], Path], environment: Any
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
    core: Path, wheel_of: Callable[[Path], Path], environment: Any, tmp_path: Path
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for plugin in PLUGINS:
        shutil.copy(wheel_of(plugin), links)

    environment.install(f"swarm-core[all] @ {core.as_uri()}", "--find-links", links)

    assert environment.active_plugins() == {name for plugin in PLUGINS for name in entry_points(plugin)}


def test_core_alone_has_its_command_and_no_plugins(core: Path, environment: Any) -> None:
    environment.install(core)

    assert described(ROOT)["version"] in environment.run("swarm", "--version")
    assert environment.active_plugins() == set()


def test_core_wheel_holds_the_core_only(core: Path) -> None:
    names = contents(core)

    assert {name.partition("/")[0] for name in names} == {"swarm_core"}
    assert "swarm_core/py.typed" in names


def test_core_sdist_holds_no_plugins_and_no_tests(core: Path) -> None:
    sdist = next(core.parent.glob("*.tar.gz"))
    listing = subprocess.run(
        ["tar", "--list", "--file", sdist], capture_output=True, text=True, check=True
    ).stdout.splitlines()

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
