"""A run that arrives line by line, each checked against those before it."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from attrs import define, evolve, field

from swarm_core.codec import load_json, structure_blueprint
from swarm_core.engine.events import check_own_kind
from swarm_core.engine.offload import references
from swarm_core.engine.recorded import read_events
from swarm_core.engine.rows import decode_row
from swarm_core.errors import DocumentError
from swarm_core.history.facts import check_launch, missing_fact
from swarm_core.history.limits import LINE, MOST_EVENTS
from swarm_core.history.lines import (
    FORMAT,
    EndLine,
    EventsLine,
    Line,
    OutputLine,
    QuestionLine,
    ResultLine,
    RunLine,
    ValueLine,
)
from swarm_core.model.event import EVENT_KINDS, Event
from swarm_core.model.ids import check_id
from swarm_core.model.problem import Problem
from swarm_core.model.run import JournalRow, Question, QuestionState, RunChange, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

_FOREIGN = frozenset({"gap", "session_attached", "session_detached"})
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Wrong(Exception):
    """Something about a line is wrong."""

    def __init__(self, message: str, *, code: str = "bad_export", hint: str | None = None) -> None:
        self.message, self.code, self.hint = message, code, hint
        super().__init__(message)

    def at(self, number: int) -> DocumentError:
        """Return the error that says in which line it is."""
        return DocumentError([Problem(code=self.code, message=self.message, hint=self.hint, file="line", line=number)])


@define(eq=False)
class Arrival:
    """What is known of the run so far; large values are only compared and not kept.

    `welcome` says whether its id was found to be free.
    """

    welcome: bool = False
    outputs: list[OutputLine] = field(factory=list)
    _run: StoredRun | None = None
    _blueprint: str = ""
    _rows: list[JournalRow] = field(factory=list)
    _questions: dict[str, Question] = field(factory=dict)
    _result: str | None = None
    _tasks: set[str] = field(factory=set)
    _asked: set[str] = field(factory=set)
    _taken: set[str] = field(factory=set)
    _wanted: set[str] = field(factory=set)
    _there: set[str] = field(factory=set)
    _lines: int = 0
    _bytes: int = 0
    _last: int = 0
    _ended: bool = False
    _over: bool = False

    @property
    def run(self) -> StoredRun:
        """Return the run's record; raises Wrong, when the lines did not begin with it."""
        if self._run is None:
            raise Wrong("the first line is that of the run", hint="make the file with: swarm export RUN -o FILE")
        return self._run

    def take(self, line: Line) -> None:
        """Check a line and keep what it says; raises Wrong, and what its values raise."""
        if self._over:
            raise Wrong("there are lines after the end")
        self._lines += 1
        if self._run is None and not isinstance(line, RunLine):
            _ = self.run
        _TAKERS[type(line)](self, line)

    def value_of(self, line: ValueLine) -> bytes:
        """Return the bytes of a large value; raises Wrong, when they are others than it says."""
        try:
            value = b64decode(line.base64, validate=True)
        except NoBase64 as error:
            raise Wrong(f"its value is no base64: {error}") from None
        if sha256(value).hexdigest() != line.digest:
            raise Wrong(f"its bytes are not those of the digest {line.digest}")
        self._wanted |= references(_json(value, "value"))
        return value

    def check_whole(self) -> None:
        """Raise Wrong unless all that belongs to the run has come."""
        run = self.run
        if not self._over:
            raise Wrong("the end is missing: the file was cut off")
        if self._last != run.last_seq:
            raise Wrong(f"the run has {run.last_seq} events and {self._last} came")
        if self._ended != (run.status in FINAL_RUN_STATUSES):
            raise Wrong(f"the run is {run.status}, and its events say otherwise")
        if missing := self._wanted - self._there:
            raise Wrong(f"the large value {min(missing)} is missing")
        if unknown := self._there - self._wanted:
            raise Wrong(f"nothing refers to the large value {min(unknown)}")
        try:
            self._taken = read_events(event for row in self._rows for event in decode_row(row)).told
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Wrong(f"the events do not add up: {type(error).__name__}: {error}") from None

    def write(self) -> RunWrite:
        """Return what is to be written."""
        run = self.run
        ended = run.status in FINAL_RUN_STATUSES
        status = RunStatus.INTERRUPTED if run.status is RunStatus.RUNNING else run.status
        questions = [_closed(question) if ended else question for question in self._questions.values()]
        return RunWrite(
            run_id=run.id,
            epoch=run.epoch,
            create=evolve(run, status=status, owner=None, cancel=None, last_seq=0),
            blueprints={run.blueprint_hash: self._blueprint},
            rows=tuple(self._rows),
            change=RunChange(updated_at=run.updated_at, status=status, result=self._result),
            opened=tuple(questions),
            taken=tuple(key for key in self._questions if key in self._taken),
        )

    # one method a line -----------------------------------------------------------------------------------------

    def _take_run(self, line: RunLine) -> None:
        run = line.run
        if self._run is not None:
            raise Wrong("a second run: a file has one")
        if line.format != FORMAT:
            hint = "a newer swarm reads it" if line.format > FORMAT else None
            raise Wrong(f"format {line.format} is not known; {FORMAT} is", code="bad_format", hint=hint)
        check_id("RUN-", run.id)
        if run.parent is not None:
            check_id("RUN-", run.parent)
        if run.epoch < 1 or run.last_seq < 1:
            raise Wrong("epoch and last_seq count from 1")
        if (run.ended_at is not None) != (run.status in FINAL_RUN_STATUSES):
            raise Wrong(f"the run is {run.status}, and ended_at says otherwise")
        self._check_blueprint(line)
        check_launch(run.launch)
        self._wanted |= references(_json(run.launch["ctx"], "ctx"))
        self._run, self._blueprint = run, line.blueprint

    def _check_blueprint(self, line: RunLine) -> None:
        text = line.blueprint.encode()
        if sha256(text).hexdigest() != line.run.blueprint_hash:
            raise Wrong("the Blueprint is not the one that its hash says")
        blueprint = structure_blueprint(load_json(text, name="blueprint", limits=LINE).value)
        if blueprint.id != line.run.blueprint_id:
            raise Wrong(f"the Blueprint is {blueprint.id!r}, and the run is of {line.run.blueprint_id!r}")

    def _take_value(self, line: ValueLine) -> None:
        if not _DIGEST.match(line.digest):
            raise Wrong("a digest is 64 hex digits")
        if line.digest in self._there:
            raise Wrong(f"the large value {line.digest} came before")
        self._there.add(line.digest)

    def _take_events(self, line: EventsLine) -> None:
        if line.first != self._last + 1:
            raise Wrong(f"the events begin at {line.first}; {self._last + 1} is next")
        self._bytes += len(line.body)
        if self._bytes > MOST_EVENTS:
            raise Wrong(f"the events are more than {MOST_EVENTS:,} bytes")
        row = JournalRow(run_id=self.run.id, first_seq=line.first, last_seq=line.last, body=line.body)
        self._wanted |= references(_json(line.body, "body"))
        for event in decode_row(row):
            self._check_event(event)
        self._rows.append(row)
        self._last = line.last

    def _check_event(self, event: Event) -> None:
        if self._ended:
            raise Wrong(f"event {event.seq} comes after the end of the run")
        if (event.seq == 1) != (event.kind == "run_started"):
            raise Wrong(f"event {event.seq} is {event.kind!r}; the first one is 'run_started', and no other")
        if event.kind in _FOREIGN:
            raise Wrong(f"event {event.seq} is {event.kind!r}, which belongs to no run")
        if event.kind not in EVENT_KINDS:
            check_own_kind(event.kind)
        if (fact := missing_fact(event)) is not None:
            raise Wrong(f"event {event.seq} is {event.kind!r}, and its {fact!r} is missing or wrong")
        if event.task_id is not None:
            self._check_task(event)
        if event.kind == "senior_queried":
            self._asked.add(event.data["key"])
        self._ended = event.kind == "run_ended"

    def _check_task(self, event: Event) -> None:
        task_id = check_id("T-", str(event.task_id))
        if event.kind == "task_created":
            self._tasks.add(task_id)
        elif task_id not in self._tasks:
            raise Wrong(f"event {event.seq} is of task {task_id}, which was not begun")
        if event.attempt is not None and (type(event.attempt) is not int or event.attempt < 1):
            raise Wrong(f"event {event.seq} is of attempt {event.attempt!r}; they count from 1")

    def _take_result(self, line: ResultLine) -> None:
        if self._result is not None:
            raise Wrong("a second result: a run has one")
        self._result = line.body
        self._wanted |= references(_json(line.body, "body"))

    def _take_question(self, line: QuestionLine) -> None:
        question = line.question
        check_id("R-", question.key)
        if question.run_id != self.run.id or question.task_id not in self._tasks or question.key not in self._asked:
            raise Wrong(f"question {question.key!r} is not one that the run has asked")
        if question.key in self._questions:
            raise Wrong(f"question {question.key!r} came before")
        answered = {QuestionState.OPEN: False, QuestionState.ANSWERED: True}.get(question.state)
        if answered is not None and answered != (question.answered_at is not None):
            raise Wrong(f"question {question.key!r} is {question.state}, and answered_at says otherwise")
        self._questions[question.key] = question

    def _take_output(self, line: OutputLine) -> None:
        if line.task_id not in self._tasks or line.attempt < 1:
            raise Wrong(f"an output of task {line.task_id!r}, which was not begun")
        self.outputs.append(line)

    def _take_end(self, line: EndLine) -> None:
        if line.lines != self._lines:
            raise Wrong(f"the end says that there are {line.lines} lines, and it is line {self._lines}")
        self._over = True


_TAKERS: Mapping[type, Callable[[Arrival, Any], None]] = {
    RunLine: Arrival._take_run,
    ValueLine: Arrival._take_value,
    EventsLine: Arrival._take_events,
    ResultLine: Arrival._take_result,
    QuestionLine: Arrival._take_question,
    OutputLine: Arrival._take_output,
    EndLine: Arrival._take_end,
}


def _json(text: str | bytes, name: str) -> Any:
    """Return the value of a JSON text that is kept as it is; raises DocumentError, ValueError.

    It may hold halves of surrogate pairs as escapes: the text of an error may name a file with them.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        return load_json(data, name=name, limits=LINE).value
    except DocumentError as error:
        if any(problem.code != "bad_unicode" for problem in error.problems):
            raise
        return json.loads(data)


def _closed(question: Question) -> Question:
    """Return a question of a run that has ended: nobody waits for it any more."""
    return evolve(question, state=QuestionState.CLOSED) if question.state is QuestionState.OPEN else question
