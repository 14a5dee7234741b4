"""`swarm resume`: go on with runs where they were stopped."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
from attrs import frozen

from swarm_core.cli import inputs, outcome, stores
from swarm_core.cli.at_once import AtOnce, may_ask
from swarm_core.cli.carrying import Carrier, carrying
from swarm_core.cli.interrupt import to_the_end
from swarm_core.cli.remote import server_of
from swarm_core.cli.watching import (
    Settled,
    lines_of,
    report_resumed,
    resumed_json,
    settle_resumed,
    share_of,
)
from swarm_core.errors import SwarmError
from swarm_core.model.task import RunStatus
from swarm_core.settings import Settings, store_url

_AT_ONCE = 32  # runs that go on side by side

# The exit code of several runs is the one of theirs that stands last here.
_SEVERITY = (
    outcome.OK,
    outcome.WAITING,
    outcome.FLOW_FAILED,
    outcome.INVALID,
    outcome.NOT_FOUND,
    outcome.DENIED,
    outcome.STORE,
    outcome.INTERRUPTED,
)


@click.command("resume")
@stores.runs_argument(required=False)
@click.option(
    "--all", "every", is_flag=True, help="Resume all runs that were interrupted, and all whose answers have come."
)
@stores.place_option
@click.option("--wait", "patient", is_flag=True, help="Stay while a run waits for answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one object as `run --json` does, of several an array.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@click.pass_context
def command(ctx: click.Context, /, runs: tuple[str, ...], *, every: bool, **options: Any) -> int:
    """Go on with RUNs where they were stopped, however that came.

    Steps whose results are recorded are not run again; what was under way is, with the same idempotency key. Of one run
    the progress and the final ctx are shown, of several one line each. Exit codes are those of `swarm run`, of several
    runs the worst one; 3 when a run has ended or another process holds it.
    """
    if bool(runs) == every:
        raise click.UsageError("name the runs to resume, or all of them with --all")
    settings, store = inputs.settings_of(ctx), options["store"]
    if server_of(settings, store) is not None:
        pass
    elif runs:
        stores.require(settings, store, runs[0])
    elif (missing := stores.missing_file(store_url(settings, store))) is not None:
        outcome.say(f"there is nothing to resume: there is no {missing}")
        return outcome.OK
    if len(runs) != 1:
        return to_the_end(_several(settings, runs, **options))
    quiet, as_json = options["quiet"], options["as_json"]
    at_once = AtOnce(
        settings=settings,
        store=store,
        report=partial(report_resumed, store=store, as_json=as_json, quiet=quiet),
        asks=may_ask(settings, store, as_json=as_json, quiet=quiet),
    )
    code = to_the_end(_one(at_once, runs[0], patient=options["patient"], quiet=quiet))
    return at_once.ask_and_go_on(code, partial(go_on, at_once))


def go_on(at_once: AtOnce, run_id: str) -> int:
    """Go on with a run whose answers were given at this terminal, and return the exit code."""
    return to_the_end(_one(at_once, run_id, answered=True))


async def _one(
    at_once: AtOnce, name: str, *, patient: bool = False, quiet: bool = False, answered: bool = False
) -> int:
    with outcome.kept_stdout():
        async with carrying(at_once.settings, at_once.store) as carrier:
            history = carrier.history
            run_id = (await history.run(name)).id
            launched = await (carrier.answered(run_id) if answered else carrier.resume(run_id))
            end = await settle_resumed(carrier.swarm, history, launched, quiet=quiet, patient=patient)
    return at_once.settle(end)


# several -----------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class _Gone:
    """How far one of several runs went: to where it stopped, or not even that."""

    run_id: str
    end: Settled | None = None
    error: SwarmError | None = None

    @property
    def code(self) -> int:
        return self.end.code if self.end else outcome.exit_code_of(self.error) if self.error else outcome.INTERRUPTED

    def as_json(self) -> dict[str, Any]:
        if self.end is not None:
            return resumed_json(self.end)
        return {"run_id": self.run_id, "status": None, "error": self.error.as_json() if self.error else None}

    def line(self, store: str | None) -> str:
        if self.end is None:
            return f"{self.run_id} not resumed: {self.error or 'interrupted'}"
        status = self.end.result.status
        why = "" if status is RunStatus.DONE else f"; {'; '.join(lines_of(self.end, store))}"
        return f"{self.run_id} {status}: {share_of(self.end)}{why}"


async def _several(
    settings: Settings, names: Sequence[str], *, store: str | None, patient: bool, as_json: bool, quiet: bool
) -> int:
    out = sys.stdout

    def tell(gone: _Gone) -> None:
        if not as_json:
            click.echo(outcome.one_line(gone.line(store)), file=out)

    with outcome.kept_stdout():
        async with carrying(settings, store) as carrier:
            ids = dict.fromkeys(names) if names else [run.id for run in await carrier.history.resumable()]
            ends = await _side_by_side(carrier, list(ids), tell, patient=patient)
    if as_json:
        outcome.print_json([gone.as_json() for gone in ends])
    elif not ends:
        outcome.say("there is nothing to resume")
    return max((gone.code for gone in ends), key=_SEVERITY.index, default=outcome.OK)


async def _side_by_side(
    carrier: Carrier, names: Sequence[str], tell: Callable[[_Gone], None], *, patient: bool
) -> list[_Gone]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> _Gone:
        async with room:
            gone = await _gone(carrier, name, patient=patient)
        tell(gone)
        return gone

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(name)) for name in names]
    return [task.result() for task in tasks]


async def _gone(carrier: Carrier, name: str, *, patient: bool) -> _Gone:
    if carrier.name is not None:
        return _Gone(run_id=name)
    try:
        run_id = (await carrier.history.run(name)).id
        launched = await carrier.resume(run_id)
        return _Gone(
            run_id=run_id,
            end=await settle_resumed(carrier.swarm, carrier.history, launched, quiet=True, patient=patient),
        )
    except (SwarmError, ExceptionGroup) as error:
        first = outcome.first_of(error)
        if first is None:
            raise
        return _Gone(run_id=name, error=first)
