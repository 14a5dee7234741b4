"""What runs wait to be told, and telling them."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from swarm_core.endpoints import Answer, Endpoint, HttpReply, HttpRequest, Parameter
from swarm_core.errors import AnswerDenied, ResumeKeyNotFound
from swarm_core.model.access import Verb
from swarm_core.model.run import Question
from swarm_plugin_server.shapes import QuestionList
from swarm_plugin_server.standing import run_of

_SHOWN = 80


@frozen(kw_only=True)
class AnswerGiven:
    """An answer; `by` is who gives it, for questions that are not for everybody."""

    answer: Any = field()
    by: str | None = None


async def questions(request: HttpRequest) -> HttpReply:
    """List questions in the order in which they were asked."""
    asked = request.query
    run_id = None if asked["run_id"] is None else (await run_of(request.swarm, asked["run_id"])).id
    found = await request.swarm.history.store.questions(run_id, open_only=asked["open"])
    return HttpReply(value={"questions": [question.as_json() for question in found]})


async def question(request: HttpRequest) -> HttpReply:
    """Show a question, and its answer when it has one."""
    return HttpReply(value=(await _found(request)).as_json())


async def answer(request: HttpRequest) -> HttpReply:
    """Answer a question; the first answer counts."""
    asked, body, caller = await _found(request), request.body, request.caller
    by = body.by or caller.name
    if caller.role is not None and by != caller.name:  # whoever has the server's token speaks for anybody
        raise AnswerDenied(asked.key, by, [caller.name])
    return HttpReply(value=(await request.swarm.answer(asked.key, body.answer, by=by)).as_json())


async def _found(request: HttpRequest) -> Question:
    key = request.path["key"]
    try:
        return await request.swarm.history.store.question(key)
    except ResumeKeyNotFound as error:
        raise ResumeKeyNotFound(key[:_SHOWN], hint=error.hint or "what waits: GET /v1/questions") from None


_ONE = Answer(model=Question)

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/questions",
        name="list_questions",
        summary="List questions in the order in which they were asked",
        handler=questions,
        tag="questions",
        verb=Verb.ANSWER_QUERY,
        query=(
            Parameter(name="run_id", summary="Only questions of this run"),
            Parameter(name="open", type=bool, default=False, summary="Only those that wait for an answer"),
        ),
        answers={200: Answer(model=QuestionList)},
        refusals=frozenset({404}),
    ),
    Endpoint(
        method="GET",
        path="/v1/questions/{key}",
        name="show_question",
        summary="Show a question, and its answer when it has one",
        handler=question,
        tag="questions",
        verb=Verb.ANSWER_QUERY,
        answers={200: _ONE},
        refusals=frozenset({404}),
    ),
    Endpoint(
        method="POST",
        path="/v1/questions/{key}/answer",
        name="answer_question",
        summary="Answer a question; the first answer counts",
        handler=answer,
        tag="questions",
        verb=Verb.ANSWER_QUERY,
        body=AnswerGiven,
        answers={200: _ONE},
        refusals=frozenset({403, 404, 409, 422, 503}),
    ),
)
