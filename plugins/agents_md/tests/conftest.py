"""What the tests of agent files share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_core.testing import CommandEnded


@pytest.fixture
def swarm(swarm_command: Callable[..., CommandEnded]) -> Callable[..., CommandEnded]:
    """Return a function that runs `swarm` in the test's folder."""
    return swarm_command


@pytest.fixture
def check(tmp_path: Path, swarm: Any) -> Callable[[Any], list[dict[str, Any]]]:
    """Return a function that writes a Blueprint with the agents given and returns the problems that `check` tells."""

    def call(agents: Any, **fields: Any) -> list[dict[str, Any]]:
        flow = {"kind": "seq", "children": []}
        (tmp_path / "bp.json").write_text(json.dumps({"id": "bp", "flow": flow, "agents": agents, **fields}))
        problems: list[dict[str, Any]] = swarm("check", "bp.json", "--json").json["problems"]
        return [problem for problem in problems if problem["severity"] == "error"]

    return call
