"""One fault per point: an engine dies at its n-th statement, or after its n-th commit, or its n-th store call fails.

For every n. Run as a program: `python tests/crash/sweep_program.py FOLDER`. What a random kill rarely hits (the moment
between two statements of one transaction, or between a commit and whatever waits for it) is hit here each time. Engines
are forked from a process that has everything loaded, which makes hundreds of them cheap.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from attrs import evolve, frozen
from crash.history import Break
from crash.invariants import violations
from crash.points import Engine, Fault
from crash.project import FLOWS, Project

from swarm_core.errors import StoreError
from swarm_core.model.run import RunFilter
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus

FLOW = "points"
PATIENCE = 60  # seconds after which an engine hangs
FAILED = 6  # the exit code of an engine that says that its store failed

Work = Callable[[Engine, Path, Callable[[str], None]], Awaitable[None]]


# what engines do ---------------------------------------------------------------------------------------------


async def begin(engine: Engine, store: Path, tell: Callable[[str], None]) -> None:
    """Launch a run, tell its id, and let it go as far as it can."""
    async with engine.open(store) as swarm:
        launched = await swarm.launch(str(FLOWS / f"{FLOW}.yaml"))
        tell(launched.id)
        await launched.wait(or_waiting=True)


async def go_on(engine: Engine, store: Path, tell: Callable[[str], None]) -> None:
    """Resume what has not ended, answer what is asked, and see it to its end."""
    async with engine.open(store) as swarm:
        assert swarm.store is not None
        for run in await swarm.store.runs(RunFilter(limit=10)):
            if run.status in FINAL_RUN_STATUSES:
                continue
            launched = await swarm.resume(run.id)
            while (await launched.wait(or_waiting=True)).status is RunStatus.WAITING:
                for question in await swarm.store.questions(run.id, open_only=True):
                    await swarm.answer(question.key, {"to": question.key})
                await asyncio.sleep(0.01)  # an answer takes its way through the store


# processes ---------------------------------------------------------------------------------------------------


@frozen
class Gone:
    """How an engine went: its exit code, the run that it acknowledged, the points that it came by."""

    code: int
    told: str = ""
    passed: int = 0


def forked(work: Work, project: Project, fault: Fault) -> Gone:
    """Do work in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_engine(work, project, fault, writer)
    os.close(writer)
    with os.fdopen(reader) as told:
        run_id, _, passed = told.read().partition("#")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    now = time.monotonic()
    project.breaks.append(Break(struck=now, stopped=now, over=now))
    return Gone(code, run_id, int(passed or 0))


def _be_engine(work: Work, project: Project, fault: Fault, writer: int) -> None:
    code = 1
    try:
        signal.alarm(PATIENCE)
        os.environ.update(CRASH_LEDGER=str(project.ledger.path), CRASH_PACE="0")
        engine = Engine(fault)
        asyncio.run(work(engine, project.store, lambda text: _say(writer, text)))
        _say(writer, f"#{engine.passed}")
        code = 0
    except* StoreError:
        code = FAILED
    except* BaseException as group:
        print(f"{fault}: {group.exceptions}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _say(writer: int, text: str) -> None:
    os.write(writer, text.encode())


# the sweep ---------------------------------------------------------------------------------------------------


def sweep(folder: Path, first: Sequence[Work], swept: Work, kind: Fault, jobs: int) -> tuple[int, list[str]]:
    """Let `swept` have its fault at each of its points, after `first` was done in peace.

    Return how many points there are, and what is wrong.
    """
    points = _points_of(folder / "whole", first, swept, kind)
    judge = partial(_judged, folder, first, swept, kind)
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        return points, [wrong for found in pool.map(judge, range(1, points + 1)) for wrong in found]


def _points_of(folder: Path, first: Sequence[Work], swept: Work, kind: Fault) -> int:
    project = Project(folder, random.Random(0))
    for work in first:
        forked(work, project, Fault())
    gone = forked(swept, project, kind)
    assert gone.code == 0, f"{swept.__name__} fails without a fault"
    return gone.passed


def _judged(folder: Path, first: Sequence[Work], swept: Work, kind: Fault, point: int) -> list[str]:
    """Let an engine have its fault, let others go on, and judge."""
    project, fault = Project(folder / str(point), random.Random(0)), evolve(kind, at=point)
    ends = [forked(work, project, Fault()) for work in first]
    ends.append(forked(swept, project, fault))
    wrong = list(_wrong_end(fault, ends[-1]))
    if (last := forked(go_on, project, Fault())).code != 0:
        wrong.append(f"the next engine ended with {last.code}")
    if project.store.exists():
        project.acknowledged = [(None, gone.told) for gone in ends if gone.told]
        project.given = {question["key"]: [{"to": question["key"]}] for question in project.look().questions}
        wrong += map(str, violations(project.history()))
    return [f"{swept.__name__}, {fault}: {each}" for each in wrong]


def _wrong_end(fault: Fault, gone: Gone) -> Iterator[str]:
    """Yield what is wrong with the end of an engine that had a fault; it need not have come to that point."""
    right = (0, -signal.SIGKILL) if fault.kind == "die" else (0, FAILED)
    if gone.code not in right:
        yield "it hangs" if gone.code == -signal.SIGALRM else f"it ended with {gone.code}"


def kinds() -> Iterator[Fault]:
    """Yield the faults that are swept over the points."""
    yield Fault("die")
    for persistent, after in product((False, True), repeat=2):
        yield Fault("fail", persistent=persistent, after=after)


def main(args: Sequence[str]) -> int:
    """Sweep over launching and running, and over resuming and answering; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=("die", "fail"), help="only faults of this kind")
    parser.add_argument("--jobs", type=int, default=8, help="points at the same time (8); most of the time is waiting")
    chosen = parser.parse_args(args)
    everything = []
    for kind in kinds():
        for first, swept in (((), begin), ((begin,), go_on)) if chosen.kind in (None, kind.kind) else ():
            folder = chosen.folder / f"{swept.__name__}-{kind}".replace(" ", "-")
            points, wrong = sweep(folder, first, swept, kind, chosen.jobs)
            print(f"{swept.__name__}, {kind} each of {points} points: {len(wrong)} violations", flush=True)
            everything += wrong
    for each in everything:
        print(f"VIOLATED {each}", flush=True)
    return 1 if everything else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
