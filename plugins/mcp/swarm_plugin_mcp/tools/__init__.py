"""The tools of the MCP server, in the order in which they are listed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from swarm_plugin_mcp.tool import McpTool
from swarm_plugin_mcp.tools import (
    blueprints,
    checking,
    enhance,
    operators,
    questions,
    running,
    runs,
    servers,
    workers,
)

_ROOMS = (running, runs, questions, checking, blueprints, enhance, operators, workers, servers)

TOOLS: Mapping[str, McpTool] = MappingProxyType({tool.name: tool for room in _ROOMS for tool in room.TOOLS})
"""Every tool by its name, also those that need other plugins."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "mlua_swarm_server_start": "swarm_server_start",
        "mlua_swarm_server_status": "swarm_server_status",
        "mlua_swarm_server_shutdown": "swarm_server_stop",
    }
)
"""Names of mlua-swarm that are understood and not listed."""
