"""What runs wait to be told."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from swarm_core.model.task import FINAL_RUN_STATUSES
from swarm_plugin_mcp.backend import Json
from swarm_plugin_mcp.telling import bounded
from swarm_plugin_mcp.tool import Asked, McpTool, argument


@frozen
class QuestionsArguments:
    """What `swarm_questions` is given."""

    run_id: str | None = argument("Only those of this run.", default=None)
    all: bool = argument("Also those that are no longer open.", default=False)


@frozen
class AnswerArguments:
    """What `swarm_answer` is given."""

    key: str = argument("The key of the question, as swarm_questions tells it.")
    answer: Any = argument("The answer: any JSON value that fits the question's schema.")  # noqa: RUF009
    by: str | None = argument(
        "Who answers; needed where the question names who may. Default: your login name.", default=None
    )
    resume: bool = argument("Go on with the run when nobody carries it out.", default=True)


async def questions(asked: Asked, given: QuestionsArguments) -> Json:
    """List questions."""
    backend = await asked.home.backend()
    run_id = None if given.run_id is None else (await backend.run(given.run_id))["id"]
    found = await backend.questions(run_id, open_only=not given.all)
    return bounded(found, "questions", "ask for those of one run: run_id")


async def answer(asked: Asked, given: AnswerArguments) -> Json:
    """Answer a question, and let its run go on."""
    backend = await asked.home.backend()
    question = await backend.answer(given.key, given.answer, given.by or asked.home.line.user())
    record = await backend.run(question["run_id"])
    idle = record["owner"] is None and record["status"] not in FINAL_RUN_STATUSES
    if idle and given.resume:
        await backend.resume(record["id"])
    hint = "go on with swarm_resume" if idle and not given.resume else "follow the run with swarm_watch"
    return {"question": question, "run_id": record["id"], "resumed": idle and given.resume, "next": hint}


TOOLS = (
    McpTool(
        name="swarm_questions",
        summary="List the questions that wait for an answer, with the JSON Schema of the answer and who may give it.",
        arguments=QuestionsArguments,
        handler=questions,
        reads=True,
    ),
    McpTool(
        name="swarm_answer",
        summary="Answer a question of a run. The first answer counts; one that does not fit is refused and "
        "can be mended.",
        arguments=AnswerArguments,
        handler=answer,
    ),
)
