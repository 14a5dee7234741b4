"""The Makefile says what it can do, refuses what it cannot with a sentence, and is what CI runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_help_is_the_default_and_lists_every_public_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None

    listed = re.findall(r"^  make ([\w-]+) ", make().stdout, re.MULTILINE)

    assert sorted(listed) == sorted(phony[1].split())


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("PYTHON=/nowhere/python3", "Python 3.11 or newer is needed"),
        ("PYTHONS=/nowhere/python3", "No Python 3.11 or newer with venv and ensurepip among: /nowhere/python3."),
    ],
)
def test_missing_python_is_told_before_anything_is_made(argument: str, sentence: str, tmp_path: Path) -> None:
    environment = tmp_path / "environment"

    done = make("demo", argument, f"VENV={environment}")

    assert done.returncode != 0
    assert sentence in done.stdout
    assert not environment.exists()


def test_ci_runs_the_command_that_the_readme_names() -> None:
    *_, command = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()

    assert command == "make test"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci/run", os.X_OK)
