"""`swarm import`: take in a run that `swarm export` has written."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from attrs import evolve

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.errors import DocumentError
from swarm_core.history import LONGEST_LINE
from swarm_core.model.problem import Problem
from swarm_core.settings import Settings


@click.command("import")
@click.argument("file", type=inputs.FILE)
@stores.store_option
@click.option("--json", "as_json", is_flag=True, help="Print the run's record.")
@click.pass_context
def command(ctx: click.Context, /, file: Path, *, store: str | None, as_json: bool) -> int:
    """Take in the run that FILE (`-` for stdin) tells of, under its own id.

    Everything is checked first; nothing is kept of a file in which anything is wrong. A run that was under way is
    interrupted here, and nobody holds it. To resume it is to run its Blueprint: import what you would run. Exit codes:
    0, 3 the file is wrong or the run is here already, 4 no such file, 6 the store cannot be used.
    """
    return asyncio.run(_import(inputs.settings_of(ctx), file, store, as_json=as_json))


async def _import(settings: Settings, file: Path, store: str | None, *, as_json: bool) -> int:
    name = "<stdin>" if str(file) == "-" else str(file)
    with _opened(file) as source:
        async with stores.opened_here(settings, store, make=True) as history:
            try:
                run = await history.import_(_lines(source))
            except DocumentError as error:
                raise DocumentError([evolve(problem, file=name) for problem in error.problems]) from None
    if as_json:
        outcome.print_json(run.as_json())
        return outcome.OK
    click.echo(f"{run.id} {run.status}")
    if step := wording.next_step(run, [], stores.suffix(store)):
        click.echo(f"next: {step}")
    return outcome.OK


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield the lines, of an endless one no more than is needed to see that it is too long."""
    while line := source.readline(LONGEST_LINE + 2):
        yield line.rstrip(b"\r\n")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        if sys.stdin is None:
            raise click.UsageError("'-' reads from stdin, and stdin is closed")
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        code = "not_found" if isinstance(error, FileNotFoundError) else "not_readable"
        told = "there is no such file" if code == "not_found" else f"cannot be read: {error.strerror}"
        raise DocumentError([Problem(code=code, message=told, file=str(file))]) from None
    with source:
        yield source
