"""Measure the workloads on all peers, interleaved, one process per sample; write results.json and RESULTS.md.

python benchmarks/run.py --reps 3 --peers floor,burr --workloads chain,loop
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environments
import report
from adapters import HERE, PEERS, Peer
from sample import Sample, Sampler, disk, file_system
from workloads import BY_NAME, WORKLOADS, Workload

Of = tuple[str, str]
"""The names of a peer and a workload."""


def main() -> int:
    """Run what the command line asks for; 1 when a sample failed."""
    options = parse(sys.argv[1:])
    peers = [Peer.load(name) for name in options.peers]
    for peer in peers:
        environments.prepare(peer.environment, peer.requires)
    sampler = Sampler(disk=disk(options.disk), scale=options.scale)
    plan = [(peer, workload) for workload in options.workloads for peer in peers if peer.offers(workload)]
    samples, failed = take_all(sampler, plan, options.reps)
    syncs = count_syncs(sampler, [(peer, workload) for peer, workload in plan if (peer.name, workload.name) in samples])
    results = {"meta": meta(options), "peers": collect(peers, samples, failed, syncs)}
    write(options.out, results)
    print(report.markdown(results))
    return 1 if failed else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=names_out_of(PEERS), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--workloads", type=names_out_of(BY_NAME), default=list(BY_NAME), help=", ".join(BY_NAME))
    parser.add_argument("--reps", type=int, default=9, help="samples of each figure, after one that only warms up")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the sizes; 0.1 is enough to try something")
    parser.add_argument(
        "--disk",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="folder on a real disk, where databases are written",
    )
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


def take_all(
    sampler: Sampler, plan: Sequence[tuple[Peer, Workload]], repetitions: int
) -> tuple[dict[Of, list[Sample]], dict[Of, str]]:
    """Return the samples, and of what could not be done, why."""
    samples: dict[Of, list[Sample]] = {}
    failed: dict[Of, str] = {}
    for repetition in range(-1, repetitions):
        for peer, workload in plan:
            of = peer.name, workload.name
            if of in failed or enough(samples.get(of, [])) or (repetition < 0 and workload.source != "wall_s"):
                continue
            sample = sampler.take_calm(peer, workload)
            tell(repetition, peer.name, workload, sample)
            if "error" in sample:
                failed[of] = sample["error"]
            elif repetition >= 0:
                samples.setdefault(of, []).append(sample)
    return samples, failed


def enough(samples: Sequence[Sample]) -> bool:
    """Say whether there are samples enough: three where one takes longer than a second, two where it takes ten."""
    shortest = min((sample["wall_s"] for sample in samples), default=0)
    return len(samples) >= (2 if shortest > 10 else 3) and shortest > 1


def tell(repetition: int, peer: str, workload: Workload, sample: Sample) -> None:
    what = sample.get("error") or f"{workload.figure(sample):,.1f} {workload.unit}"
    print(
        f"{'warm-up' if repetition < 0 else repetition + 1} {peer} {workload.name}: {what}", file=sys.stderr, flush=True
    )


def count_syncs(sampler: Sampler, plan: Sequence[tuple[Peer, Workload]]) -> dict[Of, float]:
    """Return the fsyncs that one more step costs, where they can be counted."""
    wanted = [(peer, workload) for peer, workload in plan if "syncs" in workload.beside]
    counted = {(peer.name, workload.name): sampler.syncs(peer, workload) for peer, workload in wanted}
    return {of: syncs for of, syncs in counted.items() if syncs is not None}


def collect(
    peers: Sequence[Peer], samples: Mapping[Of, list[Sample]], failed: Mapping[Of, str], syncs: Mapping[Of, float]
) -> dict[str, Any]:
    return {
        peer.name: {
            "versions": environments.versions(peer.environment, peer.requires),
            "how": peer.how,
            "workloads": {
                name: report.summary(BY_NAME[name], taken) | ({"syncs": syncs[of, name]} if (of, name) in syncs else {})
                for (of, name), taken in samples.items()
                if of == peer.name
            },
            "failed": {name: why for (of, name), why in failed.items() if of == peer.name},
        }
        for peer in peers
    }


def meta(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "file_system": file_system(options.disk),
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
