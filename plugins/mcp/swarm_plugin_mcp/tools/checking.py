"""What a Blueprint is worth before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from swarm_core.model.problem import Severity
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.sources import BLUEPRINT, FILE, source_of
from swarm_plugin_mcp.tool import Asked, McpTool, argument


@frozen
class LookArguments:
    """What `swarm_check` and `swarm_explain` are given."""

    blueprint: Mapping[str, Any] | str | None = argument(BLUEPRINT, default=None)
    file: str | None = argument(FILE, default=None)
    bind: Mapping[str, str] = argument("Agents to run on other kinds.", default={})
    layers: str = argument("The layer set to use.", default="standard")


async def check(asked: Asked, given: LookArguments) -> Json:
    """Tell everything that is wrong with a Blueprint."""
    source = source_of(asked.home, given.blueprint, given.file)
    problems = await (await asked.home.backend()).check(source, given.bind, given.layers)
    errors = [problem for problem in problems if problem["severity"] == Severity.ERROR]
    return {"ok": not errors, "problems": problems}


async def explain(asked: Asked, given: LookArguments) -> Json:
    """Tell what a Blueprint resolves to."""
    source = source_of(asked.home, given.blueprint, given.file)
    return await (await asked.home.backend()).explain(source, given.bind, given.layers)


TOOLS = (
    McpTool(
        name="swarm_check",
        summary="Tell everything that is wrong with a Blueprint, and what is doubtful, all at once, with "
        "places and hints.",
        arguments=LookArguments,
        handler=check,
        reads=True,
    ),
    McpTool(
        name="swarm_explain",
        summary="Tell what a Blueprint resolves to: each agent's kind and limits, the layers around it, "
        "the most dispatches.",
        arguments=LookArguments,
        handler=explain,
        reads=True,
    ),
)
