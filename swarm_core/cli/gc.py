"""`swarm gc`: remove runs that ended long ago."""

from __future__ import annotations

import asyncio

import click

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.durations import duration
from swarm_core.cli.tables import print_table
from swarm_core.settings import Settings


@click.command("gc")
@click.option(
    "--older-than",
    type=duration,
    required=True,
    metavar="TIME",
    help="Remove what ended longer ago than this, such as 30d or 12h.",
)
@click.option("--keep-failed", is_flag=True, help="Keep the runs that failed.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print one object: removed, dry_run.")
@click.pass_context
def command(
    ctx: click.Context, /, *, older_than: float, keep_failed: bool, dry_run: bool, store: str | None, as_json: bool
) -> int:
    """Remove runs that have ended, with their journals, questions and outputs.

    A run that can still go on is never removed, however old it is: cancel it first. Exit codes: 0, 6 the store cannot
    be used.
    """
    return asyncio.run(
        _collect(inputs.settings_of(ctx), older_than, store, keep_failed=keep_failed, dry_run=dry_run, as_json=as_json)
    )


async def _collect(
    settings: Settings, older_than: float, store: str | None, *, keep_failed: bool, dry_run: bool, as_json: bool
) -> int:
    async with stores.opened_here(settings, store) as history:
        runs = await history.collect(older_than, keep_failed=keep_failed, dry_run=dry_run)
        now = history.clock.time()
    if as_json:
        outcome.print_json({"removed": [run.id for run in runs], "dry_run": dry_run})
        return outcome.OK
    rows = [
        (run.id, outcome.one_line(run.blueprint_id), str(run.status), wording.duration(now - (run.ended_at or now)))
        for run in runs
    ]
    if rows:
        print_table(("run", "Blueprint", "status", "ended ago"), rows, empty="")
    click.echo(f"{wording.counted(len(rows), 'run')} {'would be removed' if dry_run else 'removed'}")
    return outcome.OK
