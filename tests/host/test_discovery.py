"""Discovery reads metadata and imports nothing; fingerprints show the files as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_core.host.discovery import fingerprint, normalized

FOUND = """
import sys
from swarm_core.host import discover
for found in discover().found:
    print(found.name, found.module, found.distribution, found.version, found.module in sys.modules)
"""


def run(program: str, *, path: Path | str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(path)}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_an_installed_plugin_is_found_without_being_imported(install: Callable[..., Path], wheel: Any) -> None:
    site = install(wheel(name="swarm-plugin-quiet", version="3.1", plugin="quiet", source="raise SystemExit"))

    lines = run(FOUND, path=site)

    assert "quiet swarm_plugin_quiet swarm-plugin-quiet 3.1 False" in lines


def test_importing_the_host_loads_neither_metadata_readers_nor_the_command_line() -> None:
    heavy = "{'importlib_metadata', 'importlib.metadata', 'click', 'rich', 'tomllib', 'hashlib', 'cattrs', 'yaml'}"

    (loaded,) = run(f"import sys, swarm_core.host; print({heavy} & set(sys.modules))")

    assert loaded == "set()"


@pytest.mark.parametrize("name", ["Swarm_Plugin.Audit", "swarm-plugin--audit", "SWARM-PLUGIN-AUDIT"])
def test_spellings_of_a_distribution_are_one_name(name: str) -> None:
    assert normalized(name) == "swarm-plugin-audit"


class TestFingerprint:
    @pytest.fixture(autouse=True)
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path

    def test_p35_it_changes_with_any_file_of_the_package(self, site: Path) -> None:
        package = site / "printed_package"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        (package / "rules.lua").write_text("return 1")

        first, same = fingerprint("printed_package.sub:plugin"), fingerprint("printed_package")
        (package / "rules.lua").write_text("return 2")
        changed = fingerprint("printed_package")

        assert first == same
        assert first != changed
        assert first is not None
        assert len(first) == 64

    def test_compiled_files_do_not_count(self, site: Path) -> None:
        package = site / "compiled_package"
        (package / "__pycache__").mkdir(parents=True)
        (package / "__init__.py").write_text("")

        first = fingerprint("compiled_package")
        (package / "__pycache__" / "x.pyc").write_text("x")

        assert fingerprint("compiled_package") == first

    def test_a_single_module_has_one_too(self, site: Path) -> None:
        (site / "printed_module.py").write_text("raise RuntimeError('imported')")

        first = fingerprint("printed_module")
        (site / "printed_module.py").write_text("pass")

        assert first is not None
        assert fingerprint("printed_module") != first

    @pytest.mark.parametrize("module", ["no_such_module_anywhere", "sys", ""])
    def test_without_files_there_is_none(self, module: str) -> None:
        assert fingerprint(module) is None
