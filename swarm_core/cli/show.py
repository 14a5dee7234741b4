"""`swarm show`: one run, as it stands and as it went."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import click
from attrs import frozen

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.progress import styled
from swarm_core.cli.questions import text_of
from swarm_core.cli.tables import print_table
from swarm_core.history import StepRecord
from swarm_core.history.steps import add_up, steps_of
from swarm_core.model.event import Event
from swarm_core.model.run import Owner, Question, QuestionState, StoredRun
from swarm_core.remote import Runs
from swarm_core.settings import Settings

_STEPS = 40  # that are shown unless all are asked for
_RESULT = 1000  # characters
_HEAD = ("address", "agent", "status", "attempts", "took", "result")


@click.command("show")
@stores.run_argument
@click.option("--steps", "all_steps", is_flag=True, help=f"Show all steps, not only the newest {_STEPS}.")
@click.option("--events", "with_events", is_flag=True, help="Show the events too.")
@stores.place_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one object: run, owner, steps, questions, reused, again, spent, result; with --events also events.",
)
@click.pass_context
def command(
    ctx: click.Context, /, run: str, *, all_steps: bool, with_events: bool, store: str | None, as_json: bool
) -> int:
    """Show RUN: its record, its steps with their addresses, its questions, its error or result.

    RUN is an id or the beginning of one. Exit codes: 0, 4 no such run, 6 the store or this run's journal cannot be
    read.
    """
    return asyncio.run(
        _show(inputs.settings_of(ctx), store, run, all_steps=all_steps, with_events=with_events, as_json=as_json)
    )


@frozen(kw_only=True)
class _Account:
    """All that is told of a run."""

    run: StoredRun
    owner: Owner | None
    events: Sequence[Event]
    steps: Sequence[StepRecord]
    questions: Sequence[Question]
    result: Any
    now: float

    @property
    def until(self) -> float:
        """Return the time up to which what has not ended goes on."""
        return self.now if self.run.owner else self.run.updated_at

    @property
    def resumptions(self) -> list[Event]:
        return [event for event in self.events if event.kind == "run_resumed"]

    @property
    def spent(self) -> dict[str, float]:
        totals: dict[str, float] = {}
        for step in self.steps:
            add_up(totals, step.spent)
        return totals

    def as_json(self, *, with_events: bool) -> dict[str, Any]:
        facts = {
            "run": self.run.as_json(),
            "owner": {"id": self.owner.id, "host": self.owner.host, "pid": self.owner.pid} if self.owner else None,
            "seconds": wording.seconds(self.run, self.now),
            "steps": [step.as_json() for step in self.steps],
            "questions": [question.as_json() for question in self.questions],
            "resumed": [dict(event.data) for event in self.resumptions],
            "spent": self.spent,
            "result": self.result,
        }
        return {**facts, "events": [event.as_json() for event in self.events]} if with_events else facts


async def _show(
    settings: Settings, store: str | None, name: str, *, all_steps: bool, with_events: bool, as_json: bool
) -> int:
    async with stores.opened(settings, store) as history:
        run = await history.run(name)
        if not as_json:
            _print_record(run, await history.holder(run.id), history.clock.time())
        account = await _account(history, await history.counted(run))
    if as_json:
        outcome.print_json(account.as_json(with_events=with_events))
        return outcome.OK
    _print_rest(account, stores.suffix(store), all_steps=all_steps, with_events=with_events)
    return outcome.OK


async def _account(history: Runs, run: StoredRun) -> _Account:
    events = await history.events(run.id)
    return _Account(
        run=run,
        owner=await history.holder(run.id),
        events=events,
        steps=steps_of(events),
        questions=await history.store.questions(run.id),
        result=await history.result(run.id),
        now=history.clock.time(),
    )


def _print_record(run: StoredRun, owner: Owner | None, now: float) -> None:
    rows = [
        ("Blueprint", f"{outcome.one_line(run.blueprint_id)}  {run.blueprint_hash[:16]}"),
        ("kept as", _kept_as(run.launch.get("kept"))),
        ("begun", f"{wording.moment(run.created_at)}, {wording.duration(now - run.created_at)} ago"),
        ("took", wording.duration(wording.seconds(run, now))),
        ("held by", f"process {owner.pid} on {outcome.one_line(owner.host)}" if owner else ""),
        ("key", outcome.one_line(run.key or "")),
        ("rerun of", run.parent or ""),
        ("cancel", f"asked for by {outcome.one_line(str(run.cancel.get('by')))}" if run.cancel else ""),
        ("error", wording.error_text(run.error) if run.error else ""),
    ]
    click.echo(f"{run.id}  {styled(str(run.status), wording.COLORS[run.status])}")
    for name, text in rows:
        if text:
            click.echo(f"  {name:<9}  {text}")


def _kept_as(kept: Mapping[str, Any] | None) -> str:
    """Return which version of a store's Blueprint a run is of, and how it was selected."""
    if kept is None:
        return ""
    selector = kept.get("selector") or {}
    why = f", by {selector['req']}" if "req" in selector else ""
    return outcome.one_line(f"bp:{kept.get('id')}@{str(kept.get('version'))[:12]}{why}")


