"""What the tests of agent files share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def swarm(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `swarm` in the test's folder."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "swarm_core", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return call


@pytest.fixture
def check(tmp_path: Path, swarm: Any) -> Callable[[Any], list[dict[str, Any]]]:
    """Return a function that writes a Blueprint with the agents given and returns the problems that `check` tells."""

    def call(agents: Any, **fields: Any) -> list[dict[str, Any]]:
        flow = {"kind": "seq", "children": []}
        (tmp_path / "bp.json").write_text(json.dumps({"id": "bp", "flow": flow, "agents": agents, **fields}))
        problems: list[dict[str, Any]] = json.loads(swarm("check", "bp.json", "--json").stdout)["problems"]
        return [problem for problem in problems if problem["severity"] == "error"]

    return call
