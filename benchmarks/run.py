"""Measure the workloads on all peers, interleaved, one process per sample; write results.json and RESULTS.md.

python benchmarks/run.py --reps 3 --peers floor,burr --workloads chain,loop
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import environments
import report
from workloads import BY_NAME, WORKLOADS, Workload

HERE = Path(__file__).parent
PEERS = ("floor", "swarm", "burr", "pydantic_graph", "langgraph")
TIMEOUT_S = 120
CROWDED = 0.35

Sample = dict[str, Any]


def main() -> int:
    """Run what the command line asks for; 1 when a sample failed."""
    options = parse(sys.argv[1:])
    modules = {peer: import_module(f"peers.{peer}") for peer in options.peers}
    for peer, module in modules.items():
        environments.prepare(peer, module.REQUIRES)
    plan = [(workload, peer) for workload in options.workloads for peer in modules if offers(modules[peer], workload)]
    samples: dict[tuple[str, str], list[Sample]] = {}
    failed: dict[tuple[str, str], str] = {}
    for repetition in range(-1, options.reps):
        for workload, peer in plan:
            if (peer, workload.name) in failed or (repetition < 0 and workload.source != "wall_s"):
                continue
            sample = take_calm(peer, modules[peer], workload, options.scale)
            tell(repetition, peer, workload, sample)
            if "error" in sample:
                failed[peer, workload.name] = sample["error"]
            elif repetition >= 0:
                samples.setdefault((peer, workload.name), []).append(sample)
    results = collect(options, modules, samples, failed)
    write(options.out, results)
    print(report.markdown(results))
    return 1 if failed else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=names_out_of(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--workloads", type=names_out_of(BY_NAME), default=list(BY_NAME), help=", ".join(BY_NAME))
    parser.add_argument("--reps", type=int, default=5, help="samples of each figure, after one that only warms up")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the sizes; 0.1 is enough to try something")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for results.json and RESULTS.md")
    options = parser.parse_args(arguments)
    options.workloads = [workload for workload in WORKLOADS if workload.name in options.workloads]
    return options


def names_out_of(known: Any) -> Any:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return names


def offers(module: ModuleType, workload: Workload) -> bool:
    return hasattr(module, workload.name) or workload.name in getattr(module, "COMMANDS", {})


def take_calm(peer: str, module: ModuleType, workload: Workload, scale: float) -> Sample:
    """Take a sample, and a second one when something else kept the machine busy; the calmer one counts."""
    sample = take(peer, module, workload, scale)
    if sample.get("other_cpu", 0) > CROWDED:
        again = take(peer, module, workload, scale)
        return min(sample, again, key=lambda one: one.get("other_cpu", float("inf")))
    return sample


def take(peer: str, module: ModuleType, workload: Workload, scale: float) -> Sample:
    """Run one process and return its figures, or why there are none under `error`."""
    size = max(1, round(workload.size * scale)) if workload.scales else workload.size
    command = command_of(peer, module, workload, size)
    with tempfile.TemporaryDirectory() as home:
        busy, own, begin = busy_s(), children_s(), time.perf_counter()
        try:
            done = subprocess.run(
                command, cwd=home, env=environment(home), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return {"error": f"no end after {TIMEOUT_S} s"}
        wall_s = time.perf_counter() - begin
    if done.returncode:
        return {"error": (done.stderr or done.stdout).strip()[-400:]}
    own = children_s() - own
    sample = {"size": size, "wall_s": wall_s, "cpu_s": own, "other_cpu": max(0.0, busy_s() - busy - own) / wall_s}
    return sample if workload.name in getattr(module, "COMMANDS", {}) else sample | ast.literal_eval(done.stdout)


def command_of(peer: str, module: ModuleType, workload: Workload, size: int) -> list[str]:
    python = environments.python_of(peer)
    commands = getattr(module, "COMMANDS", {})
    if workload.name in commands:
        return [part.format(bin=python.parent) for part in commands[workload.name]]
    return [str(python), "-W", "ignore", str(HERE / "measure.py"), peer, workload.name, str(size)]


def environment(home: str) -> dict[str, str]:
    """Return an environment in which no peer finds settings, keys or a place to report to."""
    return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "DO_NOT_TRACK": "1"}


def busy_s() -> float:
    """Return the processor seconds that the whole machine has spent, idle time left out."""
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tell(repetition: int, peer: str, workload: Workload, sample: Sample) -> None:
    what = sample.get("error") or f"{workload.figure(sample):,.1f} {workload.unit}"
    print(
        f"{'warm-up' if repetition < 0 else repetition + 1} {peer} {workload.name}: {what}", file=sys.stderr, flush=True
    )


def collect(
    options: argparse.Namespace, modules: dict[str, ModuleType], samples: dict[Any, Any], failed: dict[Any, str]
) -> dict[str, Any]:
    peers: dict[str, Any] = {}
    for peer, module in modules.items():
        found = {name: samples[of, name] for of, name in samples if of == peer}
        peers[peer] = {
            "versions": environments.versions(peer, module.REQUIRES),
            "how": module.HOW,
            "workloads": {name: report.summary(BY_NAME[name], taken) for name, taken in found.items()},
            "failed": {name: why for (of, name), why in failed.items() if of == peer},
        }
    return {"meta": meta(options), "peers": peers}


def meta(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "repetitions": options.reps,
        "scale": options.scale,
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(folder: Path, results: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(report.markdown(results))


if __name__ == "__main__":
    sys.exit(main())
