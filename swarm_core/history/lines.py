"""The lines of an export: one JSON object each, told apart by their `kind`.

The first line is the `run`, the last one the `end`, which says how many lines there are. Between them stand the
journal, the final ctx, the questions and what the workers said, in this order. Large values stand in the texts as
references to their SHA-256 (see `engine.offload`); a `value` line before that text has their bytes.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from attrs import field, frozen

from swarm_core.model.output import OutputEvent
from swarm_core.model.run import Question, StoredRun
from swarm_core.model.shown import shown

FORMAT = 1


@frozen(kw_only=True)
class RunLine:
    """The run's record, and its Blueprint as canonical JSON text; `format` is the number of this format."""

    __repr__ = shown

    kind: ClassVar[str] = "run"
    format: int
    exported_at: float
    run: StoredRun
    blueprint: str


@frozen(kw_only=True)
class ValueLine:
    """A large value that the journal refers to by the SHA-256 of its bytes."""

    __repr__ = shown

    kind: ClassVar[str] = "value"
    digest: str
    base64: str


@frozen(kw_only=True)
class EventsLine:
    """Events `first` to `last` as one commit wrote them: the JSON text of a journal's row (see `engine.rows`)."""

    __repr__ = shown

    kind: ClassVar[str] = "events"
    first: int
    last: int
    body: str


@frozen(kw_only=True)
class ResultLine:
    """The final ctx as JSON text."""

    __repr__ = shown

    kind: ClassVar[str] = "result"
    body: str


@frozen(kw_only=True)
class QuestionLine:
    """A question of the run, with its answer once there is one."""

    __repr__ = shown

    kind: ClassVar[str] = "question"
    question: Question


@frozen(kw_only=True)
class OutputLine:
    """Something that a worker said."""

    __repr__ = shown

    kind: ClassVar[str] = "output"
    task_id: str
    attempt: int
    producer_agent: str
    event: OutputEvent
    parent_refs: tuple[str, ...] = field(default=())


@frozen(kw_only=True)
class EndLine:
    """The end; `lines` counts all lines, this one too."""

    __repr__ = shown

    kind: ClassVar[str] = "end"
    lines: int


Line: TypeAlias = RunLine | ValueLine | EventsLine | ResultLine | QuestionLine | OutputLine | EndLine
