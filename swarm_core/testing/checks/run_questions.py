"""The contract of run stores: questions, answers, cancels, and how owners hear of them."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from swarm_core.contracts import RunStore
from swarm_core.errors import AlreadyAnswered, ResumeKeyNotFound, RunNotFound
from swarm_core.model.run import Asked, Question, QuestionState, RunChange, RunWrite
from swarm_core.model.task import RunStatus
from swarm_core.testing.checks.contract import require
from swarm_core.testing.checks.run_samples import (
    HOSTILE,
    NOT_TEXT,
    a_question,
    a_run,
    accepted,
    begin,
    raises,
    same_run,
)

_FAR = 10.0**9


async def _same_question(store: RunStore, expected: Question, after: str) -> None:
    found = await store.question(expected.key)
    require(found == expected, f"after {after} question returned {found!r}, where {expected!r} is due")


async def _keeps_questions(store: RunStore) -> None:
    asked = [
        a_question("R-2"),
        a_question("R-1", schema=None, who=(), expires_at=5.5, has_default=True, default={"a": [None]}),
        a_question("R-3", question=None, default=None, has_default=True, address="", asked_at=1.25),
        *(a_question(f"R-{text}", task_id=text, agent=text, question=text) for text in HOSTILE),
    ]
    await begin(store, None, opened=tuple(asked[:2]))
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, opened=tuple(asked[2:])))
    other = a_question("R-other", run_id="RUN-2")
    await begin(store, a_run("RUN-2"), opened=(other,))
    for expected in asked:
        await _same_question(store, expected, "it was asked")
    require(list(await store.questions("RUN-1")) == asked, "questions of a run are not those that were asked, in order")
    require(list(await store.questions()) == [*asked, other], "questions of all runs are not all, in order")
    require(not await store.questions("RUN-9"), "questions of an unknown run are not none")
    again = a_question("R-2", question="another")
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, opened=(again,)))
    await _same_question(store, asked[0], "its key was used again")


async def _takes_the_first_answer(store: RunStore) -> None:
    question = a_question()
    await begin(store, None, opened=(question, a_question("R-2")))
    answered = await store.answer("R-1", {"yes": ["\N{SNOWMAN}", None]}, by="alice", at=7.5)
    facts: dict[str, Any] = {"answer": {"yes": ["\N{SNOWMAN}", None]}, "answered_by": "alice", "answered_at": 7.5}
    expected = evolve(question, state=QuestionState.ANSWERED, **facts)
    require(answered == expected, f"answer returned {answered!r}, where {expected!r} is due")
    await raises(store.answer("R-1", "late", by="bob", at=8.5), AlreadyAnswered, "a second answer")
    await _same_question(store, expected, "a second answer")
    for key in ("R-9", "'; DROP TABLE questions; --", NOT_TEXT):
        await raises(store.answer(key, 1, by="bob", at=8.5), ResumeKeyNotFound, f"answer({key!r})")
        await raises(store.question(key), ResumeKeyNotFound, f"question({key!r})")
    opened = [question.key for question in await store.questions("RUN-1", open_only=True)]
    require(opened == ["R-2"], f"questions(open_only=True) returned {opened!r}, where only R-2 is open")
    write = RunWrite(run_id="RUN-1", epoch=1, closed=("R-1",), expired=("R-1",))
    await accepted(store, write)
    await _same_question(store, expected, "it was closed and expired, which only open ones can be")


async def _ends_questions(store: RunStore) -> None:
    facts: dict[str, Any] = {"expires_at": 5.5, "has_default": True, "default": {"go": "on"}}
    closed, default, empty = a_question("R-1"), a_question("R-2", **facts), a_question("R-3", expires_at=5.5)
    await begin(store, None, opened=(closed, default, empty))
    other = a_question("R-other", run_id="RUN-2")
    await begin(store, a_run("RUN-2"), opened=(other,))
    write = RunWrite(run_id="RUN-1", epoch=1, closed=("R-1", "R-9", "R-other"), expired=("R-2", "R-3"))
    await accepted(store, write)
    await _same_question(store, evolve(closed, state=QuestionState.CLOSED), "it was closed")
    expected = evolve(default, state=QuestionState.EXPIRED, answer={"go": "on"})
    await _same_question(store, expected, "it expired with a default")
    await _same_question(store, evolve(empty, state=QuestionState.EXPIRED), "it expired")
    await _same_question(store, other, "another run closed it")
    for key in ("R-1", "R-2", "R-3"):
        await raises(store.answer(key, "late", by="bob", at=8.5), AlreadyAnswered, "an answer to what is not open")


async def _notes_cancels(store: RunStore) -> None:
    run = await begin(store)
    expected = evolve(run, cancel={"by": "alice", "at": 3.5})
    for by, at in (("alice", 3.5), ("bob", 4.5)):
        found = await store.ask_cancel("RUN-1", by, at)
        require(found == expected, f"ask_cancel returned {found!r}, where the first one, {expected!r}, is due")
    await same_run(store, expected, "a cancel was asked for twice")
    for status in (RunStatus.DONE, RunStatus.FAILED, RunStatus.CANCELLED):
        ended = await begin(store, a_run(f"RUN-{status}", status=status, ended_at=2.5))
        found = await store.ask_cancel(ended.id, "alice", 3.5)
        require(found == ended, f"ask_cancel of a run that is {status} returned {found!r}, not the run as it was")
    await raises(store.ask_cancel("RUN-9", "alice", 3.5), RunNotFound, "ask_cancel of an unknown run")


async def _tells_owners(store: RunStore) -> None:
    question = a_question(expires_at=_FAR)
    await begin(store, a_run(owner="E-1"), opened=(question,))
    await begin(store, a_run("RUN-2", owner="E-2"), opened=(a_question("R-2", run_id="RUN-2"),))
    await store.asked("E-1", 1.0)
    await _tells(store, 1.0, None, "nothing changed")
    await store.ask_cancel("RUN-1", "alice", 3.5)
    await store.ask_cancel("RUN-2", "alice", 3.5)
    await store.answer("R-2", 1, by="alice", at=3.5)
    await _tells(store, 1.0, Asked(cancelled=("RUN-1",)), "a cancel was asked for, and things of another owner")
    answered = await store.answer("R-1", True, by="alice", at=3.5)
    told = Asked(cancelled=("RUN-1",), answered=(answered,))
    await _tells(store, 1.0, told, "an answer came")
    await begin(store, a_run("RUN-3", owner="E-1"))
    await _tells(store, 1.0, told, "an answer came and was not taken, and something else happened")
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, taken=("R-1",)))
    await _tells(store, 1.0, Asked(cancelled=("RUN-1",)), "the answer was taken")
    ended = RunChange(updated_at=9.5, status=RunStatus.CANCELLED, ended_at=9.5)
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, change=ended))
    await _tells(store, 1.0, Asked(), "the run has ended")
    await _tells(store, _FAR, None, "time went by, and no question is open")


async def _tells_what_is_due(store: RunStore) -> None:
    soon, late = a_question("R-1", expires_at=10.0), a_question("R-2", expires_at=20.0)
    await begin(store, a_run(owner="E-1"), opened=(soon, late, a_question("R-3")))
    await _tells(store, 9.0, Asked(), "nothing is due")
    await _tells(store, 11.0, Asked(due=(soon,)), "a question's time was over a second ago")
    await _tells(store, 21.0, Asked(due=(soon, late)), "another one's time was over a second ago")
    await accepted(store, RunWrite(run_id="RUN-1", epoch=1, expired=("R-1",), closed=("R-2",)))
    await _tells(store, 22.0, Asked(), "the questions are no longer open")


async def _tells(store: RunStore, now: float, expected: Asked | None, after: str) -> None:
    found = await store.asked("E-1", now)
    alike = (None, Asked()) if expected in (None, Asked()) else (expected,)
    require(found in alike, f"{after}: asked returned {found!r}, where {expected!r} is due")


async def _tells_a_new_owner(store: RunStore) -> None:
    question = a_question()
    await begin(store, a_run(owner="E-0"), opened=(question,))
    await store.asked("E-1", 1.0)
    answered = await store.answer("R-1", True, by="alice", at=3.5)
    await store.ask_cancel("RUN-1", "alice", 3.5)
    await store.claim("RUN-1", "E-1", 1)
    told = Asked(cancelled=("RUN-1",), answered=(answered,))
    await _tells(store, 1.0, told, "a run with an answer and a cancel was claimed")


async def _has_versions(store: RunStore) -> None:
    before = await store.version()
    require(await store.version() == before, "version changed though nobody wrote")
    await begin(store)
    require(await store.version() != before, "version is the same after a write")


QUESTIONS = (
    _keeps_questions,
    _takes_the_first_answer,
    _ends_questions,
    _notes_cancels,
    _tells_owners,
    _tells_what_is_due,
    _tells_a_new_owner,
    _has_versions,
)
