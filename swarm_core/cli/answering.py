"""Answers of the person at the terminal: asked for, and given while the question is open."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from swarm_core.cli import outcome, stores, wording
from swarm_core.cli.remote import server_of
from swarm_core.engine.answers import checked_answer, is_over
from swarm_core.errors import AlreadyAnswered, AnswerInvalid
from swarm_core.model.run import Question, QuestionState, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.remote import Runs
from swarm_core.settings import Settings


class Over(Exception):
    """A question can no longer be answered; the text says why."""


def asked_here(question: Question, by: str) -> Any:
    """Return what the person at the terminal answers, asked again until it fits."""
    import time

    from swarm_core.cli import prompting

    prompting.show(question, time.time())
    while True:
        try:
            return checked_answer(question, prompting.read(question.schema), by)
        except AnswerInvalid as error:
            outcome.say(f"this does not fit: {error.reason}")


async def give(settings: Settings, key: str, answer: Any, by: str, store: str | None) -> tuple[Question, StoredRun]:
    """Write the answer; return the question and its run. Raises: Over, when it came too late.

    A server goes on by itself with what has its answer, be it before or after we look: it owns that run.
    """
    server = server_of(settings, store)
    async with stores.opened(settings, store) as history:
        await require_open(history, await history.store.question(key))
        try:
            answered = await history.store.answer(key, answer, by=by, at=history.clock.time())
        except AlreadyAnswered:
            await require_open(history, await history.store.question(key))
            raise
        run = await history.stands(answered.run_id)
    left = server is None or run.status is RunStatus.INTERRUPTED
    return answered, run if left else evolve(run, owner=run.owner or server)


async def require_open(history: Runs, question: Question) -> None:
    """Raise Over unless somebody still waits for the answer."""
    key, at = question.key, wording.moment(question.answered_at or 0)
    if question.state is QuestionState.ANSWERED:
        by, answer = outcome.one_line(question.answered_by or ""), wording.shortened(question.answer)
        raise Over(f"{key} was answered by {by} at {at}: {answer}; the first answer counts")
    if question.state is QuestionState.CLOSED:
        raise Over(f"nobody waits for an answer to {key} any more: its task has ended without one")
    if question.state is QuestionState.EXPIRED or is_over(question, history.clock.time()):
        then = (
            f"it has its default: {wording.shortened(question.default)}" if question.has_default else "its step fails"
        )
        raise Over(f"{key} could be answered until {wording.moment(question.expires_at or 0)}; {then}")
    run = await history.stands(question.run_id)
    if run.status in FINAL_RUN_STATUSES:
        raise Over(f"nobody waits for an answer to {key} any more: run {run.id} has ended ({run.status})")
