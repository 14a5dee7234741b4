"""One kill per commit point: an engine that kills itself at its n-th statement or after its n-th commit, for every n.

Run as a program: `python tests/crash/sweep_program.py FOLDER`. What a random kill rarely hits (the moment
between two statements of one transaction, the moment between a commit and whatever waits for it) is hit here each time.
Engines are forked from one that has everything loaded, which makes hundreds of them cheap.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from attrs import define
from crash.history import Break
from crash.invariants import Violation, violations
from crash.project import FLOWS, Project

from swarm_core import Swarm
from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.model.run import RunFilter
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

FLOW = "points"
_connect = sqlite3.connect


# dying at a point --------------------------------------------------------------------------------------------


@define
class Points:
    """Counts the points at which this process may die, and dies at number `die_at`."""

    die_at: int
    passed: int = 0

    def reach(self, *_: object) -> None:
        """Take note of a point; the last thing that this process does when it is the one."""
        self.passed += 1
        if self.passed == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Let every statement of every connection be a point, and the moment after every commit."""
        points = self

        class Cursor(sqlite3.Cursor):
            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                done = super().execute(sql, *given)
                if sql.lstrip().upper().startswith("COMMIT"):
                    points.reach()
                return done

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

            def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
                return self.cursor().execute(sql, *given)

        def connect(*args: Any, **how: Any) -> sqlite3.Connection:
            connection = _connect(*args, **{**how, "factory": Connection})
            connection.set_trace_callback(points.reach)
            return connection

        sqlite3.connect = connect  # type: ignore[assignment]


# what engines do ---------------------------------------------------------------------------------------------


async def begin(folder: Path, tell: Callable[[str], None]) -> None:
    """Launch a run, tell its id, and let it go as far as it can."""
    async with _swarm(folder) as swarm:
        launched = await swarm.launch(str(FLOWS / f"{FLOW}.yaml"))
        tell(launched.id)
        await launched.wait(or_waiting=True)


async def go_on(folder: Path, tell: Callable[[str], None]) -> None:
    """Resume what has not ended, answer what is asked, and see it to its end."""
    async with _swarm(folder) as swarm:
        assert swarm.store is not None
        for run in await swarm.store.runs(RunFilter(limit=10)):
            if run.status in FINAL_RUN_STATUSES:
                continue
            launched = await swarm.resume(run.id)
            while (await launched.wait(or_waiting=True)).status is RunStatus.WAITING:
                for question in await swarm.store.questions(run.id, open_only=True):
                    await swarm.answer(question.key, {"to": question.key})
                await asyncio.sleep(0.01)  # an answer takes its way through the store


@asynccontextmanager
async def _swarm(folder: Path) -> AsyncIterator[Swarm]:
    async with (
        open_sqlite_runs(f"sqlite:///{folder / '.swarm' / 'swarm.db'}") as store,
        Swarm.open(plugins=(), store=store) as swarm,
    ):
        yield swarm


# processes ---------------------------------------------------------------------------------------------------

Work = Callable[[Path, Callable[[str], None]], Awaitable[None]]


def forked(work: Work, project: Project, die_at: int) -> tuple[int, str, int]:
    """Do work in a process of its own; return its exit code, what it told, and how many points it passed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_engine(work, project, die_at, writer)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told_id, _, passed = text.partition("#")
    return code, told_id.strip(), int(passed or 0)


def _be_engine(work: Work, project: Project, die_at: int, writer: int) -> None:
    code = 1
    try:
        os.environ.update(CRASH_LEDGER=str(project.ledger.path), CRASH_PACE="0")
        points = Points(die_at)
        points.arm()
        asyncio.run(work(project.folder, lambda text: _say(writer, text)))
        _say(writer, f"#{points.passed}")
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _say(writer: int, text: str) -> None:
    os.write(writer, text.encode())


# the sweep ---------------------------------------------------------------------------------------------------


def sweep(folder: Path, first: Sequence[Work], swept: Work, jobs: int) -> tuple[int, list[str]]:
    """Kill `swept` at each of its points, after `first` was done in peace; return how many there are, what is wrong."""
    points = _points_of(folder / "whole", first, swept)
    judge = partial(_judged, folder, first, swept)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        found = list(pool.map(judge, range(1, points + 1)))
    return points, [f"killed at point {at} of {points} of {swept.__name__}: {each}" for at, each in chain(*found)]


def _judged(folder: Path, first: Sequence[Work], swept: Work, point: int) -> list[tuple[int, str]]:
    return [(point, str(found)) for found in struck_at(folder / str(point), first, swept, point)]


def _points_of(folder: Path, first: Sequence[Work], swept: Work) -> int:
    project = Project(folder, random.Random(0))
    for work in first:
        forked(work, project, 0)
    code, _, passed = forked(swept, project, 0)
    assert code == 0, f"{swept.__name__} failed before anything was killed"
    return passed


def struck_at(folder: Path, first: Sequence[Work], swept: Work, point: int) -> list[Violation]:
    """Kill an engine at one point, let others go on, and judge."""
    project = Project(folder, random.Random(0))
    told = [_gone(work, project, 0) for work in first]
    told.append(_gone(swept, project, point))
    code, _, _ = forked(go_on, project, 0)
    if code != 0:
        project.fault("I1", "the next engine", f"ended with {code}")
    if not project.store.exists():
        return project.faults
    project.acknowledged = [(None, run) for run in told if run]
    project.answers = {question["key"]: {"to": question["key"]} for question in project.look().questions}
    return [*project.faults, *violations(project.history())]


def _gone(work: Work, project: Project, die_at: int) -> str:
    """Let an engine work and end, by itself or not; return the id of the run that it acknowledged."""
    _, told_id, _ = forked(work, project, die_at)
    now = time.monotonic()
    project.breaks.append(Break(struck=now, stopped=now, over=now))
    return told_id


def main(args: Sequence[str]) -> int:
    """Sweep over launching and running, and over resuming and answering; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=8, help="points at the same time (8); most of the time is waiting")
    chosen = parser.parse_args(args)
    wrong = []
    for name, first, swept in (("run", (), begin), ("resume", (begin,), go_on)):
        points, found = sweep(chosen.folder / name, first, swept, chosen.jobs)
        print(f"{name}: {points} points, {len(found)} violations", flush=True)
        wrong += found
    for each in wrong:
        print(f"VIOLATED {each}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
