"""`swarm rerun`: a new run that shares what a recorded one did before some of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from swarm_core.cli import inputs, outcome, stores
from swarm_core.cli.carrying import carrying
from swarm_core.cli.interrupt import to_the_end
from swarm_core.cli.remote import server_of
from swarm_core.cli.watching import report_resumed, settle_resumed
from swarm_core.settings import Settings


@click.command("rerun")
@stores.run_argument
@click.option(
    "--from",
    "start",
    multiple=True,
    metavar="ADDRESS",
    help="Run the step at this address again, and all that may depend on it; see `swarm show`. May be repeated.",
)
@click.option("--failed", is_flag=True, help="Begin at the steps that failed.")
@stores.place_option
@click.option("--wait", "patient", is_flag=True, help="Stay while the run waits for answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one object as `run --json` does, and what was reused.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_context
def command(
    ctx: click.Context, /, run: str, *, start: tuple[str, ...], failed: bool, store: str | None, **manner: Any
) -> int:
    """Begin a new run that shares the steps of RUN that do not depend on those it begins at; RUN stays as it is.

    Exit codes are those of `swarm run`; 4 also for an address at which RUN has no step.
    """
    if bool(start) == failed:
        raise click.UsageError("say where to begin: --from ADDRESS, or --failed")
    settings = inputs.settings_of(ctx)
    if server_of(settings, store) is None:
        stores.require(settings, store, run)
    return to_the_end(_rerun(settings, run, start, store=store, **manner))


async def _rerun(
    settings: Settings,
    name: str,
    start: Sequence[str],
    *,
    store: str | None,
    patient: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    with outcome.kept_stdout():
        async with carrying(settings, store) as carrier:
            history = carrier.history
            launched = await carrier.rerun((await history.run(name)).id, start)
            end = await settle_resumed(carrier.swarm, history, launched, quiet=quiet, patient=patient)
    return report_resumed(end, store, as_json=as_json, quiet=quiet)
