"""Beginning runs, and staying with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from swarm_plugin_mcp.backend import Backend, Json, Order
from swarm_plugin_mcp.sources import BLUEPRINT, FILE, source_of
from swarm_plugin_mcp.telling import told
from swarm_plugin_mcp.tool import Asked, McpTool, argument
from swarm_plugin_mcp.waiting import stay

_RUN = "The run's id, or the beginning of one."
_TIMEOUT = "Return after so many seconds at the latest; the run goes on."
_DETACH = "Return at once; follow the run with swarm_watch."
_LONGEST = 86_400

Kind = Literal["main_ai", "automate", "composite"]


@frozen
class RunArguments:
    """What `swarm_run` is given."""

    blueprint: Mapping[str, Any] | str | None = argument(BLUEPRINT, default=None)
    file: str | None = argument(FILE, default=None)
    init_ctx: Any = argument(  # noqa: RUF009
        "The initial ctx, usually an object; goes over the Blueprint's default_init_ctx.", default=None
    )
    timeout_secs: float = argument(_TIMEOUT, default=300.0, least=0, most=_LONGEST)
    detach: bool = argument(_DETACH, default=False)
    bind: Mapping[str, str] = argument('Agents to run on other kinds, e.g. {"reviewer": "fake"}.', default={})
    layers: str = argument("The layer set to use.", default="standard")
    budget: Mapping[str, Any] | None = argument('Bounds of the run, e.g. {"dispatches": 50}.', default=None)
    key: str | None = argument("Launch once: the run that was launched under this key is returned again.", default=None)
    operator_id: str = argument("The name of who launches.", default="mcp-run")
    operator_kind: Kind | None = argument("How the operator takes part in all agents' attempts.", default=None)  # noqa: RUF009
    operator_kind_overrides: Mapping[str, Kind] = argument("The same for single agents, by name.", default={})
    operator_sid: str | None = argument(
        "An operator session (mse_operator_join) that gets the work of all agents, where the Blueprint lists the layer "
        "operator_delegate.",
        default=None,
    )
    senior_bridge_id: str | None = argument("Who answers when a worker is stuck: a session or role.", default=None)
    spawn_hook_id: str | None = argument(
        "Who sees attempts before and after, as main AI: a session or role.", default=None
    )


@frozen
class WatchArguments:
    """What `swarm_watch` is given."""

    run_id: str = argument(_RUN)
    timeout_secs: float = argument(_TIMEOUT, default=300.0, least=0, most=_LONGEST)
    after: int = argument("Tell progress from this event number on.", default=0, least=0)


@frozen
class ResumeArguments:
    """What `swarm_resume` is given."""

    run_id: str = argument(_RUN)
    timeout_secs: float = argument(_TIMEOUT, default=300.0, least=0, most=_LONGEST)
    detach: bool = argument(_DETACH, default=False)


@frozen
class RerunArguments:
    """What `swarm_rerun` is given."""

    run_id: str = argument(_RUN)
    steps: tuple[str, ...] = argument(
        "Step addresses (swarm_show) to begin at; none: the steps that failed.", default=()
    )
    timeout_secs: float = argument(_TIMEOUT, default=300.0, least=0, most=_LONGEST)
    detach: bool = argument(_DETACH, default=False)


async def run(asked: Asked, given: RunArguments) -> Json:
    """Launch a run, and stay with it."""
    source = source_of(asked.home, given.blueprint, given.file)
    backend = await asked.home.backend()
    run_id = await backend.launch(
        Order(
            source=source,
            init_ctx=given.init_ctx,
            bind=given.bind,
            layers=given.layers,
            budget=given.budget,
            key=given.key,
            operator_id=given.operator_id,
            operator_kind=given.operator_kind,
            agent_kinds=given.operator_kind_overrides,
            operator_sid=given.operator_sid,
            senior_id=given.senior_bridge_id,
            hook_id=given.spawn_hook_id,
        )
    )
    return await _stay(asked, backend, run_id, 0.0 if given.detach else given.timeout_secs)


async def watch(asked: Asked, given: WatchArguments) -> Json:
    """Stay with a run."""
    backend = await asked.home.backend()
    run_id = (await backend.run(given.run_id))["id"]
    return await _stay(asked, backend, run_id, given.timeout_secs, after=given.after)


async def resume(asked: Asked, given: ResumeArguments) -> Json:
    """Go on with a run, and stay with it."""
    backend = await asked.home.backend()
    record = await backend.run(given.run_id)
    await backend.resume(record["id"])
    timeout = 0.0 if given.detach else given.timeout_secs
    return await _stay(asked, backend, record["id"], timeout, after=record["last_seq"])


async def rerun(asked: Asked, given: RerunArguments) -> Json:
    """Begin a run that shares steps with another, and stay with it."""
    backend = await asked.home.backend()
    parent = (await backend.run(given.run_id))["id"]
    run_id = await backend.rerun(parent, given.steps)
    return {"rerun_of": parent, **await _stay(asked, backend, run_id, 0.0 if given.detach else given.timeout_secs)}


async def _stay(asked: Asked, backend: Backend, run_id: str, timeout: float, *, after: int = 0) -> Json:
    why, record = await stay(asked.home, backend, run_id, timeout=timeout, progress=asked.progress, after=after)
    return await told(backend, record, why)


TOOLS = (
    McpTool(
        name="swarm_run",
        summary="Run a Blueprint. Returns its status and final_ctx or error; earlier when the run waits for an answer, "
        "when work waits for an operator session of yours, or after timeout_secs: the run goes on then.",
        arguments=RunArguments,
        handler=run,
    ),
    McpTool(
        name="swarm_watch",
        summary="Stay with a run until it has ended, waits for an answer, work waits for you, or the time "
        "is over; tells "
        "progress step by step. Ending the call leaves the run going.",
        arguments=WatchArguments,
        handler=watch,
        reads=True,
    ),
    McpTool(
        name="swarm_resume",
        summary="Go on with a run that was interrupted, or whose answers have come. Recorded steps are not run again.",
        arguments=ResumeArguments,
        handler=resume,
    ),
    McpTool(
        name="swarm_rerun",
        summary="Begin a new run that shares the steps of a recorded one that do not depend on those it begins at.",
        arguments=RerunArguments,
        handler=rerun,
    ),
)
