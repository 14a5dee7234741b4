"""`swarm issue`: wishes for changes of Blueprints."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import EnhanceLogNotFound
from swarm_core.model.ids import new_id
from swarm_plugin_enhance.command_parts import (
    OK,
    blueprints,
    complete_blueprints,
    echo,
    echo_entry,
    issue_argument,
    json_option,
    store_option,
)

if TYPE_CHECKING:
    from swarm_core.model.enhance import EnhanceLogEntry, IssuePayload, TakenIssue

_STATUSES = ("pending", "in_flight", "applied", "rejected")
_SHOWN = 60


@click.group("issue")
def issue() -> None:
    """Say what is to change in a Blueprint; `swarm enhance` works on it."""


@issue.command("add")
@click.argument("blueprint_id", metavar="BLUEPRINT", shell_complete=complete_blueprints)
@click.argument("intent", metavar="INTENT|@FILE|-")
@store_option
@json_option("one object: issue_id, status")
@click.pass_context
def add(ctx: click.Context, /, *, blueprint_id: str, intent: str, store: str | None, as_json: bool) -> int:
    """Keep a wish for a change of BLUEPRINT, in words.

    Exit codes: 0, 3 the wish is empty, 4 no such Blueprint or file.
    """
    line = command_line(ctx)
    text = str(line.readings(intent, "text")[0])
    made = asyncio.run(_add(line, store, blueprint_id, text))
    if as_json:
        line.print_json({"issue_id": made.issue_id, "status": "pending"})
    else:
        click.echo(made.issue_id)
        line.say("work on it with: swarm enhance tick")
    return OK


async def _add(line: CommandLine, store: str | None, blueprint_id: str, intent: str) -> IssuePayload:
    from swarm_core.model.enhance import IssuePayload

    async with blueprints(line, store) as kept:
        await kept.read_head(blueprint_id)
    made = IssuePayload(issue_id=new_id("h-", secrets.randbits), blueprint_id=blueprint_id, intent=intent.strip())
    async with line.open_enhance(store, make=True) as stores:
        await stores.issues.create(made)
    return made


@issue.command("list")
@click.option("--blueprint", metavar="NAME", shell_complete=complete_blueprints, help="Only those for this Blueprint.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those that stand so.")
@store_option
@json_option("one array of objects")
@click.pass_context
def listing(
    ctx: click.Context, /, *, blueprint: str | None, status: str | None, store: str | None, as_json: bool
) -> int:
    """List issues, the oldest first."""
    from swarm_plugin_enhance.shapes import issues_json

    line = command_line(ctx)

    async def found() -> list[dict[str, Any]]:
        async with line.open_enhance(store) as stores:
            return await issues_json(stores.issues, blueprint_id=blueprint, status=status)

    issues = asyncio.run(found())
    if as_json:
        line.print_json(issues)
    else:
        rows = [[each["issue_id"], each["blueprint_id"], each["status"], _short(each["intent"])] for each in issues]
        line.print_table(("issue", "blueprint", "status", "intent"), rows, empty="no issues")
    return OK


@issue.command("show")
@issue_argument()
@store_option
@json_option("one object: issue_id, status, blueprint_id, intent, reason, new_version")
@click.pass_context
def show(ctx: click.Context, /, *, issue_id: str, store: str | None, as_json: bool) -> int:
    """Show an issue, where it stands, and what became of it.

    Exit codes: 0, 4 no such issue.
    """
    line = command_line(ctx)
    found, entry, taken = asyncio.run(_shown(line, issue_id, store))
    if as_json:
        line.print_json(found)
    elif entry is not None:
        echo_entry(entry)
    else:
        echo(f"{found['issue_id']} {found['status']} {found['blueprint_id']}: {found['intent']}")
        if taken is not None:
            echo(f"  in the hands of {taken.owner}, taking number {taken.attempt}")
    return OK


async def _shown(
    line: CommandLine, issue_id: str, store: str | None
) -> tuple[dict[str, Any], EnhanceLogEntry | None, TakenIssue | None]:
    """Return the issue, its log entry and its holder; those that are there."""
    from swarm_plugin_enhance.shapes import issue_json

    async with line.open_enhance(store) as stores:
        found = issue_json(await stores.issues.get(issue_id), await stores.issues.status(issue_id))
        entry: EnhanceLogEntry | None = None
        with suppress(EnhanceLogNotFound):
            entry = await stores.log.get(issue_id)
        return found, entry, await stores.issues.holder(issue_id)


def _short(text: str) -> str:
    first = " ".join(text.split())
    return first if len(first) <= _SHOWN else f"{first[: _SHOWN - 3]}..."
