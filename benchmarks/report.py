"""Sum samples up and lay them out as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from workloads import WORKLOADS, Workload

OURS = "swarm"
CROWDED = 0.35


def summary(workload: Workload, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median figure with its range, what else was measured, and every sample."""
    figures = [workload.figure(sample) for sample in samples]
    others = ("peak_rss_mb", "growth", "build_s", "other_cpu")
    return {
        "unit": workload.unit,
        "median": statistics.median(figures),
        "min": min(figures),
        "max": max(figures),
        **{name: median_of(name, samples) for name in others if name in samples[0]},
        "samples": [{name: rounded(value) for name, value in sample.items()} for sample in samples],
    }


def median_of(name: str, samples: Sequence[Mapping[str, Any]]) -> float:
    return rounded(statistics.median(sample[name] for sample in samples))


def rounded(value: float) -> float:
    return float(f"{value:.5g}")


def markdown(results: Mapping[str, Any]) -> str:
    """Return the whole report: the figures, the ratios, how each peer does each workload."""
    meta, peers = results["meta"], results["peers"]
    parts = [
        "# Benchmark results",
        f"{meta['date']}, CPython {meta['python']}, {meta['cpus']} cores of {meta['cpu']}; "
        f"medians of {meta['repetitions']} interleaved runs (smallest to largest)."
        + (f" Sizes times {meta['scale']:g}: only good for trying out." if meta["scale"] != 1 else ""),
        "## Figures",
        table(peers, figure_cell),
        "Memory of the cold start: " + memory(peers) + ".",
    ]
    if OURS in peers and len(peers) > 1:
        others = {peer: facts for peer, facts in peers.items() if peer != OURS}
        parts += [
            "## swarm compared",
            "How many times as fast as the peer swarm is: above 1 swarm is faster, below 1 the peer. "
            "What lies between 0.7 and 1.5 may be the machine's mood.",
            table(others, lambda workload, facts: ratio_cell(workload, peers[OURS], facts)),
        ]
    parts += ["## What each peer does", *(how(peer, facts) for peer, facts in peers.items())]
    return "\n\n".join([*parts, *notes(peers)]) + "\n"


def table(peers: Mapping[str, Any], cell: Any) -> str:
    rows = [["", *peers], ["---"] * (len(peers) + 1)]
    for workload in WORKLOADS:
        cells = [cell(workload, facts) for facts in peers.values()]
        if any(cells):
            rows.append([f"{workload.title}, {workload.unit}", *(text or "-" for text in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def figure_cell(workload: Workload, facts: Mapping[str, Any]) -> str:
    found = facts["workloads"].get(workload.name)
    if found is None:
        return "failed" if workload.name in facts["failed"] else ""
    growth = f", last steps x{found['growth']:.1f}" if "growth" in found else ""
    return f"**{short(found['median'])}** ({short(found['min'])} to {short(found['max'])}{growth})"


def ratio_cell(workload: Workload, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    found, other = ours["workloads"].get(workload.name), theirs["workloads"].get(workload.name)
    if found is None or other is None:
        return ""
    ratio = found["median"] / other["median"]
    return short(ratio if workload.per_second else 1 / ratio)


def short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def memory(peers: Mapping[str, Any]) -> str:
    found = {peer: facts["workloads"].get("cold_start", {}).get("peak_rss_mb") for peer, facts in peers.items()}
    return ", ".join(f"{peer} {size:.0f} MB" for peer, size in found.items() if size) or "not measured"


def how(peer: str, facts: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [f"- {name}: {text}" for name, text in facts["how"].items()]
    return "\n".join([f"**{peer}**" + (f" ({versions})" if versions else ""), "", *lines])


def notes(peers: Mapping[str, Any]) -> list[str]:
    failed = [f"- {peer} {name}: {why}" for peer, facts in peers.items() for name, why in facts["failed"].items()]
    crowded = [
        f"- {peer} {name}: {found['other_cpu']:.1f} CPUs"
        for peer, facts in peers.items()
        for name, found in facts["workloads"].items()
        if found["other_cpu"] > CROWDED
    ]
    return [
        *(["## Failed", "\n".join(failed)] if failed else []),
        *(
            ["## Not alone on the machine", "Kept busy by others while these ran:", "\n".join(crowded)]
            if crowded
            else []
        ),
    ]
