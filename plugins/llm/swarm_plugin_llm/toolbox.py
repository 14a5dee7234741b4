"""The tools that one agent was given, and nothing beside them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from swarm_core.codec.json_schema import check_json_schema, misfit
from swarm_core.contracts import AttemptContext
from swarm_core.errors import AccessDenied, BudgetExceeded, EngineClosed, PollTimeout, did_you_mean
from swarm_core.model.call import to_text
from swarm_core.tools import Tool
from swarm_plugin_llm.chat import ToolCall

MCP = "mcp__"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
# What ends the attempt and is no matter of the model.
_FATAL = (AccessDenied, BudgetExceeded, EngineClosed)


@frozen(kw_only=True)
class Wanted:
    """What a profile's tools ask for: tools of plugins, and by MCP server the names of its tools (`*`: all of them)."""

    own: tuple[Tool, ...]
    mcp: Mapping[str, frozenset[str]]


def wanted_tools(names: Iterable[str], tools: Mapping[str, Tool], servers: Iterable[str]) -> Wanted:
    """Return what a profile asks for; raises ValueError with every name that nothing stands behind."""
    known, own, faults = sorted(servers), [], []
    mcp: dict[str, set[str]] = {}
    for name in dict.fromkeys(names):
        if name.startswith(MCP):
            server, _, tool = name.removeprefix(MCP).partition("__")
            if server not in known or not tool:
                faults.append(f"tool {name!r}: no such MCP server; {did_you_mean(server, known, otherwise='servers')}")
            mcp.setdefault(server, set()).add(tool)
        elif name not in tools:
            faults.append(f"no plugin provides the tool {name!r}; {did_you_mean(name, tools, otherwise='installed')}")
        elif (fault := _fault_of(tools[name])) is not None:
            faults.append(fault)
        else:
            own.append(tools[name])
    if faults:
        raise ValueError("; ".join(faults))
    return Wanted(own=tuple(own), mcp={server: frozenset(each) for server, each in mcp.items()})


def _fault_of(tool: Tool) -> str | None:
    if not _NAME.fullmatch(tool.name):
        return f"tool {tool.name!r} cannot be offered to a model: names are letters, digits, '_' and '-', 64 at most"
    try:
        check_json_schema(dict(tool.parameters))
    except ValueError as error:
        return f"tool {tool.name!r}: its parameters are no JSON Schema, {error}"
    return None


@define(eq=False)
class Toolbox:
    """Calls tools for a model: by name, with arguments that fit, side by side, with results of bounded size."""

    _context: AttemptContext
    _at_once: int
    _largest: int
    _tools: dict[str, Tool] = field(factory=dict)

    def add(self, tools: Iterable[Tool]) -> None:
        """Put tools in, under names that models can write."""
        for tool in tools:
            name = _UNFIT.sub("_", tool.name)[:64]
            while name in self._tools:
                name = f"{name[:62]}_2" if not name.endswith("_2") else f"{name[:61]}_{len(self._tools)}"
            self._tools[name] = tool

    def offered(self) -> list[dict[str, Any]]:
        """Return the tools as a model is told of them."""
        return [
            {
                "type": "function",
                "function": {"name": name, "description": tool.summary, "parameters": dict(tool.parameters)},
            }
            for name, tool in self._tools.items()
        ]

    async def call(self, calls: Sequence[ToolCall], returned: Callable[[ToolCall, str], Awaitable[None]]) -> None:
        """Call tools side by side; `returned` gets what each returns as soon as it does.

        What goes wrong in a tool is told to the model. Raises: what ends the attempt, such as BudgetExceeded.
        """
        turns = asyncio.Semaphore(self._at_once)

        async def one(call: ToolCall) -> None:
            async with turns:
                await returned(call, await self._text_of(call))

        try:
            async with asyncio.TaskGroup() as group:
                for call in calls:
                    group.create_task(one(call))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _text_of(self, call: ToolCall) -> str:
        ok = True
        try:
            text = _as_text(await self._value_of(call))
        except _FATAL:
            raise
        except _ToolError as error:
            ok, text = False, f"error: {error}"
        self._context.publish("llm_tool", tool=call.name[:200], call_id=call.id[:200], ok=ok, characters=len(text))
        if len(text) <= self._largest:
            return text
        return f"{text[: self._largest]}\n[cut: these are the first {self._largest} of {len(text)} characters]"

    async def _value_of(self, call: ToolCall) -> Any:
        tool = self._tools.get(call.name)
        if tool is None:
            raise _ToolError(f"you have no tool {call.name[:200]!r}; {did_you_mean(call.name[:200], self._tools)}")
        arguments = _arguments(call, tool)
        try:
            return await tool.call(arguments, self._context)
        except _FATAL:
            raise
        except PollTimeout:
            raise _ToolError("nobody answered") from None
        except ValueError as error:
            raise _ToolError(str(error)) from None
        except Exception as error:
            raise _ToolError(f"the tool failed with {type(error).__name__}") from None


class _ToolError(Exception):
    """A tool was not called, or failed; the model reads why."""


def _arguments(call: ToolCall, tool: Tool) -> Any:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        raise _ToolError("the arguments are no JSON object") from None
    if not isinstance(arguments, dict):
        raise _ToolError("the arguments are no JSON object")
    try:
        fault = misfit(dict(tool.parameters), arguments)
    except ValueError:  # a foreign server's schema may be one that cannot be read here; it checks for itself
        fault = None
    if fault is not None:
        raise _ToolError(f"the arguments do not fit: {fault}")
    return arguments


def _as_text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else to_text(value)
    except (TypeError, ValueError, RecursionError):
        raise _ToolError("the tool returned no JSON value") from None
