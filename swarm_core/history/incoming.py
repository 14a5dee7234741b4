"""Taking in a run that was written down elsewhere: nothing of it is believed before it was checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve

from swarm_core.codec import load_json, structure
from swarm_core.errors import DocumentError, InvalidId, ResumeKeyNotFound, RunNotFound, StoreUnreadable
from swarm_core.history.arrival import Arrival, Wrong
from swarm_core.history.limits import LINE
from swarm_core.history.lines import Line, QuestionLine, RunLine, ValueLine
from swarm_core.model.problem import Problem
from swarm_core.model.run import Refusal, StoredRun

if TYPE_CHECKING:
    from swarm_core.history.history import History


async def keep(history: History, lines: Iterable[bytes]) -> StoredRun:
    """Keep the run that the lines tell of; see `History.import_`."""
    arrival, number = Arrival(), 1
    try:
        for number, text in enumerate(lines, 1):
            with _at(number):
                line = _read(text)
                arrival.take(line)
                await _take(history, arrival, line)
        with _at(number):
            arrival.check_whole()
        return await _commit(history, arrival)
    except BaseException:
        if arrival.welcome:
            await history.outputs.forget_run(arrival.run.id)
        raise


def _read(text: bytes) -> Line:
    line: Line = structure(load_json(text, name="line", limits=LINE).value, cast(Any, Line))
    return line


async def _take(history: History, arrival: Arrival, line: Line) -> None:
    """Compare a line with what is here already, and keep what is too large to be carried along."""
    if isinstance(line, RunLine):
        await _check_new(history, arrival.run)
        arrival.welcome = True
        await history.outputs.forget_run(arrival.run.id)  # what an import that was killed has left
    elif isinstance(line, ValueLine):
        await history.outputs.keep(arrival.run.id, {line.digest: arrival.value_of(line)})
    elif isinstance(line, QuestionLine):
        await _check_unasked(history, line.question.key)


async def _check_new(history: History, run: StoredRun) -> None:
    try:
        await history.store.get(run.id)
    except RunNotFound:
        return
    hint = f"remove it first, or import into another store; see: swarm show {run.id}"
    raise Wrong(f"run {run.id} is here already", code="run_exists", hint=hint)


async def _check_unasked(history: History, key: str) -> None:
    try:
        other = await history.store.question(key)
    except ResumeKeyNotFound:
        return
    raise Wrong(f"question {key!r} belongs to run {other.run_id} here")


async def _commit(history: History, arrival: Arrival) -> StoredRun:
    for line in arrival.outputs:
        await history.outputs.append(
            run_id=arrival.run.id,
            task_id=line.task_id,
            attempt=line.attempt,
            producer_agent=line.producer_agent,
            event=line.event,
            parent_refs=line.parent_refs,
        )
    write = arrival.write()
    refused = await history.store.commit([write])
    if refused.get(arrival.run.id) is Refusal.KEY_TAKEN and write.create is not None:
        # the key made one launch of several; the run that has it here goes on having it
        write = evolve(write, create=evolve(write.create, key=None))
        refused = await history.store.commit([write])
    if refused:
        raise Wrong(f"run {arrival.run.id} was begun here meanwhile", code="run_exists").at(1)
    return await history.stands(arrival.run.id)


@contextmanager
def _at(number: int) -> Iterator[None]:
    """Say of whatever is wrong in which line it is."""
    try:
        yield
    except Wrong as wrong:
        raise wrong.at(number) from None
    except DocumentError as error:
        raise DocumentError([_placed(problem, number) for problem in error.problems]) from None
    except (InvalidId, StoreUnreadable, ValueError, RecursionError) as error:
        raise Wrong(str(error)).at(number) from None


def _placed(problem: Problem, number: int) -> Problem:
    return evolve(problem, file="line", line=number, column=None)
