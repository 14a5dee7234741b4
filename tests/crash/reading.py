"""Reading a project's store beside the command line, for what the driver itself has to know all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from swarm_core.builtin.sqlite import open_sqlite_runs
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
    """Return the same, each run with its `events` and its `final_ctx`, and what the store finds wrong with itself."""
    return _with(store, _look_closely)


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
            "final_ctx": await history.result(run["id"]),
        }
        for run in seen.runs
    ]
    return Look(runs=runs, questions=seen.questions, problems=await history.store.problems())
