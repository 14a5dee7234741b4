"""The crash test: kill engines at the worst moments, let others go on, and look whether anything is lost or doubled.

Run as a program: `python tests/crash/driver.py --kills 2000`. Random, but seeded: what fails says how to repeat it.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from attrs import frozen
from crash.history import History
from crash.invariants import violations
from crash.modes import MODES
from crash.project import Project
from crash.report import Cell, Report, show
from crash.trouble import Disk, JumpingClock

ALL_FLOWS = ("sequence", "loop", "fanout", "try", "question", "children", "mix")
# Modes that need something from a flow: a program to be killed, a question to be answered, an end without a question.
FITTING = {
    "worker": ("sequence", "fanout", "children", "mix"),
    "answer": ("question", "mix"),
    "last": ("sequence", "loop", "fanout", "try", "children"),
}
LONG = ("start", "twice", "freeze")  # modes whose programs take so long that they would meet their successors
CHUNK = 25  # kills of one project
VAIN = 6  # episodes per kill after which a mode that strikes nothing is given up


@frozen
class Drive:
    """One project's share: a mode, the flows, how many kills, and where chance begins."""

    mode: str
    seed: int
    kills: int
    flows: tuple[str, ...]

    @property
    def command(self) -> str:
        """Return the command that repeats this drive."""
        what = f"{self.mode}:{self.seed}:{self.kills}:{','.join(self.flows)}"
        return shlex.join(["python", "tests/crash/driver.py", "--repeat", what])


def drives(kills: int, seed: int, modes: Sequence[str], flows: Sequence[str]) -> list[Drive]:
    """Share kills out among modes, and cut each mode's share into projects."""
    found = []
    for place, mode in enumerate(modes):
        fitting = tuple(flow for flow in flows if flow in FITTING.get(mode, flows))
        share = kills // len(modes) + (place < kills % len(modes))
        for part in range(0, share if fitting else 0, CHUNK):
            own = random.Random(f"{seed}/{mode}/{part}").getrandbits(32)
            found.append(Drive(mode, own, min(CHUNK, share - part), fitting))
    return found


def carry_out(drive: Drive, folder: Path) -> Report:
    """Carry out a drive; where the crash test itself fails, that is told as a violation."""
    try:
        return _carry_out(drive, folder)
    except Exception:
        return Report(drive.mode, drive.command, violations=(f"the crash test failed: {traceback.format_exc()}",))


def _carry_out(drive: Drive, folder: Path) -> Report:
    """Strike as often as the drive says, let everything end, and judge what was seen."""
    begun = time.monotonic()
    chance = random.Random(drive.seed)
    project = Project(folder, chance, program_pace=600 if drive.mode in LONG else 10)
    with ExitStack() as stack:
        if drive.mode == "clock":
            project.clock = JumpingClock(folder / "clock", chance)
            project.env.update(project.clock.env)
        if drive.mode == "disk":
            project.disk = stack.enter_context(Disk.below(project.store.parent, chance))
            if not project.disk.ways:
                return Report(drive.mode, drive.command, skipped="; ".join(project.disk.missing))
        stack.callback(project.kill_all)
        kills = _strike(project, drive)
        project.finish()
        history = project.history()
    project.write_down()
    found = [*project.faults, *violations(history)]
    return Report(
        drive.mode,
        drive.command,
        cells=_cells(history, kills),
        violations=tuple(map(str, found)),
        restarts=tuple(project.restarts),
        seconds=time.monotonic() - begun,
    )


def _strike(project: Project, drive: Drive) -> Counter[str]:
    kills: Counter[str] = Counter()
    mode = MODES[drive.mode]
    for _ in range(drive.kills * VAIN):
        if project.kills >= drive.kills or project.faults:
            break
        flow = project.chance.choice(drive.flows)
        before = project.kills
        mode(project, flow)
        kills[flow] += project.kills - before
    if project.kills * 2 < drive.kills and not project.faults:
        project.fault("I0", drive.mode, f"found only {project.kills} moments of {drive.kills} to strike at")
    return kills


def _cells(history: History, kills: Counter[str]) -> dict[str, Cell]:
    flows = {run.id: run.blueprint for run in history.runs}
    steps, reused = Counter[str](), Counter[str]()
    for run in history.runs:
        steps[run.blueprint] += len(run.ends())
        reused[run.blueprint] += sum(event["reused"] for event in run.events if event["kind"] == "run_resumed")
    starts = Counter(flows.get(line.run, "?") for line in history.lines if line.kind == "START")
    distinct = Counter(flows.get(run, "?") for run, _ in {line.step for line in history.lines if line.kind == "START"})
    runs = Counter(flows.values())
    return {
        flow: Cell(kills[flow], runs[flow], steps[flow], reused[flow], starts[flow] - distinct[flow])
        for flow in {*kills, *runs}
    }


def carry_out_all(all_drives: Sequence[Drive], jobs: int, folder: Path) -> Iterator[Report]:
    """Carry out drives, several at a time, each in a folder of its own; yield their reports as they come."""
    with ProcessPoolExecutor(jobs) as pool:
        begun = [pool.submit(carry_out, drive, folder / str(place)) for place, drive in enumerate(all_drives)]
        for ended in as_completed(begun):
            yield ended.result()


def main(args: Sequence[str]) -> int:
    """Run the crash test; 1 when anything was violated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many kills in all (200)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="where chance begins")
    parser.add_argument("--modes", default=",".join(MODES), help=f"of {','.join(MODES)}")
    parser.add_argument("--flows", default=",".join(ALL_FLOWS), help=f"of {','.join(ALL_FLOWS)}")
    parser.add_argument("--jobs", type=int, default=2, help="projects at the same time (2)")
    parser.add_argument("--folder", type=Path, help="keep the projects there")
    parser.add_argument("--repeat", metavar="MODE:SEED:KILLS:FLOWS", help="one drive of an earlier run")
    chosen = parser.parse_args(args)
    if chosen.repeat:
        mode, seed, kills, flows = chosen.repeat.split(":")
        wanted = [Drive(mode, int(seed), int(kills), tuple(flows.split(",")))]
    else:
        print(f"seed {chosen.seed}", flush=True)
        wanted = drives(chosen.kills, chosen.seed, chosen.modes.split(","), chosen.flows.split(","))
    with tempfile.TemporaryDirectory(prefix="swarm-crash-") as temporary:
        folder = chosen.folder or Path(temporary)
        return show(carry_out_all(wanted, chosen.jobs, folder), len(wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
