"""Blueprints that improve themselves: issues, what became of them, and how they are worked on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from attrs import evolve, frozen

from swarm_core.errors import EnhanceSettingNotFound
from swarm_plugin_mcp.backend import Json, Offered
from swarm_plugin_mcp.telling import bounded
from swarm_plugin_mcp.tool import Asked, McpTool, argument

_ISSUES, _LOG, _SETTING = "/v1/issues", "/v1/enhance/log", "/v1/enhance-settings/{setting_id}"
_TICK = "enhance tick"

Status = Literal["pending", "in_flight", "applied", "rejected"]


@frozen
class AddArguments:
    """What `swarm_issue_add` is given."""

    blueprint_id: str = argument("The id of the kept Blueprint that is to change.")
    intent: str = argument("What is wrong with it, or what is wanted, in words.")


@frozen
class IssuesArguments:
    """What `swarm_issues` is given."""

    issue_id: str | None = argument("Show this issue (h-...), in place of a list.", default=None)
    blueprint_id: str | None = argument("Only issues for this Blueprint.", default=None)
    status: Status | None = argument("Only issues that stand there.", default=None)  # noqa: RUF009


@frozen
class TickArguments:
    """What `swarm_enhance_tick` is given."""

    timeout_secs: float = argument(
        "Return after so many seconds at the latest; the work goes on.", default=300.0, least=0, most=86_400
    )


@frozen
class LogArguments:
    """What `swarm_enhance_log` is given."""

    issue_id: str | None = argument("Show what became of this issue (h-...), in place of a list.", default=None)
    blueprint_id: str | None = argument("Only what became of issues for this Blueprint.", default=None)


@frozen
class SettingsArguments:
    """What `swarm_enhance_settings` is given."""

    id: str = argument(
        "The id of the setting; the loop works by `default`, which the first tick makes.", default="default"
    )
    setting: Mapping[str, Any] | None = argument(
        'What is to change in it, such as {"approval": true}; a new one has to be whole. Without it: only show it.',
        default=None,
    )


async def add(asked: Asked, given: AddArguments) -> Json:
    """Take in an issue."""
    body = {"blueprint_id": given.blueprint_id, "intent": given.intent}
    issue = await (await asked.home.backend()).call(Offered(method="POST", route=_ISSUES, body=body))
    return {**issue, "next": "work on it with swarm_enhance_tick"}


async def issues(asked: Asked, given: IssuesArguments) -> Json:
    """List issues, or show one."""
    backend = await asked.home.backend()
    if given.issue_id is not None:
        found: Json = await backend.call(_get(f"{_ISSUES}/{{issue_id}}", issue_id=given.issue_id))
        return found
    told = await backend.call(
        Offered(method="GET", route=_ISSUES, query={"blueprint_id": given.blueprint_id, "status": given.status})
    )
    return bounded(told["issues"], "issues", "ask for those of one Blueprint: blueprint_id")


async def tick(asked: Asked, given: TickArguments) -> Json:
    """Work on one issue."""
    backend = await asked.home.backend()
    done, outcome = await asked.home.errand(
        _TICK, partial(backend.call, Offered(method="POST", route="/v1/enhance/tick")), timeout=given.timeout_secs
    )
    if not done:
        return {"status": "working", "next": "it goes on; call swarm_enhance_tick again to wait for what comes of it"}
    return {**outcome, "next": _NEXT.get(outcome["status"])}


async def log(asked: Asked, given: LogArguments) -> Json:
    """Tell what became of issues."""
    backend = await asked.home.backend()
    if given.issue_id is not None:
        found: Json = await backend.call(_get(f"{_LOG}/{{issue_id}}", issue_id=given.issue_id))
        return found
    entries = await backend.call(Offered(method="GET", route=_LOG, query={"blueprint_id": given.blueprint_id}))
    return bounded(entries, "entries", "ask for those of one Blueprint: blueprint_id")


async def settings(asked: Asked, given: SettingsArguments) -> Json:
    """Show a setting, or change it."""
    backend, wanted = await asked.home.backend(), _get(_SETTING, setting_id=given.id)
    if given.setting is None:
        found: Json = await backend.call(wanted)
        return found
    try:
        there = await backend.call(wanted)
    except EnhanceSettingNotFound:
        there = {}
    changed = {**there, **given.setting, "id": given.id}
    kept: Json = await backend.call(evolve(wanted, method="PUT", body=changed))
    return kept


def _get(route: str, **path: str) -> Offered:
    return Offered(method="GET", route=route, path=path)


_NEXT = {
    "idle": "no issue waits; add one with swarm_issue_add",
    "applied": "see what changed with bp_diff, and why with swarm_enhance_log",
    "rejected": "see why with swarm_enhance_log",
    "waiting": "a person is asked: see swarm_questions, answer with swarm_answer, then call swarm_enhance_tick again",
    "held": "another process works on it; see swarm_issues later",
    "lost": "another process took it up; see swarm_issues later",
}

_tool = partial(McpTool, needs="enhance")

TOOLS = (
    _tool(
        name="swarm_issue_add",
        summary="Say in words what is to change in a kept Blueprint; the enhance loop writes, judges and keeps it.",
        arguments=AddArguments,
        handler=add,
    ),
    _tool(
        name="swarm_issues",
        summary="List issues and where they stand, the oldest first, or show one.",
        arguments=IssuesArguments,
        handler=issues,
        reads=True,
    ),
    _tool(
        name="swarm_enhance_tick",
        summary="Work on the oldest open issue: a patch is written, judged on every axis, and kept as a new version or "
        "rejected. It may call models, which costs.",
        arguments=TickArguments,
        handler=tick,
    ),
    _tool(
        name="swarm_enhance_log",
        summary="Tell what became of issues: what was changed and why, or why not, with the verdicts; or of one.",
        arguments=LogArguments,
        handler=log,
        reads=True,
    ),
    _tool(
        name="swarm_enhance_settings",
        summary="Show how issues are worked on (orbit, axes, who writes patches, whether a person is asked), or change "
        "it.",
        arguments=SettingsArguments,
        handler=settings,
    ),
)
