"""`swarm runs`: the runs that are kept, and what to do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
from attrs import evolve

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.tables import print_table
from swarm_core.errors import StoreUnreadable
from swarm_core.model.run import Question, RunFilter, StoredRun
from swarm_core.model.task import RunStatus
from swarm_core.remote import Runs
from swarm_core.settings import Settings

_HEAD = ("run", "Blueprint", "status", "steps", "begun", "took", "next")


@click.command("runs")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([str(status) for status in RunStatus]),
    help="Only runs that stand there. May be repeated.",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many at most.")
@click.option("--before", metavar="RUN", shell_complete=stores.complete_runs, help="Only runs older than this one.")
@stores.place_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    statuses: tuple[str, ...],
    limit: int,
    before: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """List runs, the newest first: where each stands, how far it is, and what to do next.

    Exit codes: 0, also when there are none; 4 no run to list from; 6 the store cannot be used.
    """
    wanted = RunFilter(statuses=tuple(map(RunStatus, statuses)), before=before, limit=limit)
    return asyncio.run(_runs(inputs.settings_of(ctx), store, wanted, as_json=as_json))


async def _runs(settings: Settings, store: str | None, wanted: RunFilter, *, as_json: bool) -> int:
    async with stores.opened(settings, store) as history:
        runs = [await _counted(history, run) for run in await _page(history, wanted)]
        questions = await _open_questions(history, runs)
        now = history.clock.time()
        place = history.place
    if as_json:
        outcome.print_json([_facts(run, questions.get(run.id, []), now, store) for run in runs])
        return outcome.OK
    rows = [_row(run, questions.get(run.id, []), now, store) for run in runs]
    print_table(_HEAD, rows, empty="no such runs" if wanted.statuses or wanted.before else place)
    return outcome.OK


async def _page(history: Runs, wanted: RunFilter) -> Sequence[StoredRun]:
    if wanted.before is None:
        return await history.runs(wanted)
    last = await history.run(wanted.before)
    return await history.runs(evolve(wanted, before=last.id))


async def _counted(history: Runs, run: StoredRun) -> StoredRun:
    """Return a run with its counts as they are; a journal that cannot be read is for `swarm show` to tell."""
    try:
        return await history.counted(run)
    except StoreUnreadable:
        return run


async def _open_questions(history: Runs, runs: Sequence[StoredRun]) -> dict[str, list[Question]]:
    """Return the open questions of the runs that wait."""
    found: dict[str, list[Question]] = {}
    for run in runs:
        if run.status is RunStatus.WAITING:
            found[run.id] = list(await history.store.questions(run.id, open_only=True))
    return found


def _facts(run: StoredRun, questions: Sequence[Question], now: float, store: str | None) -> dict[str, Any]:
    return {
        **run.as_json(),
        "seconds": wording.seconds(run, now),
        "questions": [question.key for question in questions],
        "next": wording.next_step(run, questions, stores.suffix(store)),
    }


def _row(run: StoredRun, questions: Sequence[Question], now: float, store: str | None) -> tuple[str, ...]:
    return (
        run.id,
        outcome.one_line(run.blueprint_id),
        str(run.status),
        wording.steps_done(run.counts),
        f"{wording.duration(now - run.created_at)} ago",
        wording.duration(wording.seconds(run, now)),
        outcome.one_line(wording.next_step(run, questions, stores.suffix(store))),
    )
