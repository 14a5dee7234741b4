"""What clients can read: guides, samples, and the JSON Schema of Blueprints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType

import mcp_types as types
from attrs import frozen

from swarm_core.codec import blueprint_schema


@frozen(kw_only=True)
class McpResource:
    """A text under a URI."""

    uri: str
    name: str
    about: str
    media_type: str
    text: Callable[[], str]

    def described(self) -> types.Resource:
        """Return what the list of resources says of it."""
        return types.Resource(uri=self.uri, name=self.name, description=self.about, mime_type=self.media_type)

    def read(self) -> types.TextResourceContents:
        """Return its content."""
        return types.TextResourceContents(uri=self.uri, mime_type=self.media_type, text=self.text())


def packaged(path: str) -> str:
    """Return a text that is in the wheel."""
    return (files("swarm_plugin_mcp") / path).read_text(encoding="utf-8")


def _guide(name: str, about: str) -> McpResource:
    return McpResource(
        uri=f"mse://guides/{name}",
        name=name,
        about=about,
        media_type="text/markdown",
        text=lambda: packaged(f"texts/{name}.md"),
    )


def _sample(number: str, name: str, about: str) -> McpResource:
    return McpResource(
        uri=f"mse://blueprints/samples/{number}",
        name=f"{number}-{name}",
        about=about,
        media_type="application/yaml",
        text=lambda: packaged(f"samples/{number}-{name}.yaml"),
    )


def _tool_reference() -> str:
    from swarm_plugin_mcp.reference import page

    return page()


def _schema() -> str:
    return json.dumps(blueprint_schema(), ensure_ascii=False)


_ALL = (
    _guide("getting-started", "What swarm is, and the first calls to make."),
    _guide("blueprint-authoring", "How to write a Blueprint: flow, expressions, agents, checks."),
    McpResource(
        uri="mse://guides/mcp-tool-reference",
        name="mcp-tool-reference",
        about="Every tool with its arguments.",
        media_type="text/markdown",
        text=_tool_reference,
    ),
    _sample("01", "pure-ctx-eval", "Arithmetic and branching, no agent at all."),
    _sample("02", "verdict-loop", "A loop that runs until its gate passes, three rounds at most."),
    _sample("03", "fn-override", "A second agent that may override a verdict."),
    McpResource(
        uri="mse://api/blueprint-schema",
        name="blueprint-schema",
        about="The JSON Schema of a Blueprint, flow and expressions included.",
        media_type="application/schema+json",
        text=_schema,
    ),
)

RESOURCES: Mapping[str, McpResource] = MappingProxyType({resource.uri: resource for resource in _ALL})
"""Every resource by its URI."""
