"""What a worker outside the process does with its handle. The engine's door decides what it may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swarm_core.codec import unstructure
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.errors import ToolRefused

if TYPE_CHECKING:
    from swarm_core.serving import LiveSwarm


def prompt(swarm: LiveSwarm, handle: str, task_id: str | None) -> Json:
    """Return the work of a live attempt; raises AccessDenied, TokenDecodeError, StaleAttempt."""
    payload: Json = unstructure(swarm.engine.door.fetch_worker_payload(handle, task_id))
    return {name: value for name, value in payload.items() if value is not None}


def submit(swarm: LiveSwarm, handle: str, value: Any, *, ok: bool, part: str | None) -> None:
    """Take the result of a live attempt, or a named part of it; raises as `prompt`, ResultConflict, ToolRefused."""
    try:
        swarm.engine.door.submit_result(handle, value, ok=ok, part=part)
    except ValueError as error:
        raise ToolRefused("bad_arguments", str(error)) from None
