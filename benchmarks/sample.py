"""Take one sample: one process, its time, what it left on the disk, and who else kept the machine busy meanwhile."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environments
from adapters import HERE, Peer
from attrs import frozen
from workloads import Workload

TIMEOUT_S = 120
CROWDED = 0.35
LONG_S = 10

Sample = dict[str, Any]


@frozen(kw_only=True)
class Sampler:
    """Takes samples in fresh folders below `disk`."""

    disk: Path
    scale: float

    def take_calm(self, peer: Peer, workload: Workload) -> Sample:
        """Take a sample, and a second one when something else kept the machine busy; the calmer one counts."""
        sample = self.take(peer, workload)
        if sample.get("other_cpu", 0) > CROWDED and sample["wall_s"] < LONG_S:
            again = self.take(peer, workload)
            return min(sample, again, key=lambda one: one.get("other_cpu", float("inf")))
        return sample

    def take(self, peer: Peer, workload: Workload) -> Sample:
        """Run one process and return its figures, or why there are none under `error`."""
        size = peer.size(workload, self.scale)
        with tempfile.TemporaryDirectory(dir=self.disk) as home:
            busy, own, begin = busy_s(), children_s(), time.perf_counter()
            try:
                done = run(command_of(peer, workload, size), home)
            except subprocess.TimeoutExpired:
                return {"error": f"no end after {TIMEOUT_S} s"}
            wall_s = time.perf_counter() - begin
            disk_bytes = bytes_in(Path(home)) if workload.durable else None
        if done.returncode:
            return {"error": (done.stderr or done.stdout).strip()[-400:]}
        own = children_s() - own
        sample = {"size": size, "wall_s": wall_s, "cpu_s": own, "other_cpu": max(0.0, busy_s() - busy - own) / wall_s}
        figures = {} if peer.command_for(workload) else ast.literal_eval(done.stdout)
        return sample | figures | ({} if disk_bytes is None else {"disk_bytes": disk_bytes})

    def syncs(self, peer: Peer, workload: Workload) -> float | None:
        """Return how many fsyncs one more step costs, counted by strace; None where it is not there or fails."""
        counts = [self.syncs_of(peer, workload, size) for size in (50, 150)]
        return None if None in counts else (counts[1] - counts[0]) / 100

    def syncs_of(self, peer: Peer, workload: Workload, size: int) -> Any:
        with tempfile.TemporaryDirectory(dir=self.disk) as home, tempfile.NamedTemporaryFile("r") as log:
            trace = ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", log.name]
            try:
                done = run([*trace, *command_of(peer, workload, size)], home)
            except (OSError, subprocess.TimeoutExpired):
                return None
            return None if done.returncode else len(re.findall(r"\bf(?:data)?sync\(", log.read()))


def command_of(peer: Peer, workload: Workload, size: int) -> list[str]:
    python = environments.python_of(peer.environment)
    command = peer.command_for(workload)
    if command:
        return [part.format(bin=python.parent, here=HERE) for part in command]
    return [
        str(python),
        "-W",
        "ignore",
        str(HERE / "measure.py"),
        str(peer.module_for(workload)),
        workload.name,
        str(size),
    ]


def run(command: Sequence[str], home: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment in which no peer finds settings, keys or a place to report to."""
    variables = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "DO_NOT_TRACK": "1"}
    return subprocess.run(
        command, cwd=home, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def busy_s() -> float:
    """Return the processor seconds that the whole machine has spent, idle time left out."""
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def file_system(folder: Path) -> str:
    """Return the type of the file system that the folder is on, as Linux tells it; `unknown` elsewhere."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return "unknown"
    mounts = {Path(parts[1]): parts[2] for parts in map(str.split, lines)}
    return next(mounts[place] for place in [folder.resolve(), *folder.resolve().parents] if place in mounts)


def disk(folder: Path) -> Path:
    """Return a folder to keep databases in; where it is kept in memory, fsync would cost nothing.

    Raises: SystemExit.
    """
    if file_system(folder) in {"tmpfs", "ramfs"}:
        sys.exit(f"{folder} is kept in memory, where fsync costs nothing; name a folder on a disk with --disk")
    return folder
