"""`swarm questions`: what runs wait to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.tables import print_table
from swarm_core.engine.answers import is_over
from swarm_core.model.run import Question
from swarm_core.settings import Settings

_HEAD = ("key", "run", "agent", "question", "for", "expires in")


@click.command("questions")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=stores.complete_runs)
@stores.place_option
@click.option("--json", "as_json", is_flag=True, help="Print one array of objects.")
@click.pass_context
def command(ctx: click.Context, /, run: str | None, *, store: str | None, as_json: bool) -> int:
    """List the questions that wait for an answer, of all runs or of RUN, in the order in which they were asked.

    Answer one with `swarm answer`. Exit codes: 0, also when there are none; 4 no such run; 6 the store cannot be used.
    """
    return asyncio.run(_questions(inputs.settings_of(ctx), store, run, as_json=as_json))


async def _questions(settings: Settings, store: str | None, run: str | None, *, as_json: bool) -> int:
    async with stores.opened(settings, store) as history:
        run_id = None if run is None else (await history.run(run)).id
        questions = await history.store.questions(run_id, open_only=True)
        now, place = history.clock.time(), history.place
    if as_json:
        outcome.print_json([question.as_json() for question in questions])
        return outcome.OK
    empty = f"nobody waits for an answer; {place}" if run is None else "this run waits for no answer"
    print_table(_HEAD, [_row(question, now) for question in questions], empty=empty)
    if questions:
        outcome.say(f"\nAnswer:  {wording.answer_command(questions[0], stores.suffix(store))}")
    return outcome.OK


def _row(question: Question, now: float) -> Sequence[str]:
    return (
        question.key,
        question.run_id,
        question.agent,
        wording.shortened(text_of(question)),
        outcome.one_line(", ".join(question.who)) or "anyone",
        _left(question, now),
    )


def _left(question: Question, now: float) -> str:
    if question.expires_at is None:
        return "never"
    return "over" if is_over(question, now) else wording.duration(question.expires_at - now)


def text_of(question: Question) -> Any:
    """Return the part of a question that is its text, an operator's prompt, or the whole question."""
    asked = question.question
    if not isinstance(asked, dict):
        return asked
    work = asked.get("work")
    if isinstance(work, dict) and "prompt" in work:
        return work["prompt"]
    return asked["text"] if isinstance(asked.get("text"), str) else asked
