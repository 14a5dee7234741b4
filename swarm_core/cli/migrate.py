"""`swarm migrate`: bind a run to another Blueprint, after telling what of it stays valid."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click

from swarm_core.cli import inputs, outcome, stores
from swarm_core.cli.tables import print_table
from swarm_core.cli.watching import history_of
from swarm_core.engine.migration import Migration, StepNote
from swarm_core.settings import Settings, store_url
from swarm_core.swarm import Swarm


@click.command("migrate")
@stores.run_argument
@click.option("--to", "file", type=inputs.SOURCE, required=True, metavar="FILE|bp:NAME", help="The new Blueprint.")
@click.option("--yes", "-y", is_flag=True, help="Do it without asking.")
@stores.store_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one object: run_id, from, to, kept, again, dropped, migrated."
)
@click.pass_context
def command(ctx: click.Context, /, run: str, *, file: Path | str, yes: bool, store: str | None, as_json: bool) -> int:
    """Let RUN go on with the Blueprint in FILE, or with one that is kept (bp:NAME[@SELECTOR]), when it is resumed next.

    It says first which recorded steps stay valid, which run again, and which have no place any more; then it asks.
    Without a terminal nothing is done unless --yes is given. Exit codes: 0 done, 2 nobody could be asked, 3 the
    Blueprint is wrong, or the run has ended or is held, 4 no such run, 130 declined.
    """
    settings = inputs.settings_of(ctx)
    stores.require(settings, store, run)
    text = inputs.read_stdin() if str(file) == "-" else None
    return asyncio.run(_migrate(settings, run, file, text, yes=yes, store=store, as_json=as_json))


async def _migrate(
    settings: Settings, name: str, file: Path | str, text: bytes | None, *, yes: bool, store: str | None, as_json: bool
) -> int:
    async with AsyncExitStack() as stack:
        with outcome.kept_stdout():
            blueprints = inputs.blueprints_of(settings, file, store)
            opening = Swarm.open(settings, store=store_url(settings, store), blueprints=blueprints)
            swarm = await stack.enter_async_context(opening)
            run = await history_of(swarm).run(name)
            plan = await swarm.plan_migration(run.id, await swarm.fetch(file, text=text))
        if not as_json:
            _print(plan)
        code = outcome.OK if yes else _ask(plan.run_id)
        if code == outcome.OK:
            await swarm.migrate(plan)
    if as_json:
        outcome.print_json({**plan.as_json(), "migrated": code == outcome.OK})
    if code == outcome.OK:
        outcome.say(f"{plan.run_id} migrated; go on with: swarm resume {plan.run_id}{stores.suffix(store)}")
    return code


def _ask(run_id: str) -> int:
    """Ask whether it shall be done; return the exit code."""
    if sys.stdin is None or not sys.stdin.isatty():
        outcome.say("nothing was done: nobody can be asked here; say --yes to do it")
        return outcome.USAGE
    if click.confirm(f"Bind {run_id} to the new Blueprint?", err=True):
        return outcome.OK
    outcome.say("nothing was done")
    return outcome.INTERRUPTED


def _print(plan: Migration) -> None:
    click.echo(f"{plan.run_id}  {plan.before[:16]} -> {plan.digest[:16]}")
    for title, notes in (("Kept", plan.kept), ("Run again", plan.again), ("Without a place", plan.dropped)):
        click.echo(f"\n{title}")
        print_table(("address", "agent", "why"), [_row(note) for note in notes], empty="none")


def _row(note: StepNote) -> tuple[str, ...]:
    return outcome.one_line(note.address), outcome.one_line(note.agent), outcome.one_line(note.reason)
