"""What the tests of Lua workers share."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from swarm_plugin_lua.job import Job, Script
from swarm_plugin_lua.pool import LuaPool, open_pool
from swarm_plugin_lua.spawner import build_lua
from swarm_plugin_lua.spec import LuaSpec

from swarm_core.contracts import Processes, Spawner
from swarm_core.factories import Environment, Function
from swarm_core.model.blueprint import AgentDef, AgentHint, Blueprint
from swarm_core.model.nodes import Seq
from swarm_core.settings import Settings
from swarm_core.testing import processes as open_processes

MEMORY = 64 * 1024 * 1024


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    async with open_processes() as real:
        yield real


@pytest.fixture
async def pool() -> AsyncIterator[LuaPool]:
    async with open_pool(size=1, memory_limit=MEMORY) as opened:
        yield opened


@pytest.fixture
def functions() -> dict[str, Function]:
    """Host functions of all tempers."""

    def fail(*_: Any) -> None:
        raise ValueError("secret: /etc/secret.key")

    calls: dict[str, Callable[..., Any]] = {
        "echo": lambda *arguments: list(arguments),
        "add": lambda one, other: one + other,
        "fail": fail,
        "leave": lambda: exit(3),
        "flood": lambda: "x" * 5_000_000,
        "slow": lambda: time.sleep(0.8),
        "odd": object,
        "nothing": lambda: None,
    }
    return {name: Function(name, call, pure=True) for name, call in calls.items()}


@pytest.fixture
def make_job() -> Callable[..., Job]:
    def make(source: str, **overrides: Any) -> Job:
        facts: dict[str, Any] = {
            "script": Script(name="script", source=source),
            "input": {"a": 1},
            "agent": "tester",
            "task_id": "T-test",
            "attempt": 1,
            "key": "RUN-test:$",
            "time_limit": 5.0,
            "memory_limit": MEMORY,
        }
        return Job(**{**facts, **overrides})

    return make


@pytest.fixture
def environment(processes: Processes, pool: LuaPool, functions: dict[str, Function]) -> Callable[..., Environment]:
    def make(section: dict[str, Any] | None = None, file: Path | None = None, **overrides: Any) -> Environment:
        facts: dict[str, Any] = {
            "blueprint": Blueprint(id="bp", flow=Seq(children=())),
            "settings": Settings(sections={"lua": section or {}}, file=file),
            "processes": processes,
            "clock": time,
            "functions": functions,
            "services": {LuaPool: pool},
        }
        return Environment(**{**facts, **overrides})

    return make


@pytest.fixture
def build(environment: Callable[..., Environment]) -> Callable[..., Spawner]:
    """Build a spawner from a spec's fields, as the compiler would."""

    def make(*, hint: AgentHint | None = None, environ: Environment | None = None, **spec: Any) -> Spawner:
        agent = AgentDef(name="tester", kind="lua", spec=spec)
        return build_lua(agent, LuaSpec(**spec), hint or AgentHint(), environ or environment())

    return make
