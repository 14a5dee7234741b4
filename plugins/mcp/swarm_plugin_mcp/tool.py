"""What a tool is: a name, what it does, a model of its arguments, and a coroutine function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import NOTHING, Attribute, Factory, field, fields, frozen

from swarm_core.codec import model_schema, structure
from swarm_core.errors import DocumentError, did_you_mean
from swarm_plugin_mcp.errors import ToolRefused

if TYPE_CHECKING:
    from swarm_plugin_mcp.home import Home
    from swarm_plugin_mcp.progress import Progress


@frozen(kw_only=True, eq=False)
class Asked:
    """What a call of a tool comes with, beside its arguments: where work is done, and whom to tell how it goes."""

    home: Home
    progress: Progress


Handler = Callable[[Asked, Any], Awaitable[Mapping[str, Any]]]


@frozen(kw_only=True, eq=False)
class McpTool:
    """A tool of the MCP server.

    `arguments` is the attrs class that `handler` gets an instance of; its fields are made with `argument`. `reads` says
    that it changes nothing, `destroys` that something may be gone after it. Where the plugin is not installed that it
    `needs`, there is no such tool.
    """

    name: str
    summary: str
    arguments: type
    handler: Handler
    reads: bool = False
    destroys: bool = False
    needs: str | None = None

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments."""
        schema = model_schema(self.arguments)
        properties = schema.setdefault("properties", {})
        for attribute in fields(self.arguments):
            properties[attribute.name] = {**properties[attribute.name], **_told(attribute)}
        return schema

    def read(self, given: Mapping[str, Any]) -> Any:
        """Return the arguments as an instance of their class; raises ToolRefused with everything that is wrong."""
        try:
            return structure(dict(given), self.arguments)
        except DocumentError as error:
            named = [str(problem).replace(self.arguments.__name__, self.name) for problem in error.problems]
            wrong = "; ".join(problem.removeprefix("$.") for problem in named)
            known = ", ".join(attribute.name for attribute in fields(self.arguments)) or "none"
            hint = f"it takes: {known}"
            raise ToolRefused("bad_arguments", f"arguments of {self.name}: {wrong}", hint=hint) from None


def argument(
    about: str,
    *,
    default: Any = NOTHING,
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """Return a field of a tool's arguments; `about` tells the model what it is for."""
    bounds = {key: value for key, value in (("minimum", least), ("maximum", most)) if value is not None}

    def check(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is not None and ((least is not None and value < least) or (most is not None and value > most)):
            raise ValueError(f"must be between {least} and {most}")

    return field(
        default=Factory(type(default)) if isinstance(default, dict | list) else default,
        validator=check if bounds else None,
        metadata={"about": about, "bounds": bounds},
        kw_only=True,
    )


def find(tools: Mapping[str, McpTool], name: str) -> McpTool:
    """Return the tool of a name; raises ToolRefused with the one that may have been meant."""
    if name not in tools:
        raise ToolRefused(
            "unknown_tool", f"there is no tool {name!r}", hint=did_you_mean(name, tools, otherwise="tools")
        )
    return tools[name]


def _told(attribute: Attribute[Any]) -> dict[str, Any]:
    return {"description": attribute.metadata["about"], **attribute.metadata["bounds"]}
