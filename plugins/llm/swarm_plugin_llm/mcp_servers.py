"""The MCP servers of an agent: where each is found, and the tools that it offers."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.contracts import AttemptContext, Processes
from swarm_core.errors import SpawnFailed
from swarm_core.tools import Tool
from swarm_plugin_llm.keys import key_in
from swarm_plugin_llm.mcp_process import process_streams
from swarm_plugin_llm.places import origin_of, url_fault
from swarm_plugin_llm.settings import LlmSettings, McpServerSection
from swarm_plugin_llm.spec import LlmSpec, McpServer
from swarm_plugin_llm.toolbox import MCP

if TYPE_CHECKING:
    from mcp import Client

_ALWAYS_PASSED = ("PATH", "LANG", "LC_*")
_RESERVED = ("SWARM_", "MSE_")
_MOST_PAGES = 100


@frozen(kw_only=True)
class Servers:
    """The servers that an agent's tools name, each with the names of its tools that the agent was given."""

    sections: Mapping[str, McpServerSection]
    wanted: Mapping[str, frozenset[str]]
    processes: Processes
    passed: Mapping[str, str]
    cwd: str | None
    timeout: float

    @asynccontextmanager
    async def open(self) -> AsyncIterator[list[Tool]]:
        """Connect to all of them and yield the tools; raises SpawnFailed."""
        async with AsyncExitStack() as stack:
            try:
                tools: list[Tool] | SpawnFailed = await self._tools(stack)
            except SpawnFailed as error:  # raised in here, the SDK's task groups would wrap it
                tools = error
            if isinstance(tools, list):
                yield tools
        if isinstance(tools, SpawnFailed):
            raise tools

    async def _tools(self, stack: AsyncExitStack) -> list[Tool]:
        found: list[Tool] = []
        for name in self.wanted:
            found += await self._offered(name, await self._connect(name, stack))
        return found

    async def _connect(self, name: str, stack: AsyncExitStack) -> Client:
        try:
            from mcp import Client
        except ImportError:
            raise SpawnFailed("MCP is not installed", hint="pip install 'swarm-plugin-llm[mcp]'") from None
        try:
            transport = await self._transport(self.sections[name], name, stack)
            return await stack.enter_async_context(Client(transport, read_timeout_seconds=self.timeout))
        except SpawnFailed:
            raise
        except Exception as error:
            raise SpawnFailed(f"MCP server {name!r} gives no connection: {_reason(error)}") from None

    async def _transport(self, section: McpServerSection, name: str, stack: AsyncExitStack) -> Any:
        if section.url is not None:
            import httpx2
            from mcp.client.streamable_http import streamable_http_client

            whose = f"MCP server {name!r}"
            headers = {header: key_in(variable, whose) for header, variable in section.headers_env.items()}
            http = httpx2.AsyncClient(headers=headers, timeout=self.timeout, follow_redirects=False)
            return streamable_http_client(section.url, http_client=await stack.enter_async_context(http))
        assert section.command is not None
        argv, env = [section.command, *section.args], {**self.passed, **section.env}
        return process_streams(self.processes, argv, env=env, cwd=self.cwd)

    async def _offered(self, server: str, client: Client) -> list[Tool]:
        found: dict[str, Tool] = {}
        try:
            cursor: str | None = None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                for each in page.tools:
                    found[each.name] = _tool(server, each, client)
                cursor = page.next_cursor
                if not cursor:
                    break
        except Exception as error:
            raise SpawnFailed(f"MCP server {server!r} does not tell its tools: {_reason(error)}") from None
        wanted = self.wanted[server]
        if missing := sorted(wanted - {"*"} - found.keys()):
            hint = f"it offers: {', '.join(sorted(found)) or 'none'}"[:500]
            raise SpawnFailed(f"MCP server {server!r} has no tool {missing[0]!r}", hint=hint)
        return [tool for name, tool in found.items() if "*" in wanted or name in wanted]


def _tool(server: str, told: Any, client: Client) -> Tool:
    async def call(arguments: Mapping[str, Any], context: AttemptContext) -> Any:
        try:
            result = await client.call_tool(told.name, dict(arguments))
        except Exception as error:
            raise ValueError(f"MCP server {server!r}: {_reason(error)}") from None
        text = "\n".join(_piece(each) for each in result.content)
        if result.is_error:
            raise ValueError(text or "the tool failed")
        return text if text or result.structured_content is None else result.structured_content

    name, summary = f"{MCP}{server}__{told.name}", told.description or told.name
    return Tool(name=name, summary=summary, parameters=told.input_schema, call=call)


def _piece(content: Any) -> str:
    return content.text if content.type == "text" else f"[{content.type}: not shown]"


def _reason(error: BaseException) -> str:
    """Return what went wrong, in one short line; groups of errors tell their first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


# where they are found --------------------------------------------------------------------------------------------


def servers_of(spec: LlmSpec, settings: LlmSettings) -> dict[str, McpServerSection]:
    """Return the servers that an agent may name: those of its spec, and those of the settings.

    Raises: ValueError, for one that a Blueprint must not bring itself.
    """
    faults = [fault for server in spec.mcp_servers for fault in _faults_of(server, settings)]
    if faults:
        raise ValueError("; ".join(faults))
    own = {
        server.name: McpServerSection(command=server.command, args=server.args, env=server.env, url=server.url)
        for server in spec.mcp_servers
    }
    return {**own, **settings.mcp_servers}


def _faults_of(server: McpServer, settings: LlmSettings) -> Iterable[str]:
    if server.name in settings.mcp_servers:
        yield f"'mcp_servers': the settings have a server {server.name!r} already; leave it out here"
    for name, value in server.env.items():
        if not name or "=" in name or "\0" in name + value or name.startswith(_RESERVED):
            yield f"'mcp_servers': {name[:80]!r} is no variable that {server.name!r} may be given"
    if server.url is None:
        return
    if (fault := url_fault(server.url)) is not None:
        yield f"'mcp_servers': {server.name!r}: {fault}"
    elif origin_of(server.url) not in {origin_of(each) for each in settings.mcp_origins}:
        yield (
            f"'mcp_servers': no request may go to the URL of {server.name!r}; "
            "allow its origin in [plugin.llm] mcp_origins, or define the server in [plugin.llm.mcp_servers]"
        )


def passed_on(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the engine that servers get: a few that all need, and those that `names` allows."""
    allowed = (*_ALWAYS_PASSED, *names)
    found = {name: value for name, value in environ.items() if any(fnmatchcase(name, each) for each in allowed)}
    return {"PATH": os.defpath, **found}


def folder_of(project_root: str | None, base: Path | None) -> str | None:
    """Return the folder in which servers run: the Blueprint's own, or one below it; raises ValueError."""
    if project_root is None:
        return None if base is None else str(base)
    top = os.path.abspath(base or ".")  # noqa: PTH100 - pathlib does not normalise
    folder = os.path.normpath(Path(top, project_root))
    if not Path(folder).is_relative_to(top):
        raise ValueError(f"'project_root' is {project_root!r}, which leaves the Blueprint's folder")
    return folder
