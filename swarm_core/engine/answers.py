"""Who may answer a question, and what may be its answer: one rule for every way in which answers come."""

from __future__ import annotations

from typing import Any

from swarm_core.codec.schema_work import size_of
from swarm_core.errors import AnswerDenied, AnswerInvalid
from swarm_core.model.run import Question
from swarm_core.model.value import NotJson, json_copy

MAX_ANSWER = 1024 * 1024
"""Values and characters that an answer has at most."""


def checked_answer(question: Question, answer: Any, by: str) -> Any:
    """Return the answer as a JSON value of its own, when `by` may give it and it fits the question's schema.

    Whether the question is still open is for whoever keeps it. Raises: AnswerDenied, AnswerInvalid.
    """
    check_who(question, by)
    try:
        value = json_copy(answer)
    except NotJson as error:
        raise AnswerInvalid(question.key, str(error)) from None
    size = size_of(value, most=MAX_ANSWER)
    if size.values + size.characters > MAX_ANSWER:
        raise AnswerInvalid(question.key, f"it is larger than {MAX_ANSWER // 1024} KiB")
    if question.schema is not None:
        from swarm_core.codec.json_schema import misfit

        reason = misfit(question.schema, value)
        if reason is not None:
            raise AnswerInvalid(question.key, reason)
    return value


def check_who(question: Question, by: str) -> None:
    """Make sure that somebody may answer; raises AnswerDenied."""
    if question.who and by not in question.who:
        raise AnswerDenied(question.key, by, question.who)


def is_over(question: Question, now: float) -> bool:
    """Tell whether a question's time is over, whatever its state says yet; no answer is taken then."""
    return question.expires_at is not None and question.expires_at <= now
