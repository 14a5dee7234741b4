"""Reading a project's store beside the command line, for what the driver itself has to know all the time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.errors import AlreadyAnswered
from swarm_core.history import History
from swarm_core.model.run import RunFilter

T = TypeVar("T")
_ALL = RunFilter(limit=1_000_000)


@frozen(kw_only=True)
class Look:
    """One look at a store: its runs, their events where they were wanted, its questions, and what is wrong with it."""

    runs: Sequence[Mapping[str, Any]] = ()
    questions: Sequence[Mapping[str, Any]] = ()
    problems: Sequence[str] = ()

    @property
    def open_questions(self) -> list[str]:
        """Return the keys of the questions that wait for an answer."""
        return [question["key"] for question in self.questions if question["state"] == "open"]


def look(store: Path) -> Look:
    """Return the runs as they stand, and the questions."""
    return _with(store, _look)


def look_closely(store: Path) -> Look:
    """Return the same, each run with its `events`, what its `chain` has found and its `final_ctx`, and the problems."""
    return _with(store, _look_closely)


def give(store: Path, answers: Mapping[str, Any]) -> None:
    """Answer questions by their keys; who has an answer already keeps it."""

    async def all_of(history: History) -> None:
        for key, answer in answers.items():
            with suppress(AlreadyAnswered):
                await history.store.answer(key, answer, by="the crash test", at=time.time())

    _with(store, all_of)


def last_sign(store: Path) -> float:
    """Return when an owner last gave a sign of life, on the monotonic clock."""

    async def newest(history: History) -> float:
        return max((owner.seen_mono for owner in await history.store.owners()), default=0.0)

    return _with(store, newest)


def is_locked(store: Path) -> bool:
    """Tell whether somebody is writing to the store just now."""
    if not store.exists():
        return False
    with closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def _with(store: Path, ask: Callable[[History], Awaitable[T]]) -> T:
    async def whole() -> T:
        async with open_sqlite_runs(f"sqlite:///{store}") as opened:
            assert opened.outputs is not None
            return await ask(History(opened, opened.outputs))

    return asyncio.run(whole())


async def _look(history: History) -> Look:
    runs, questions = await history.runs(_ALL), await history.store.questions()
    return Look(runs=[run.as_json() for run in runs], questions=[each.as_json() for each in questions])


async def _look_closely(history: History) -> Look:
    seen = await _look(history)
    runs = [
        {
            **run,
            "events": [event.as_json() for event in await history.events(run["id"])],
            "chain": [finding.message for finding in (await history.chain(run["id"])).findings],
            "final_ctx": await history.result(run["id"]),
        }
        for run in seen.runs
    ]
    return Look(runs=runs, questions=seen.questions, problems=await history.store.problems())
