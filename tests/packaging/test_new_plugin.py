"""What `swarm new --plugin` makes is installed by pip, found, and passes its own tests, beside the core alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(300)]

KINDS = ("layer", "spawner", "store", "resolver", "reader", "command")
PROVIDES = {
    "layer": ["layer new_layer"],
    "spawner": ["spawner new_spawner"],
    "store": ["store output new-store"],
    "resolver": ["resolver new_resolver"],
    "reader": ["reader .new_reader", "directive $new_reader"],
    "command": [],
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, core: Path, make_environment: Any, test_libraries: list[str]):
    """A clean environment with one new plugin of each kind, and the folder that has their sources."""
    environment = make_environment(tmp_path_factory.mktemp("new"))
    environment.install(core, "hatchling", *test_libraries)
    sources = tmp_path_factory.mktemp("sources")
    for kind in KINDS:
        environment.run("swarm", "new", "--plugin", f"new_{kind}", "--kind", kind, sources / kind)
        environment.install("--no-deps", "--no-build-isolation", sources / kind)
    return environment, sources


def test_each_is_active_and_provides_what_it_says(installed: Any) -> None:
    environment, _ = installed

    plugins = {plugin["name"]: plugin for plugin in environment.plugins()}

    assert {f"new_{kind}": provided for kind, provided in PROVIDES.items()} == {
        f"new_{kind}": plugins[f"new_{kind}"]["provides"] for kind in KINDS
    }
    assert {"active"} == {plugin["state"] for plugin in plugins.values()}
    environment.run("swarm", "plugins", "doctor")


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass(installed: Any, kind: str) -> None:
    environment, sources = installed

    done = environment.run("python", "-m", "pytest", "-q", cwd=sources / kind)

    assert " passed" in done


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_find_a_fault(installed: Any, kind: str, tmp_path: Path) -> None:
    """The tests that come with it are worth something: a module that does nothing fails them."""
    environment, sources = installed
    copy = shutil.copytree(sources / kind, tmp_path / kind)
    (copy / f"swarm_plugin_new_{kind}.py").write_text("SWARM_API = 1\n")

    done = environment.try_to_run("python", "-P", "-m", "pytest", "-q", cwd=copy, pythonpath=copy)

    assert done.returncode != 0


def test_the_readme_names_what_is_there(installed: Any) -> None:
    _, sources = installed

    for kind in KINDS:
        readme = (sources / kind / "README.md").read_text(encoding="utf-8")
        assert f"swarm_plugin_new_{kind}.py" in readme
        assert f"swarm-plugin-new-{kind}" in readme
