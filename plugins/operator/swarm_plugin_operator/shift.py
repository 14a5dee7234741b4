"""A shift at a terminal: one piece of work after the other, until none is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import click
from attrs import define, field

from swarm_core.errors import AlreadyAnswered, AnswerInvalid, DocumentError
from swarm_plugin_operator.desk import Desk, Piece
from swarm_plugin_operator.work import answer_of

_EDIT, _SKIP, _QUIT, _NOT_OK = "/edit", "/skip", "/quit", "/not-ok"
_PROMPT = f"Answer ({_NOT_OK} REASON, {_EDIT}, {_SKIP}, {_QUIT})"


class _Skipped(Exception):
    """The person leaves a piece of work to others."""


class _Ended(Exception):
    """The person ends the shift."""


@define(kw_only=True)
class Shift:
    """What one person does with what lies on a desk.

    `resume` goes on with runs that nobody carries out; None tells how to do that instead.
    """

    _desk: Desk = field(kw_only=False)
    _form: str | None = None
    _edit: bool = False
    _follow: bool = False
    _resume: Callable[[list[str]], int] | None = None
    _skipped: set[str] = field(factory=set, init=False)
    _left: dict[str, None] = field(factory=dict, init=False)
    _done: int = field(default=0, init=False)

    def work(self) -> int:
        """Work until nothing is left, and return the exit code."""
        code = 0
        try:
            while True:
                while pieces := asyncio.run(self._desk.waiting(self._skipped)):
                    self._one(pieces[0], others=len(pieces) - 1)
                if self._resume is not None and self._left:
                    runs, self._left = list(self._left), {}
                    code = self._resume(runs)
                elif self._follow:
                    asyncio.run(self._desk.changed())
                else:
                    break
        except _Ended:
            pass
        finally:
            self._tell_end()
        return code

    def _one(self, piece: Piece, *, others: int) -> None:
        """Show a piece of work until it has its answer, or is left to others."""
        self._desk.show(piece, others=others)
        while True:
            try:
                run = asyncio.run(self._desk.give(piece, self._answer()))
            except _Skipped:
                self._skipped.add(piece.key)
            except AnswerInvalid as error:
                self._desk.line.say(f"this does not fit: {error.reason}")
                continue
            except AlreadyAnswered:
                self._desk.line.say(f"your answer came too late: {asyncio.run(self._desk.why_not(piece))}\n")
            else:
                self._done += 1
                self._desk.line.say(f"answered {piece.key} as {self._desk.name}\n")
                if run.owner is None:
                    self._left[run.id] = None
            return

    def _answer(self) -> Any:
        """Return what the person gives; raises _Skipped, _Ended."""
        while True:
            text = _EDIT if self._edit else click.prompt(_PROMPT, prompt_suffix=": ", err=True).strip()
            word, _, rest = text.partition(" ")
            if text == _SKIP:
                raise _Skipped
            if text == _QUIT:
                raise _Ended
            try:
                if word == _NOT_OK:
                    return answer_of(self._read(rest.strip() or "it cannot be done"), ok=False)
                return answer_of(self._written() if text == _EDIT else self._read(text), ok=True)
            except DocumentError as error:
                self._desk.line.say(error.problems[0].message)
            except click.BadParameter as error:
                self._desk.line.say(error.message)

    def _written(self) -> Any:
        """Return what the person writes in an editor; raises _Skipped, when nothing is saved."""
        text = click.edit("")
        if text is None or not text.strip():
            raise _Skipped
        return self._read(text, plain=True)

    def _read(self, text: str, *, plain: bool = False) -> Any:
        """Return a value; what is `plain` names no file, and stdin is where the person types."""
        if not plain and text != "-":
            return self._desk.line.readings(text, self._form)[0]
        likely = self._desk.line.readings(f" {text}", self._form)
        return likely[0][1:] if len(likely) == 1 and self._form != "json" else likely[0]

    def _tell_end(self) -> None:
        if not self._done and not self._skipped:
            self._desk.line.say(f"no work waits for {self._desk.name}; {self._desk.place}")
        for run_id in self._left:
            self._desk.line.say(f"nobody carries {run_id} out; go on with: {self._desk.resume_command(run_id)}")
