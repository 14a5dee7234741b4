"""`swarm export`: write a run into a file."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import click

from swarm_core.cli import inputs, outcome, stores
from swarm_core.history import History
from swarm_core.settings import Settings


@click.command("export")
@stores.run_argument
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write into FILE, which must not be there; default: stdout.",
)
@stores.store_option
@click.pass_context
def command(ctx: click.Context, /, run: str, *, file: Path | None, store: str | None) -> int:
    """Write RUN down as lines of JSON: its record, Blueprint, journal, questions, outputs and large values.

    `swarm import` takes it in elsewhere. A run that is under way is written down as far as it is; it goes on. The file
    holds all that the run has seen: treat it as you treat that. Exit codes: 0, 4 no such run, 6 the store cannot be
    read or FILE cannot be written.
    """
    if file is not None and str(file) != "-" and file.exists():
        raise click.UsageError(f"{file} is there already; name another file")
    return asyncio.run(_export(inputs.settings_of(ctx), run, None if str(file) == "-" else file, store))


async def _export(settings: Settings, name: str, file: Path | None, store: str | None) -> int:
    async with stores.opened_here(settings, store) as history:
        run = await history.run(name)
        if file is None:
            async for line in history.export(run.id):
                click.echo(line)
        else:
            count = await _write(history, run.id, file)
            outcome.say(f"{run.id} written to {file}: {count} lines")
    return outcome.OK


async def _write(history: History, run_id: str, file: Path) -> int:
    """Write the lines into a file that only its owner can read; it is there when all of them are."""
    half = file.with_name(f"{file.name}.new-{os.getpid()}")
    count = 0
    try:
        with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
            async for line in history.export(run_id):
                out.write(f"{line}\n")
                count += 1
            out.flush()
            os.fsync(out.fileno())
        half.rename(file)
    finally:
        with suppress(FileNotFoundError):
            half.unlink()
    return count
