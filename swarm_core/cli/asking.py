"""What is said of a run that waits for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarm_core.cli import wording
from swarm_core.cli.outcome import one_line
from swarm_core.cli.questions import text_of
from swarm_core.model.run import Question

_LONGEST = 500


def waiting_lines(run_id: str, questions: Iterable[Question], suffix: str, *, by_itself: bool = False) -> Iterator[str]:
    """Yield who asks what, how to answer, and how to go on then, or how to see that it goes on `by_itself`."""
    for question in questions:
        asked = wording.shortened(text_of(question), _LONGEST)
        yield f"{one_line(question.agent)} at {one_line(question.address)} asks: {asked}"
        yield f"  {wording.answer_command(question, suffix)}"
    yield (
        f"then it goes on: swarm watch {run_id}{suffix}"
        if by_itself
        else f"then go on with: swarm resume {run_id}{suffix}"
    )
