"""`swarm cancel`: end runs, whoever carries them out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from swarm_core.cli import inputs, outcome, stores
from swarm_core.cli.durations import duration
from swarm_core.errors import SwarmError
from swarm_core.model.run import StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.remote import Runs
from swarm_core.settings import Settings


@click.command("cancel")
@stores.runs_argument()
@click.option(
    "--timeout",
    type=duration,
    default="30s",
    metavar="TIME",
    show_default=True,
    help="How long a run may take to end, such as 10s or 2m.",
)
@stores.place_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects: run_id, status, error.")
@click.pass_context
def command(ctx: click.Context, /, runs: tuple[str, ...], *, timeout: float, store: str | None, as_json: bool) -> int:
    """Cancel RUNs and everything that they have started, and wait until they have ended.

    The process that carries a run out is asked, wherever it is; a run that nobody holds is ended here. A cancelled run
    cannot be resumed. Exit codes: 0 all are cancelled, also when they were before; 3 one had ended otherwise, or did
    not end in time; 4 no such run; 6 the store cannot be used.
    """
    return asyncio.run(_cancel(inputs.settings_of(ctx), runs, timeout, store, as_json=as_json))


async def _cancel(
    settings: Settings, names: Sequence[str], patience: float, store: str | None, *, as_json: bool
) -> int:
    async with stores.opened(settings, store) as history:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_end(history, name, patience)) for name in dict.fromkeys(names)]
        ends = [task.result() for task in tasks]
    if as_json:
        outcome.print_json([_facts(name, end) for name, end in ends])
    codes = [outcome.OK]
    for _, end in ends:
        if isinstance(end, SwarmError):
            codes.append(outcome.exit_code_of(end))
            if not as_json:
                outcome.say(f"error: {end}")
        elif not as_json:
            click.echo(f"{end.id} {end.status}")
    return max(codes)


async def _end(history: Runs, name: str, patience: float) -> tuple[str, StoredRun | SwarmError]:
    try:
        run = await history.run(name)
        return run.id, await history.ask_cancel(run.id, "cli", patience=patience)
    except SwarmError as error:
        return name, error


def _facts(name: str, end: StoredRun | SwarmError) -> dict[str, Any]:
    if isinstance(end, SwarmError):
        return {"run_id": name, "status": None, "error": end.as_json()}
    return {"run_id": end.id, "status": str(RunStatus.CANCELLED), "error": None}
