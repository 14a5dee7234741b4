"""`swarm enhance`: work on issues, and see what became of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from swarm_core.commands import CommandLine, command_line
from swarm_plugin_enhance.command_parts import (
    FLOW_FAILED,
    OK,
    SHORT,
    WAITING,
    complete_blueprints,
    echo,
    echo_entry,
    issue_argument,
    json_option,
    run_async,
    runs_option,
    store_option,
)
from swarm_plugin_enhance.outcome import APPLIED, HELD, REJECTED, TickOutcome
from swarm_plugin_enhance.setting_commands import settings

if TYPE_CHECKING:
    from swarm_core.model.enhance import EnhanceLogEntry


@click.group("enhance")
def enhance() -> None:
    """Let Blueprints improve themselves: issues become patches, which are judged before they are kept."""


enhance.add_command(settings)


@enhance.command("tick")
@runs_option
@json_option("one object: issue_id, blueprint_id, status, new_version, reason, run_id, questions")
@click.pass_context
def tick(ctx: click.Context, /, *, store: str | None, as_json: bool) -> int:
    """Work on one issue: the oldest that there is something to do for.

    Exit codes: 0 applied, or nothing to do; 1 rejected; 6 the store cannot be used; 7 waiting for an answer; 130
    interrupted (the issue is then for whoever comes next).
    """
    from swarm_plugin_enhance.application import EnhanceApplication

    line = command_line(ctx)

    async def work() -> TickOutcome | None:
        async with line.open_swarm(store=store) as swarm:
            return await EnhanceApplication(swarm).tick()

    outcome = run_async(work())
    if as_json:
        line.print_json({"status": "idle"} if outcome is None else outcome.as_json())
    elif outcome is None:
        line.say("there are no issues to work on; add one with: swarm issue add BLUEPRINT INTENT")
    else:
        _tell(line, outcome)
    return _exit_code([] if outcome is None else [outcome])


@enhance.command("run")
@click.option("--follow", is_flag=True, help="Wait for more when nothing is left to do.")
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print an object per line as it comes, as `tick` does.")
@click.pass_context
def run(ctx: click.Context, /, *, follow: bool, store: str | None, as_json: bool) -> int:
    """Work on issues until nothing is left to do.

    Exit codes: as those of `tick`; 1 when any was rejected.
    """
    from swarm_plugin_enhance.application import EnhanceApplication

    line, out = command_line(ctx), sys.stdout  # while a swarm is open, stdout is kept for what is printed here
    outcomes: list[TickOutcome] = []

    async def work() -> None:
        async with line.open_swarm(store=store) as swarm:
            async for outcome in EnhanceApplication(swarm).run_forever(follow=follow):
                outcomes.append(outcome)
                _print_line(outcome, out) if as_json else _tell(line, outcome, out)

    run_async(work())
    if not outcomes and not as_json:
        line.say("there are no issues to work on; add one with: swarm issue add BLUEPRINT INTENT")
    return _exit_code(outcomes)


@enhance.command("log")
@issue_argument(required=False)
@click.option("--blueprint", metavar="NAME", shell_complete=complete_blueprints, help="Only those of this Blueprint.")
@store_option
@json_option("one object with ISSUE, else one array of objects")
@click.pass_context
def log(ctx: click.Context, /, *, issue_id: str | None, blueprint: str | None, store: str | None, as_json: bool) -> int:
    """Show what became of ISSUE, or of all issues, the oldest first.

    Exit codes: 0, 4 no such entry.
    """
    line = command_line(ctx)
    entries = asyncio.run(_entries(line, store, issue_id, blueprint))
    if as_json:
        told = [entry.as_json() for entry in entries]
        line.print_json(told if issue_id is None else told[0])
    elif issue_id is not None:
        echo_entry(entries[0])
    else:
        rows = [[each.issue_id, each.blueprint_id, each.status, _change(each), _why(each)] for each in entries]
        line.print_table(
            ("issue", "blueprint", "status", "change", "why"), rows, empty="nothing became of any issue yet"
        )
    return OK


async def _entries(
    line: CommandLine, store: str | None, issue_id: str | None, blueprint: str | None
) -> Sequence[EnhanceLogEntry]:
    async with line.open_enhance(store) as stores:
        if issue_id is not None:
            return [await stores.log.get(issue_id)]
        return await (stores.log.list_all() if blueprint is None else stores.log.list_by_blueprint(blueprint))


def _change(entry: EnhanceLogEntry) -> str:
    return f"{entry.prev_hash[:SHORT]} -> {entry.new_hash[:SHORT]}" if entry.new_hash else ""


def _why(entry: EnhanceLogEntry) -> str:
    text = " ".join(("; ".join(entry.reasons) or entry.rationale).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _tell(line: CommandLine, outcome: TickOutcome, out: TextIO | None = None) -> None:
    echo(
        f"{outcome.issue_id} {outcome.status} {outcome.blueprint_id} {(outcome.new_version or '')[:SHORT]}".strip(), out
    )
    if outcome.status == APPLIED:
        line.say(f"see what changed: swarm bp diff {outcome.blueprint_id}")
    elif outcome.status == REJECTED:
        line.say(f"{outcome.reason}")
    elif outcome.status == HELD:
        line.say(f"another engine carries its run out; follow it with: swarm watch {outcome.run_id}")
    for key in outcome.questions:
        line.say(f"answer it with: swarm answer {key}")
    if outcome.questions:
        line.say("and go on with: swarm enhance tick")


def _print_line(outcome: TickOutcome, out: TextIO) -> None:
    click.echo(json.dumps(outcome.as_json(), ensure_ascii=False), file=out)


def _exit_code(outcomes: Sequence[TickOutcome]) -> int:
    statuses: set[Any] = {outcome.status for outcome in outcomes}
    if REJECTED in statuses:
        return FLOW_FAILED
    return WAITING if any(outcome.questions for outcome in outcomes) else OK
