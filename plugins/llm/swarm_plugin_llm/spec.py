"""What a Blueprint says about an agent of kind `llm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import field, frozen

from swarm_core.codec.json_schema import check_json_schema
from swarm_core.model.shown import shown

Output = Literal["auto", "json", "text"]

_MOST_TOKENS = 10**7
_MOST_TURNS = 1000


@frozen(kw_only=True)
class McpServer:
    """An MCP server of the agent: a program and its arguments, or a URL that the settings allow.

    `name` is what stands in the names of its tools, `mcp__<name>__<tool>`.
    """

    __repr__ = shown

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(factory=dict)
    url: str | None = None


@frozen(kw_only=True)
class LlmSpec:
    """How the agent's model is asked and its answer read; what it is told and given stands in the profile.

    `output_schema` is the JSON Schema that the answer must fit. `max_tokens` bounds each answer, `max_turns` how often
    the model is asked. `partials` are pieces of answers as they come, as outputs of the attempt. `project_root` is the
    folder in which programs of MCP servers run. `script_path` is only here to be refused with a reason.
    """

    __repr__ = shown

    output: Output = "auto"
    output_schema: Any = None
    max_turns: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    partials: bool = True
    mcp_servers: tuple[McpServer, ...] = ()
    mcp_rpc_timeout_ms: int = 30_000
    project_root: str | None = None
    script_path: Any = None


def faults_of(spec: LlmSpec) -> Iterator[str]:
    """Yield what is wrong with a spec that its types cannot tell."""
    if spec.script_path is not None:
        yield (
            "'script_path' is not supported: no script stands between the engine and the model; say what the script "
            "says in profile.system_prompt and profile.tools, or use kind 'lua' or 'subprocess'"
        )
    if spec.output_schema is not None:
        if spec.output == "text":
            yield "'output' is 'text', but 'output_schema' describes JSON; leave one of them out"
        try:
            check_json_schema(spec.output_schema)
        except ValueError as error:
            yield f"'output_schema' {error}"
    yield from _range("max_turns", spec.max_turns, 1, _MOST_TURNS)
    yield from _range("max_tokens", spec.max_tokens, 1, _MOST_TOKENS)
    yield from _range("temperature", spec.temperature, 0, 2)
    yield from _range("mcp_rpc_timeout_ms", spec.mcp_rpc_timeout_ms, 1, 3_600_000)
    yield from _server_faults(spec.mcp_servers)


def _range(name: str, value: float | None, least: float, most: float) -> Iterator[str]:
    if value is not None and not least <= value <= most:
        yield f"{name!r} is {value:g}, which is out of range: {least:g} to {most:g}"


def _server_faults(servers: tuple[McpServer, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for server in servers:
        if not server.name or "__" in server.name:
            yield f"'mcp_servers': {server.name!r} is no name: it is not empty and has no '__'"
        elif server.name in seen:
            yield f"'mcp_servers': {server.name!r} stands there twice"
        seen.add(server.name)
        if (server.command is None) == (server.url is None):
            yield f"'mcp_servers': {server.name!r} has a 'command' or a 'url', and one of them only"
        if any("\0" in text for text in (server.command or "", *server.args)):
            yield f"'mcp_servers': {server.name!r} holds a NUL character"
