"""What a worker outside the process gives to its attempt: outputs, parts of a result, and the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from swarm_core.errors import InvalidId, InvalidTransition, ResultConflict
from swarm_core.model.call import Result
from swarm_core.model.ids import is_name
from swarm_core.model.output import Artifact, Final, Inline, OutputEvent, content_value
from swarm_core.model.value import json_copy

if TYPE_CHECKING:
    from swarm_core.engine.context import LiveContext
    from swarm_core.engine.state import Attempt

OUT = "out"
"""Where the answer stands in the result of a worker that gave parts before it."""

_MOST_PARTS = 100


class Outside:
    """One attempt's side of the door.

    Parts that were given make the result for as long as there is no other. What is given twice counts once.
    """

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}
        self._ok = True
        self._final: Result | None = None
        self._kept: list[OutputEvent] = []

    def take_part(self, attempt: Attempt, name: str, value: Any, *, ok: bool, most: int) -> None:
        """Take a named part; raises ResultConflict, InvalidTransition, InvalidId, NotJson."""
        if not is_name(name) or name == OUT:
            raise InvalidId(name, expected=f"a part's name: 1 to 64 letters, digits, '_', '.' or '-', and not {OUT!r}")
        if name in self._parts:
            if _same(self._parts[name], value):
                return
            raise ResultConflict(attempt.task.id, attempt.number, f"a part {name!r}")
        if self._final is not None:
            raise InvalidTransition(f"task {attempt.task.id} has its result, which takes no further part")
        if len(self._parts) >= _MOST_PARTS:
            raise InvalidTransition(f"task {attempt.task.id} has {_MOST_PARTS} parts already, which are the most")
        parts = json_copy({**self._parts, name: value}, max_bytes=most)
        context = _context_of(attempt)
        context.emit(Artifact(name, Inline(parts[name])))
        self._parts, self._ok = parts, self._ok and ok
        context.latest = Result(parts, self._ok)

    def take_result(self, attempt: Attempt, value: Any, *, ok: bool, most: int) -> None:
        """Take the result, with the parts before it; an empty text after parts adds nothing to them."""
        if self._parts:
            value = self._parts if value in ("", None) else {**self._parts, OUT: value}
            ok = ok and self._ok
        self.take_final(attempt, Final(Inline(json_copy(value, max_bytes=most)), ok))

    def take_final(self, attempt: Attempt, final: Final) -> None:
        """Take a final as it stands; raises ResultConflict when there is another."""
        result = Result(content_value(final.content), final.ok)
        if self._final is None:
            _context_of(attempt).emit(final)
            self._final = result
        elif self._final.ok != result.ok or not _same(self._final.value, result.value):
            raise ResultConflict(attempt.task.id, attempt.number)

    def note_kept(self, event: OutputEvent) -> None:
        """Note that an output is in the output store."""
        self._kept.append(event)

    def forget_kept(self, event: OutputEvent) -> None:
        """Note that an output is not in the output store after all."""
        self._kept = [one for one in self._kept if one is not event]

    def unkept(self, context: LiveContext) -> list[OutputEvent]:
        """Return the outputs that are not in the output store, with the final that parts amount to."""
        kept = {id(event) for event in self._kept}
        tail = [event for event in context.tail if id(event) not in kept]
        if self._parts and context.latest is not None and not any(isinstance(event, Final) for event in context.tail):
            tail.append(Final(Inline(context.latest.value), context.latest.ok))
        return tail


def _context_of(attempt: Attempt) -> LiveContext:
    assert attempt.context is not None
    return attempt.context


def _same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are written alike; 1, 1.0 and true are three."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
