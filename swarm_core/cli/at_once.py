"""Answering a run's questions at the terminal that it was started at, and going on with it then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

import click
from attrs import define, field

from swarm_core.cli import outcome
from swarm_core.cli.names import own_name
from swarm_core.cli.remote import server_of
from swarm_core.cli.watching import Settled
from swarm_core.model.run import Question
from swarm_core.settings import Settings, store_url


@define(kw_only=True)
class AtOnce:
    """What becomes of a run that stops: it is told with `report`, or, while it `asks`, what it waits for is asked here.

    `last` is where the run stopped when it has not been told yet.
    """

    settings: Settings
    store: str | None
    report: Callable[[Settled], int]
    asks: bool = False
    last: Settled | None = field(default=None, init=False)

    def settle(self, end: Settled) -> int:
        """Take in where a run stopped, and return the exit code; told is what there is nothing to be asked about."""
        if self.asks and end.code == outcome.WAITING:
            self.last = end
            return end.code
        return self.report(end)

    def ask_and_go_on(self, code: int, go_on: Callable[[str], int]) -> int:
        """Ask what the run waits for, as long as the person answers, and go on with it; return the exit code.

        The run is let go of while the person thinks: whoever else answers or resumes it meanwhile is not kept from it.
        """
        while (end := self.last) is not None:
            self.last = None
            if not _answered(self.settings, end.questions, self.store):
                return self.report(end)
            code = go_on(end.result.run_id)
        return code


def may_ask(settings: Settings, store: str | None, *, as_json: bool, quiet: bool) -> bool:
    """Tell whether a person sits there who can be asked, and the run outlives the asking."""
    if as_json or quiet:
        return False
    if server_of(settings, store) is None and store_url(settings, store).startswith("memory:"):
        return False
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _answered(settings: Settings, questions: Iterable[Question], store: str | None) -> bool:
    """Ask the questions that are for this person; tell whether one of them has an answer now."""
    from swarm_core.cli.answering import Over, asked_here, give

    by, given = own_name(), False
    for question in questions:
        if question.who and by not in question.who:
            continue
        outcome.say("the run waits for an answer; Ctrl-D leaves it waiting\n")
        try:
            asyncio.run(give(settings, question.key, asked_here(question, by), by, store))
        except Over as over:
            outcome.say(str(over))
        except click.Abort:
            outcome.say()
            return given
        given = True
    return given
