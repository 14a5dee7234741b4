"""What a sub-agent does with the handle that it was given."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.tool import Asked, McpTool, argument

_HANDLE = "The worker handle (wh-...) of a spawn message."


@frozen
class PromptArguments:
    """What `mse_worker_prompt` is given."""

    handle: str = argument(_HANDLE)
    task_id: str | None = argument("The task, to make sure that the handle is its own.", default=None)


@frozen
class SubmitArguments:
    """What `mse_worker_submit` is given."""

    handle: str = argument(_HANDLE)
    value: Any = argument("The result: text or any JSON value.")  # noqa: RUF009
    ok: bool = argument("False when the work could not be done; value says why.", default=True)
    part: str | None = argument("The name of a part; the last call, without a name, joins the parts.", default=None)


async def prompt(asked: Asked, given: PromptArguments) -> Json:
    """Return a worker's work."""
    return await (await asked.home.backend()).worker_prompt(given.handle, given.task_id)


async def submit(asked: Asked, given: SubmitArguments) -> Json:
    """Take a worker's result."""
    await (await asked.home.backend()).worker_submit(given.handle, given.value, ok=given.ok, part=given.part)
    return {"submitted": True, "next": "whoever gave you the handle ends the attempt with mse_ack"}


TOOLS = (
    McpTool(
        name="mse_worker_prompt",
        summary="Get the work that a worker handle stands for: system (how the agent works) and prompt (what to do).",
        arguments=PromptArguments,
        handler=prompt,
        reads=True,
    ),
    McpTool(
        name="mse_worker_submit",
        summary="Give the final result of the work that a worker handle stands for.",
        arguments=SubmitArguments,
        handler=submit,
    ),
)
