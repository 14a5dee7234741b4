"""An MCP server for the tests: run as a program it talks over stdin and stdout."""

import os
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tests")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def surroundings() -> dict[str, Any]:
    """Tell where the server runs."""
    return {"pid": os.getpid(), "cwd": str(Path.cwd()), "env": dict(os.environ)}


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("there is no such book")


if __name__ == "__main__":
    server.run()
