"""Each plugin's tests pass beside nothing but the core, and the core's own without any plugin.

All of it is built as wheels; a plugin's tests run from a copy outside the repository, with the pytest settings of this
one. `python -m pytest -m slow tests/packaging/test_plugins_alone.py` runs it by hand, `-k NAME` for one plugin.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
# A server by itself carries nothing out: its tests put these workers and people behind it.
BESIDE = {"server": ("audit", "operator", "senior", "subprocess")}
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
# Those parts of the core's tests that meet the host; the others know of no plugin.
CORE_TESTS = tuple(
    f"tests/{room}"
    for room in ("model", "codec", "flow", "host", "compile", "engine", "builtin", "history", "testing", "together")
)


@pytest.fixture(scope="session")
def settings() -> str:
    """The repository's settings of pytest, as a pytest.ini that collects nothing by itself."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    del options["testpaths"]
    return "[pytest]\n" + "\n".join(f"{name} = {_value(value)}" for name, value in options.items()) + "\n"


def _value(value: Any) -> str:
    return "".join(f"\n    {each}" for each in value) if isinstance(value, list) else str(value)


def passed(said: str) -> int:
    """Return how many tests passed."""
    found = re.search(r"(\d+) passed", said)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugins_tests_pass_beside_the_core_alone(
    plugin: Path,
    core: Path,
    wheel_of: Callable[[Path], Path],
    environment: Any,
    settings: str,
    test_libraries: list[str],
    tmp_path: Path,
) -> None:
    beside = BESIDE.get(plugin.name, ())
    environment.install(
        core, wheel_of(plugin), *(wheel_of(ROOT / "plugins" / name) for name in beside), *test_libraries
    )
    outside = tmp_path / "outside"
    shutil.copytree(plugin / "tests", outside / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (outside / "pytest.ini").write_text(settings, encoding="utf-8")

    said = environment.run("python", "-m", "pytest", "-q", "-m", "not slow", "tests", cwd=outside)

    assert environment.active_plugins() == {plugin.name, *beside}
    assert passed(said) > 0


def test_the_cores_tests_pass_without_any_plugin(core: Path, environment: Any, test_libraries: list[str]) -> None:
    environment.install(core, "pip", *test_libraries)  # the host's tests install distributions that are wrong

    said = environment.run(
        "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not packaging", *CORE_TESTS, cwd=ROOT
    )

    assert environment.active_plugins() == set()
    assert passed(said) > 500
