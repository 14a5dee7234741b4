"""Answering a run's questions at the terminal that it was started at, and going on with it then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import click

from swarm_core.cli import outcome
from swarm_core.cli.interrupt import to_the_end
from swarm_core.cli.names import own_name
from swarm_core.cli.watching import Settled
from swarm_core.model.run import Question
from swarm_core.model.task import RunStatus
from swarm_core.settings import Settings, store_url

GoOn = Callable[[Settled], Coroutine[Any, Any, int]]
"""Goes on with a run that waited, and returns the exit code; it tells its `Stops` where the run stopped then."""


class Stops(list[Settled]):
    """Where a run stopped, each time; the last one counts."""


def may_ask(settings: Settings, store: str | None, *, as_json: bool, quiet: bool) -> bool:
    """Tell whether a person sits there who can be asked, and the run outlives the asking."""
    if as_json or quiet or store_url(settings, store).startswith("memory:"):
        return False
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask_and_go_on(settings: Settings, stops: Stops, code: int, store: str | None, go_on: GoOn) -> int:
    """Ask what a waiting run asks, as long as the person answers, and go on with it; return the exit code.

    The run is let go of while the person thinks: whoever else answers or resumes it meanwhile is not kept from it.
    """
    while code == outcome.WAITING and stops and stops[-1].result.status is RunStatus.WAITING:
        if not _answered(settings, stops[-1].questions, store):
            break
        code = to_the_end(go_on(stops[-1]))
    return code


def _answered(settings: Settings, questions: Iterable[Question], store: str | None) -> bool:
    """Ask the questions that are for this person; tell whether one of them has an answer now."""
    from swarm_core.cli.answering import Over, asked_here, give

    by, given = own_name(), False
    outcome.say("the run waits for answers; Ctrl-D leaves it waiting\n")
    for question in questions:
        if question.who and by not in question.who:
            continue
        try:
            asyncio.run(give(settings, question.key, asked_here(question, by), by, store))
        except Over as over:
            outcome.say(str(over))
        except click.Abort:
            outcome.say()
            return given
        given = True
    return given
