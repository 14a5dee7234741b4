"""`swarm answer`: tell a run what it waits for."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from swarm_core.cli import inputs, outcome, stores, wording
from swarm_core.cli.answering import Over, asked_here, give, require_open
from swarm_core.cli.given import readings, source_of
from swarm_core.cli.names import check_name, own_name
from swarm_core.cli.questions import text_of
from swarm_core.engine.answers import check_who, checked_answer
from swarm_core.errors import AnswerInvalid, ResumeKeyNotFound
from swarm_core.model.run import Question, QuestionState
from swarm_core.remote import Runs
from swarm_core.settings import Settings

_KEY = "R-"


@click.command("answer")
@click.argument("target", metavar="RUN|KEY", shell_complete=stores.complete_runs)
@click.argument("value", metavar="[VALUE]", required=False)
@click.option("--text", "form", flag_value="text", help="Take VALUE as text, also when it is JSON.")
@click.option("--json-value", "form", flag_value="json", help="Take VALUE as JSON, refuse anything else.")
@click.option(
    "--by", metavar="NAME", callback=check_name, help="Who answers; default: the name you are logged in under."
)
@stores.place_option
@click.option("--json", "as_json", is_flag=True, help="Print one object: the question with its answer, and next.")
@click.pass_context
def command(
    ctx: click.Context, /, *, target: str, value: str | None, form: str | None, by: str | None, **options: Any
) -> int:
    """Answer the question with this KEY, or the one that RUN waits for.

    VALUE is JSON where that fits the question, else text; `@FILE` is what is in a file, `-` what comes from stdin.
    Without VALUE you are shown the question and asked. The first answer counts. Exit codes: 0 answered, 2 RUN waits
    for several answers, 3 the answer does not fit or the question is no longer open, 4 no such question or run, 5 the
    question is for others, 6 the store cannot be used.
    """
    settings, answerer = inputs.settings_of(ctx), by if by is not None else own_name()
    if value is None and not (sys.stdin is not None and sys.stdin.isatty()):
        raise click.UsageError("VALUE is missing; without one the question is asked at a terminal, and this is none")
    try:
        return _answer(settings, target, value, form, answerer, **options)
    except Over as over:
        outcome.say(f"error: {over}")
        return outcome.INVALID


def _answer(
    settings: Settings, target: str, value: str | None, form: str | None, by: str, *, store: str | None, as_json: bool
) -> int:
    """Find the question, get the answer, give it: the person at the terminal thinks while no store is open."""
    question = asyncio.run(_find(settings, target, store))
    check_who(question, by)
    answer = asked_here(question, by) if value is None else _fitting(question, value, form, by)
    answered, run = asyncio.run(give(settings, question.key, answer, by, store))
    step = "" if run.owner is not None else f"swarm resume {run.id}{stores.suffix(store)}"
    if as_json:
        outcome.print_json({**answered.as_json(), "next": step})
        return outcome.OK
    click.echo(f"answered {answered.key} as {outcome.one_line(by)}")
    if step:
        outcome.say(f"nobody carries {run.id} out; go on with: {step}")
    return outcome.OK


# finding -----------------------------------------------------------------------------------------------------


async def _find(settings: Settings, target: str, store: str | None) -> Question:
    """Return the question that is meant, which is open.

    Raises: ResumeKeyNotFound, RunNotFound; Over; click.UsageError, when a run waits for several answers.
    """
    async with stores.opened(settings, store) as history:
        if target.startswith(_KEY):
            question = await _by_key(history, target)
        else:
            question = await _of_run(history, target)
        await require_open(history, question)
    return question


async def _by_key(history: Runs, key: str) -> Question:
    try:
        return await history.store.question(key)
    except ResumeKeyNotFound as error:
        raise ResumeKeyNotFound(key, hint=error.hint or f"{history.place}; see: swarm questions") from None


async def _of_run(history: Runs, text: str) -> Question:
    run = await history.run(text)
    questions = await history.store.questions(run.id)
    waiting = [question for question in questions if question.state is QuestionState.OPEN]
    if not questions:
        raise Over(f"run {run.id} waits for no answer ({run.status})")
    if len(waiting) > 1:
        listed = "".join(f"\n  {one.key}  {one.agent}  {wording.shortened(text_of(one))}" for one in waiting)
        raise click.UsageError(f"{run.id} waits for {len(waiting)} answers; name one by its key:{listed}")
    return waiting[0] if waiting else questions[-1]


# answering ---------------------------------------------------------------------------------------------------


def _fitting(question: Question, value: str, form: str | None, by: str) -> Any:
    """Return the first reading of VALUE that fits; raises AnswerInvalid for the first one when none does."""
    name, data = source_of(value)
    refused: AnswerInvalid | None = None
    for reading in readings(data, name, form):
        try:
            return checked_answer(question, reading, by)
        except AnswerInvalid as error:
            refused = refused or error
    assert refused is not None
    raise refused
