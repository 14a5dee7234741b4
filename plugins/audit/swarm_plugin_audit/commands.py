"""`swarm audit`: prove that nothing of a run's record was altered, or say where it was."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from swarm_core.codec.chain import Chain
from swarm_core.codec.row_text import link_from_hex
from swarm_core.commands import CommandLine, command_line
from swarm_core.errors import RunNotFound
from swarm_core.model.run import RunFilter
from swarm_plugin_audit.file import check_file, file_lines

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_LINE = 64 * 1024 * 1024
_EVERY = RunFilter(limit=2**31)
_SHOWN = 10  # findings of a run
_WHOLE, _ALTERED = 0, 1


@click.group("audit")
def audit() -> None:
    """Prove that nothing of a run's record was altered, or say where it was.

    Each commit to a run's journal carries a link of a hash chain over all commits before it.
    """


def _store_option(command: F) -> F:
    text = "Where runs are kept, such as sqlite:///runs.db; default: as for `swarm runs`."
    return click.option("--store", metavar="URL", callback=_only_store, help=text)(command)


def _only_store(ctx: click.Context, parameter: click.Parameter, store: str | None) -> str | None:
    """Refuse to look at a server that is only set: the links of a chain are in its store."""
    if store is None and not ctx.resilient_parsing and command_line(ctx).settings().client.server is not None:
        text = f"{ctx.command_path} works on a store itself, not over a server; name the store with --store URL"
        raise click.UsageError(text)
    return store


def _json_option(text: str) -> Callable[[F], F]:
    return click.option("--json", "as_json", is_flag=True, help=text)


# verify ------------------------------------------------------------------------------------------------------


@audit.command("verify")
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Look at all runs of the store.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Look at a file that `swarm audit export` made; no store is needed.",
)
@click.option("--head", metavar="HEX", help="A link that the run once had: nothing up to there was rewritten.")
@_store_option
@_json_option("Print one array of objects: run_id, status, seq, rows, link, whole, findings.")
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    runs: tuple[str, ...],
    *,
    every: bool,
    file: Path | None,
    head: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Follow the chain of runs and tell whether each is as it was written.

    What is altered, missing, doubled or in another order is told with the number of the first event that is wrong; so
    is a record that does not agree with its events. Exit codes: 0 all are whole, 1 something was altered, 3 FILE is no
    audit export, 4 no such run, 6 the store cannot be read.
    """
    _check_usage(runs, every=every, file=file, head=head)
    if file is not None:
        chains = [_of_file(file, head)]
    else:
        chains = asyncio.run(_of_store(command_line(ctx), store, runs, head))
    _print(command_line(ctx), chains, as_json=as_json)
    return _WHOLE if all(chain.whole for chain in chains) else _ALTERED


def _check_usage(runs: Sequence[str], *, every: bool, file: Path | None, head: str | None) -> None:
    if (bool(runs), every, file is not None).count(True) != 1:
        raise click.UsageError("name one or more runs, or --all, or --file FILE")
    if head is None:
        return
    if every or len(runs) > 1:
        raise click.UsageError("--head is the link of one run; name that one")
    try:
        link_from_hex(head)
    except ValueError as error:
        hint = "see: swarm audit head RUN"
        raise click.BadParameter(f"{error}; {hint}", param_hint="--head") from None


def _of_file(file: Path, head: str | None) -> Chain:
    with file.open("rb") as opened:
        return check_file(_lines_of(opened), str(file), head=None if head is None else link_from_hex(head))


def _lines_of(opened: Any) -> Iterator[bytes]:
    """Yield lines; of one that is longer than any that is written, pieces, which are no lines of ours."""
    return iter(partial(opened.readline, _LONGEST_LINE), b"")


