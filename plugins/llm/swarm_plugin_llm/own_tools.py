"""The tools that this plugin brings: read the run's data, ask people, give an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm_core.contracts import AttemptContext
from swarm_core.errors import NotFound
from swarm_core.model.output import Artifact, Inline
from swarm_core.tools import Tool

_LONGEST = 200


async def _read_data(arguments: Mapping[str, Any], context: AttemptContext) -> Any:
    try:
        return context.fetch_data(arguments["key"])
    except NotFound:
        raise ValueError(f"there is no data {arguments['key'][:_LONGEST]!r} in this run") from None


async def _ask_senior(arguments: Mapping[str, Any], context: AttemptContext) -> Any:
    return await context.ask(arguments["question"])


async def _emit_output(arguments: Mapping[str, Any], context: AttemptContext) -> Any:
    context.emit(Artifact(arguments["name"], Inline(arguments["content"])))
    return "kept"


def _parameters(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_NAME = {"type": "string", "minLength": 1, "maxLength": _LONGEST}

OWN_TOOLS = (
    Tool(
        name="read_data",
        summary="Read data that was put into this run under a key.",
        parameters=_parameters(key=_NAME),
        call=_read_data,
    ),
    Tool(
        name="ask_senior",
        summary="Ask a person who knows more, and wait for the answer. Use it only when you cannot go on alone.",
        parameters=_parameters(question={"type": "string", "minLength": 1, "maxLength": 20_000}),
        call=_ask_senior,
    ),
    Tool(
        name="emit_output",
        summary="Give a named by-product of your work, such as a file's text. It is not your answer.",
        parameters=_parameters(name=_NAME, content={}),
        call=_emit_output,
    ),
)
