"""The MCP server itself: what clients ask for, answered from the tools, the resources and the prompts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server import Server
from mcp.shared.exceptions import MCPError

from swarm_core.errors import DocumentError, SwarmError
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.progress import Progress
from swarm_plugin_mcp.prompts import PROMPTS, prompt_text
from swarm_plugin_mcp.resources import RESOURCES
from swarm_plugin_mcp.tool import Asked, McpTool, find
from swarm_plugin_mcp.tools import ALIASES

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from swarm_plugin_mcp.home import Home

_logger = logging.getLogger(__name__)

_ABOUT = (
    "Runs swarms of agents from Blueprints (data). Begin with the resource mse://guides/getting-started; "
    "to write a Blueprint, read mse://guides/blueprint-authoring or use the prompt author_blueprint, and check with "
    "swarm_check before swarm_run."
)


def make_server(home: Home) -> Server[Any]:
    """Return an MCP server that works on what `home` opens."""

    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in home.tools.values()])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await _called(home, ctx, params.name, params.arguments or {})

    async def list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[resource.described() for resource in RESOURCES.values()])

    async def read_resource(ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(params.uri)
        if uri not in RESOURCES:
            known = ", ".join(RESOURCES)
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no resource {uri!r}; there are: {known}")
        return types.ReadResourceResult(contents=[RESOURCES[uri].read()])

    async def list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=list(PROMPTS.values()))

    async def get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name not in PROMPTS:
            known = ", ".join(PROMPTS)
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no prompt {params.name!r}; there are: {known}")
        said = types.TextContent(text=prompt_text(params.arguments or {}))
        return types.GetPromptResult(
            description=PROMPTS[params.name].description, messages=[types.PromptMessage(role="user", content=said)]
        )

    return Server(
        "swarm",
        version=version("swarm-plugin-mcp"),
        title="swarm",
        instructions=_ABOUT,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def _described(tool: McpTool) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=tool.reads, destructive_hint=tool.destroys, open_world_hint=False)
    return types.Tool(name=tool.name, description=tool.summary, input_schema=tool.schema(), annotations=hints)


async def _called(
    home: Home, ctx: ServerRequestContext[Any], name: str, arguments: Mapping[str, Any]
) -> types.CallToolResult:
    """Call a tool; what goes wrong is told as its result, so that the model reads it and can do better."""
    try:
        tool = find(home.tools, ALIASES.get(name, name))
        given = tool.read(arguments)
        value = await tool.handler(Asked(home=home, progress=Progress(_teller(ctx))), given)
    except (SwarmError, ExceptionGroup) as error:
        return _failed(error)
    except Exception as error:
        _logger.exception("tool %s failed", name)
        text = f"the tool failed: {type(error).__name__}; its log (stderr) has more"
        return _failed(ToolRefused("internal", text, hint="call mse_doctor, or tell the person in charge"))
    return _result(dict(value), is_error=False)


def _teller(ctx: ServerRequestContext[Any]) -> Any:
    async def tell(progress: float, message: str) -> None:
        await ctx.session.report_progress(progress, None, message)

    return tell


def _result(value: dict[str, Any], *, is_error: bool) -> types.CallToolResult:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=value, is_error=is_error)


def _failed(error: SwarmError | ExceptionGroup[Any]) -> types.CallToolResult:
    """Return the error as text with its hint, and as data."""
    if isinstance(error, ExceptionGroup):
        parts = [part for part in error.exceptions if isinstance(part, SwarmError)]
        if not parts:
            raise error
        sentence = "; ".join(map(str, parts))
        return (
            _failed(ToolRefused("plugins", sentence, hint="see: swarm plugins"))
            if len(parts) > 1
            else _failed(parts[0])
        )
    facts = {name: value for name, value in error.as_json().items() if value is not None}
    if isinstance(error, DocumentError):
        facts["problems"] = [problem.as_json() for problem in error.problems]
    hint = f"\nhint: {error.hint}" if error.hint else ""
    where = f"{error.where}: " if error.where else ""
    listed = "".join(f"\n- {problem}" for problem in error.problems) if isinstance(error, DocumentError) else ""
    text = f"error: {where}{error.message}{hint}{listed if listed.count(chr(10)) > 1 else ''}"
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=facts, is_error=True)
