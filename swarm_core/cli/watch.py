"""`swarm watch`: follow a run that another process carries out."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import nullcontext

import click

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.asking import waiting_lines
from swarm_core.cli.interrupt import on_first_signal, to_the_end
from swarm_core.cli.progress import progress_for
from swarm_core.model.run import StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.remote import Runs
from swarm_core.settings import Settings


@click.command("watch")
@stores.run_argument
@stores.place_option
@click.option("--json", "as_json", is_flag=True, help="Print the events, one JSON object a line, as they come.")
@click.pass_context
def command(ctx: click.Context, /, run: str, *, store: str | None, as_json: bool) -> int:
    """Show RUN as `swarm run` does, whoever carries it out, from its begin until it ends.

    Ctrl-C ends the watching, not the run. Exit codes: that of the run when it has ended (0 done, 1 failed, 130
    cancelled), 7 when it waits for an answer and nobody holds it, 130 when it was interrupted, 4 no such run, 6 the
    store cannot be used.
    """
    return to_the_end(_watch(inputs.settings_of(ctx), run, store, as_json=as_json))


async def _watch(settings: Settings, name: str, store: str | None, *, as_json: bool) -> int:
    async with stores.opened(settings, store) as history:
        run = await history.run(name)
        if not await follow(history, run.id, as_json=as_json):
            outcome.say(f"no longer watching; {run.id} goes on")
            return outcome.INTERRUPTED
        run = await history.stands(run.id)
        for line in await _last_lines(history, run, stores.suffix(store)):
            outcome.say(line)
    return outcome.OK if run.owner else wording.exit_code(run.status, run.error)


async def follow(history: Runs, run_id: str, *, as_json: bool = False, quiet: bool = False) -> bool:
    """Show a run until it has ended or nobody holds it; return False when a signal ended that before."""
    watching = asyncio.current_task()
    stopped: list[str] = []

    def stop(name: str) -> None:
        stopped.append(name)
        if watching is not None:
            watching.cancel()

    take_back = on_first_signal(stop)
    try:
        with nullcontext() if as_json or quiet else progress_for(run_id, sys.stderr) as progress:
            async for event in history.follow(run_id):
                if progress is not None:
                    progress.take(event)
                elif as_json:
                    click.echo(json.dumps(event.as_json(), ensure_ascii=False))
    except asyncio.CancelledError:
        if not stopped:
            raise
        if watching is not None:
            watching.uncancel()
    finally:
        take_back()
    return not stopped


async def _last_lines(history: Runs, run: StoredRun, suffix: str) -> list[str]:
    """Return what is to be said when there is nothing more to see."""
    if run.status is RunStatus.INTERRUPTED:
        return wording.interrupted_lines(run.id, run.error, suffix)
    if run.status is RunStatus.WAITING:
        questions = await history.store.questions(run.id, open_only=True)
        return list(waiting_lines(run.id, questions, suffix))
    return [f"{run.status}: {wording.error_text(run.error)}"] if run.error else []
