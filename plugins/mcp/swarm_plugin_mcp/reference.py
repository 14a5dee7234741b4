"""The reference of the tools, made from the tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from swarm_plugin_mcp.tool import McpTool
from swarm_plugin_mcp.tools import TOOLS

_HEAD = "Tools\n\nA tool takes named arguments and refuses names that it does not know.\n"


def page(level: int = 1) -> str:
    """Return every tool with its arguments as Markdown; `level` is that of the first heading."""
    return "\n".join([f"{'#' * level} {_HEAD}", *(_section(tool, level + 1) for tool in TOOLS.values())])


def _section(tool: McpTool, level: int) -> str:
    schema = tool.schema()
    rows = list(_rows(schema))
    table = ["", "| argument | type | default | |", "|---|---|---|---|", *rows] if rows else ["", "No arguments."]
    summary = tool.summary if tool.needs is None else f"{tool.summary} Needs `swarm-plugin-{tool.needs}`."
    return "\n".join([f"{'#' * level} {tool.name}", "", summary, *table, ""])


def _rows(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, about in schema.get("properties", {}).items():
        default = "required" if name in required else f"`{json.dumps(about['default'])}`" if "default" in about else ""
        yield f"| `{name}` | {_type(about)} | {default} | {about['description']} |"


def _type(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if "anyOf" in about:
        kinds = [_type(each) for each in about["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if about.get("type") == "array":
        return f"array of {_type(about['items'])}"
    return str(about.get("type", "any"))