def _print_rest(account: _Account, suffix: str, *, all_steps: bool, with_events: bool) -> None:
    _print_progress(account)
    _print_steps(account.steps, account.until, all_steps=all_steps)
    _print_questions(account.questions, suffix)
    if with_events:
        _print_events(account.events)
    if account.result is not None:
        click.echo("\nResult")
        click.echo(f"  {wording.shortened(account.result, _RESULT)}")
    is_open = [question for question in account.questions if question.state is QuestionState.OPEN]
    if step := wording.next_step(account.run, is_open, suffix):
        click.echo(f"\nNext:  {step}")


def _print_progress(account: _Account) -> None:
    """Say how far the run is, what was reused, what was spent."""
    tasks = ", ".join(f"{count} {name}" for name, count in account.run.counts.items())
    click.echo(f"  tasks      {outcome.one_line(tasks)}")
    for event in account.resumptions:
        reused, again = event.data["reused"], event.data["again"]
        click.echo(
            f"  resumed    {wording.moment(event.time)}: {wording.counted(reused, 'step')} reused, {again} run again"
        )
    if account.spent:
        amounts = ", ".join(f"{outcome.one_line(name)} {amount:g}" for name, amount in account.spent.items())
        click.echo(f"  spent      {amounts}")


def _print_steps(steps: Sequence[StepRecord], until: float, *, all_steps: bool) -> None:
    shown = steps if all_steps else steps[-_STEPS:]
    click.echo("\nSteps")
    if len(shown) < len(steps):
        click.echo(f"  ... {len(steps) - len(shown)} more before these; --steps shows all")
    rows = [
        (
            outcome.one_line(step.address),
            outcome.one_line(step.agent),
            str(step.status),
            str(step.attempts),
            wording.duration(step.seconds if step.seconds is not None else until - step.began_at),
            wording.shortened(step.error if step.error is not None else step.result)
            if step.ended or step.error
            else "",
        )
        for step in shown
    ]
    print_table(_HEAD, rows, empty="none yet")


def _print_questions(questions: Sequence[Question], suffix: str) -> None:
    if questions:
        click.echo("\nQuestions")
    for question in questions:
        click.echo(f"  {question.key}  {question.state}  {wording.shortened(text_of(question))}")
        if question.state is QuestionState.ANSWERED:
            by = outcome.one_line(question.answered_by or "")
            click.echo(f"    {by}: {wording.shortened(question.answer)}")
        elif question.state is QuestionState.OPEN:
            click.echo(f"    {wording.answer_command(question, suffix)}")


def _print_events(events: Sequence[Event]) -> None:
    click.echo("\nEvents")
    rows = [
        (
            str(event.seq),
            wording.moment(event.time),
            outcome.one_line(event.kind),
            event.task_id or "",
            str(event.attempt or ""),
            wording.shortened(dict(event.data)),
        )
        for event in events
    ]
    print_table(("seq", "time", "kind", "task", "attempt", "facts"), rows, empty="none")
