"""The desk of an operator at a terminal: what lies on it, and giving it back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from attrs import define, field, frozen

from swarm_core.commands import CommandLine
from swarm_core.errors import ResumeKeyNotFound
from swarm_core.model.run import Question, QuestionState, StoredRun
from swarm_plugin_operator.work import work_in

_MOST_LINES = 200


@frozen
class Piece:
    """One piece of work, and the question that it is put as."""

    question: Question
    work: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The key under which it is answered."""
        return self.question.key

    def as_json(self) -> dict[str, Any]:
        """Return the work as data, with its key and run."""
        about = self.question
        return {"key": about.key, "run_id": about.run_id, "address": about.address, **self.work}


@define(kw_only=True)
class Desk:
    """What waits for somebody in a store of runs: of one run or all, of one seat or all."""

    line: CommandLine = field(kw_only=False)
    store: str | None = field(kw_only=False)
    name: str
    run: str | None = None
    seat: str | None = None
    place: str = ""

    # finding ---------------------------------------------------------------------------------------------------

    async def waiting(self, skipped: Collection[str] = ()) -> list[Piece]:
        """Return the work that this operator may do, in the order in which it came; raises RunNotFound."""
        async with self.line.open_history(self.store) as history:
            self.place = history.place
            run_id = None if self.run is None else (await history.run(self.run)).id
            questions = await history.store.questions(run_id, open_only=True)
            now = history.clock.time()
        return [piece for one in questions if (piece := self._mine(one, now)) is not None and piece.key not in skipped]

    def _mine(self, question: Question, now: float) -> Piece | None:
        work = work_in(question.question)
        over = question.expires_at is not None and question.expires_at <= now
        if work is None or over or (self.seat is not None and work["seat"] != self.seat):
            return None
        return Piece(question, work) if not question.who or self.name in question.who else None

    async def changed(self) -> None:
        """Wait until something may have changed, or for a second."""
        async with self.line.open_history(self.store) as history:
            await history.changed(await history.store.version())

    async def piece(self, key: str) -> Piece:
        """Return the work with a key, open or not; raises ResumeKeyNotFound."""
        async with self.line.open_history(self.store) as history:
            question = await history.store.question(key)
        work = work_in(question.question)
        if work is None:
            raise ResumeKeyNotFound(key, hint=f"this question asks for no work; use: swarm answer {key}")
        return Piece(question, work)

    # giving ----------------------------------------------------------------------------------------------------

    async def give(self, piece: Piece, answer: Any) -> StoredRun:
        """Give the answer and return the run; raises AlreadyAnswered, AnswerDenied, AnswerInvalid."""
        _, run = await self.line.answer(piece.key, answer, by=self.name, store=self.store)
        return run

    async def why_not(self, piece: Piece) -> str:
        """Return why an answer came too late."""
        async with self.line.open_history(self.store) as history:
            question = await history.store.question(piece.key)
        if question.state is QuestionState.ANSWERED:
            return f"{question.answered_by} was first: {_shortened(question.answer)}"
        return "nobody waits for it any more"

    def resume_command(self, run_id: str) -> str:
        """Return the command that goes on with a run."""
        return " ".join(("swarm resume", run_id, *place_arguments(self.store)))

    # showing ---------------------------------------------------------------------------------------------------

    def show(self, piece: Piece, *, others: int) -> None:
        """Show a piece of work to the person at the terminal."""
        work, about = piece.work, piece.question
        more = f"; {others} more wait{'s' if others == 1 else ''}" if others else ""
        self.line.say(f"{about.run_id}, seat {_line(work['seat'])}, agent {_line(work['agent'])}, {about.key}{more}")
        if work.get("system"):
            self._show("Instructions", work["system"])
        given = work.get("input")
        self._show("Work", work["prompt"] if isinstance(given, str) else given)
        if "verdict" in work:
            self.line.say(f"The value at {work['verdict']['path']} is one of: {', '.join(work['verdict']['values'])}")

    def _show(self, title: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        lines = text.splitlines()
        self.line.say(f"\n{title}:")
        for line in lines[:_MOST_LINES]:
            self.line.say(f"  {line}")
        if len(lines) > _MOST_LINES:
            self.line.say(f"  ... {len(lines) - _MOST_LINES} more lines; swarm operate --next --json has all of them")


def place_arguments(place: str | None) -> tuple[str, ...]:
    """Return what tells a command where the runs are: a store, or a server; nothing for the usual place."""
    if place is None:
        return ()
    return ("--server" if place.partition("://")[0] in ("http", "https") else "--store", place)


def _line(text: Any) -> str:
    return str(text).replace("\n", "\\n")


def _shortened(value: Any, most: int = 80) -> str:
    text = _line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= most else f"{text[: most - 3]}..."
