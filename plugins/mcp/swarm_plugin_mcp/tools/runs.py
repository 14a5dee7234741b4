"""Looking at runs, and ending them."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from swarm_core.errors import DocumentError
from swarm_core.model.path import BadPath, parse_path
from swarm_core.model.run import RunFilter
from swarm_core.model.task import RunStatus
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.errors import ToolRefused
from swarm_plugin_mcp.telling import bounded, told
from swarm_plugin_mcp.tool import Asked, McpTool, argument

_RUN = "The run's id, or the beginning of one."
_EVENTS = 100


@frozen
class StatusArguments:
    """What `swarm_status` is given."""

    run_id: str = argument(_RUN)
    log_lines: int = argument("How many of the last events to tell.", default=10, least=0, most=200)


@frozen
class RunsArguments:
    """What `swarm_runs` is given."""

    status: tuple[RunStatus, ...] = argument("Only runs that stand there.", default=())
    blueprint_id: str | None = argument("Only runs of this Blueprint.", default=None)
    before: str | None = argument("Only runs older than this one: its id.", default=None)
    limit: int = argument("So many at most.", default=20, least=1, most=200)


@frozen
class ShowArguments:
    """What `swarm_show` is given."""

    run_id: str = argument(_RUN)
    what: Literal["steps", "result", "events"] = argument("What to show.", default="steps")
    path: str = argument("Only this part of the result, e.g. $.review.verdict.", default="$")
    after: int = argument("Only events after this number.", default=0, least=0)
    limit: int = argument("So many steps or events at most.", default=50, least=1, most=500)


@frozen
class CancelArguments:
    """What `swarm_cancel` is given."""

    run_id: str = argument(_RUN)


async def status(asked: Asked, given: StatusArguments) -> Json:
    """Tell where a run stands."""
    backend = await asked.home.backend()
    return await told(backend, await backend.run(given.run_id), lines=given.log_lines)


async def runs(asked: Asked, given: RunsArguments) -> Json:
    """List runs."""
    backend = await asked.home.backend()
    before = None if given.before is None else (await backend.run(given.before))["id"]
    wanted = RunFilter(statuses=given.status, blueprint_id=given.blueprint_id, before=before, limit=given.limit)
    found = await backend.runs(wanted)
    return {
        "runs": [{name: run[name] for name in _TOLD} for run in found],
        "next": found[-1]["id"] if len(found) == given.limit else None,
    }


async def show(asked: Asked, given: ShowArguments) -> Json:
    """Show the steps, the events or the result of a run."""
    backend = await asked.home.backend()
    run_id = (await backend.run(given.run_id))["id"]
    if given.what == "events":
        events = await backend.events(run_id, given.after, given.limit)
        full = events[-1]["seq"] if len(events) == given.limit else None
        return {"run_id": run_id, **bounded(events, "events", "ask for fewer: limit"), "next": full}
    if given.what == "result":
        value = _part(await backend.result(run_id), given.path)
        return {"run_id": run_id, "path": given.path, **bounded(value, "result", "ask for a part of it: path")}
    steps = await backend.steps(run_id)
    shown = bounded(steps[-given.limit :], "steps", "ask for fewer: limit")
    return {"run_id": run_id, "count": len(steps), **shown}


async def cancel(asked: Asked, given: CancelArguments) -> Json:
    """End a run and all its work."""
    backend = await asked.home.backend()
    run_id = (await backend.run(given.run_id))["id"]
    return await told(backend, await backend.cancel(run_id, "mcp"))


_TOLD = ("id", "blueprint_id", "blueprint_hash", "status", "created_at", "updated_at", "ended_at", "counts", "error")


def _part(value: Any, path: str) -> Any:
    """Return the part of a value that a path leads to; raises ToolRefused."""
    try:
        keys = parse_path(path)
    except (BadPath, DocumentError) as error:
        raise ToolRefused("bad_path", f"{path!r} is no path: {error}", hint="write it as $.review.items[0]") from None
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            known = ", ".join(list(value)[:20]) if isinstance(value, dict) else ""
            hint = f"there are: {known}" if known else None
            raise ToolRefused("path_not_found", f"the result has nothing at {path}", hint=hint) from None
    return value


TOOLS = (
    McpTool(
        name="swarm_status",
        summary="Tell where a run stands: status, final_ctx or error, open questions, its last events, "
        "what to do next.",
        arguments=StatusArguments,
        handler=status,
        reads=True,
    ),
    McpTool(
        name="swarm_runs",
        summary="List runs, the newest first.",
        arguments=RunsArguments,
        handler=runs,
        reads=True,
    ),
    McpTool(
        name="swarm_show",
        summary="Show the steps of a run with their addresses and results, its events, or its final ctx or "
        "a part of it.",
        arguments=ShowArguments,
        handler=show,
        reads=True,
    ),
    McpTool(
        name="swarm_cancel",
        summary="End a run and everything it started, whoever carries it out. It cannot be resumed afterwards.",
        arguments=CancelArguments,
        handler=cancel,
        destroys=True,
    ),
)
