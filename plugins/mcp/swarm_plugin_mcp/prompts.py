"""Prompts that a person can call up in their MCP client."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import mcp_types as types

from swarm_plugin_mcp.resources import packaged

_AUTHOR = types.Prompt(
    name="author_blueprint",
    description="Write a Blueprint for a piece of work, check it, try it, keep it.",
    arguments=[
        types.PromptArgument(name="goal", description="What the swarm is to do.", required=False),
        types.PromptArgument(name="id", description="The id of the Blueprint.", required=False),
    ],
)

PROMPTS: Mapping[str, types.Prompt] = MappingProxyType({_AUTHOR.name: _AUTHOR})
"""Every prompt by its name."""


def prompt_text(given: Mapping[str, str]) -> str:
    """Return the prompt `author_blueprint`, with the guide that it speaks of."""
    goal = given.get("goal") or "Ask the person what the swarm is to do."
    named = f"Its id is `{given['id']}`.\n" if given.get("id") else ""
    # the parts are joined, not filled in: a goal with braces stays as it is
    return "\n".join(
        [packaged("texts/author.md"), f"# The goal\n\n{goal}\n{named}", packaged("texts/blueprint-authoring.md")]
    )