async def _of_store(line: CommandLine, store: str | None, names: Sequence[str], head: str | None) -> list[Chain]:
    async with line.open_history(store) as history:
        named = [(await history.run(name)).id for name in names]
        if names:
            return [await history.chain(run_id, head=head) for run_id in dict.fromkeys(named)]
        chains = []
        for run in await history.runs(_EVERY):
            with suppress(RunNotFound):  # it was removed meanwhile
                chains.append(await history.chain(run.id))
        return chains


def _print(line: CommandLine, chains: Sequence[Chain], *, as_json: bool) -> None:
    if as_json:
        line.print_json([chain.as_json() for chain in chains])
        return
    rows = [
        (chain.run_id, str(chain.status), str(chain.seq), "whole" if chain.whole else f"wrong in {len(chain.findings)}")
        for chain in chains
    ]
    line.print_table(("run", "status", "events", "record"), rows, empty="no runs")
    for chain in chains:
        for finding in chain.findings[:_SHOWN]:
            line.say(f"{chain.run_id}: {finding.message}")
        if (left := len(chain.findings) - _SHOWN) > 0:
            line.say(f"{chain.run_id}: {left} more; see them with --json")


# head --------------------------------------------------------------------------------------------------------


@audit.command("head")
@click.argument("run", metavar="RUN")
@_store_option
@_json_option("Print one object: run_id, status, seq, link.")
@click.pass_context
def head(ctx: click.Context, /, run: str, *, store: str | None, as_json: bool) -> int:
    """Print where RUN stands: the number of its last event, its status, and the link of its last row.

    Keep the link where nobody who can write to the store can write: `swarm audit verify RUN --head HEX` proves later
    that nothing up to there was rewritten. Exit codes: 0; 1 the run is not whole, and no link is printed; 4 no such
    run, 6 the store cannot be read.
    """
    return asyncio.run(_head(command_line(ctx), run, store, as_json=as_json))


async def _head(line: CommandLine, name: str, store: str | None, *, as_json: bool) -> int:
    async with line.open_history(store) as history:
        chain = await history.chain((await history.run(name)).id)
    if not chain.whole:
        line.say(f"{chain.run_id} is not whole; see: swarm audit verify {chain.run_id}")
        return _ALTERED
    if as_json:
        line.print_json({"run_id": chain.run_id, "status": str(chain.status), "seq": chain.seq, "link": chain.link})
    else:
        click.echo(f"{chain.seq} {chain.status} {chain.link}")
    return _WHOLE


# export ------------------------------------------------------------------------------------------------------


@audit.command("export")
@click.argument("run", metavar="RUN")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write into FILE, which must not be there; default: stdout.",
)
@_store_option
@click.pass_context
def export(ctx: click.Context, /, run: str, *, file: Path | None, store: str | None) -> int:
    """Write the events of RUN down as lines of JSON, each with the link of its row.

    `swarm audit verify --file FILE` checks them anywhere. Large values stand as references with their SHA-256; to carry
    a run with all its values elsewhere, use `swarm export`. Exit codes: 0, 4 no such run, 6 the store cannot be read.
    """
    if file is not None and str(file) == "-":
        file = None
    if file is not None and file.exists():
        raise click.UsageError(f"{file} is there already; name another file")
    return asyncio.run(_export(command_line(ctx), run, file, store))


async def _export(line: CommandLine, name: str, file: Path | None, store: str | None) -> int:
    async with line.open_history(store) as history:
        run = await history.run(name)
        if file is None:
            async for data in file_lines(history, run):
                click.echo(data, nl=False)
        else:
            await _write(history, run, file)
            line.say(f"{run.id} written to {file}: {run.last_seq} events")
    return _WHOLE


async def _write(history: Any, run: Any, file: Path) -> None:
    """Write the lines into a file that only its owner can read; it is there when all of them are."""
    half = file.with_name(f"{file.name}.new-{os.getpid()}")
    try:
        with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            async for data in file_lines(history, run):
                out.write(data)
            out.flush()
            os.fsync(out.fileno())
        half.rename(file)
    finally:
        with suppress(FileNotFoundError):
            half.unlink()
