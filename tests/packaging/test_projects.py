"""A plugin of this repository is known wherever it has to be named, and follows the naming rules."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))

pytestmark = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)


def read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def test_names_follow_from_the_folder(plugin: Path) -> None:
    project = read(plugin)["project"]

    name, module = plugin.name.replace("_", "-"), plugin.name.replace("-", "_")
    assert project["name"] == f"swarm-plugin-{name}"
    assert project["entry-points"]["swarm_core.plugins"] == {plugin.name: f"swarm_plugin_{module}"}


def test_is_in_the_extra_that_brings_all(plugin: Path) -> None:
    project = read(plugin)["project"]

    extra = [requirement.replace(" ", "") for requirement in read(ROOT)["project"]["optional-dependencies"]["all"]]

    assert f"{project['name']}~={project['version']}" in extra


def test_is_installed_by_the_set_up(plugin: Path) -> None:
    lines = (ROOT / "requirements/demo.txt").read_text(encoding="utf-8").splitlines()

    assert f"-e {plugin.relative_to(ROOT)}" in lines


def test_is_type_checked(plugin: Path) -> None:
    assert str(plugin.relative_to(ROOT)) in read(ROOT)["tool"]["mypy"]["mypy_path"]


def test_asks_for_the_core_of_this_repository(plugin: Path) -> None:
    core, project = read(ROOT)["project"], read(plugin)["project"]

    requirements = [requirement.replace(" ", "") for requirement in project["dependencies"]]

    assert f"swarm-core~={core['version']}" in requirements
    assert (project["license"], project["requires-python"]) == (core["license"], core["requires-python"])


def test_says_what_it_is(plugin: Path) -> None:
    assert (plugin / "README.md").read_text(encoding="utf-8").strip() != ""
    assert list((plugin / "tests").glob("test_*.py")) != []
