"""Sum samples up and lay them out as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from targets import held
from workloads import DURABLE, IN_MEMORY, Workload

OURS = "swarm"
CROWDED = 0.35
BESIDE = {
    "growth": lambda ratio: f"last steps x{ratio:.1f}",
    "syncs": lambda count: f"{count:.1f} fsyncs a step",
    "disk_bytes": lambda count: f"{count / 1e6:,.1f} MB on disk",
    "restart_s": lambda seconds: f"start-up {seconds:.2f} s",
    "resume_all_s": lambda seconds: f"all answered and done {seconds:.2f} s",
}


def summary(workload: Workload, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median figure with its range, what else was measured, and every sample."""
    figures = [workload.figure(sample) for sample in samples]
    others = {"peak_rss_mb", "build_s", "other_cpu", *workload.beside}
    return {
        "unit": workload.unit,
        "median": statistics.median(figures),
        "min": min(figures),
        "max": max(figures),
        **{name: median_of(name, samples) for name in sorted(others & samples[0].keys())},
        "samples": [{name: rounded(value) for name, value in sample.items()} for sample in samples],
    }


def median_of(name: str, samples: Sequence[Mapping[str, Any]]) -> float:
    return rounded(statistics.median(sample[name] for sample in samples))


def rounded(value: float) -> float:
    return float(f"{value:.5g}")


def markdown(results: Mapping[str, Any]) -> str:
    """Return the whole report: the figures, the ratios, the targets, how each peer does each workload."""
    meta, peers = results["meta"], results["peers"]
    parts = [
        "# Benchmark results",
        f"{meta['date']}, CPython {meta['python']}, {meta['cpus']} cores of {meta['cpu']}; "
        f"medians of {meta['repetitions']} interleaved runs, fewer of what takes longer than a second "
        "(smallest to largest)."
        + (f" Sizes times {meta['scale']:g}: only good for trying out." if meta["scale"] != 1 else ""),
        *section("Figures", peers, IN_MEMORY, figure_cell),
        "Memory of the cold start: " + memory(peers) + ".",
        *section(f"Figures on disk ({meta.get('file_system', 'unknown')})", peers, DURABLE, figure_cell),
    ]
    if OURS in peers and len(peers) > 1:
        others = {peer: facts for peer, facts in peers.items() if peer != OURS}

        def ratio(workload: Workload, facts: Mapping[str, Any]) -> str:
            return ratio_cell(workload, peers[OURS], facts)

        parts += section("swarm compared", others, IN_MEMORY, ratio, COMPARED)
        parts += section("swarm compared, on disk", others, DURABLE, ratio)
    if meta["scale"] == 1 and held(peers):
        parts += ["## What durability may cost", targets(peers)]
    parts += ["## What each peer does", *(how(peer, facts) for peer, facts in peers.items())]
    return "\n\n".join([*parts, *notes(peers)]) + "\n"


COMPARED = (
    "How many times as fast (or as small) as the peer swarm is: above 1 swarm is ahead, below 1 the peer. "
    "What lies between 0.7 and 1.5 may be the machine's mood."
)


def section(
    title: str, peers: Mapping[str, Any], workloads: Sequence[Workload], cell: Any, words: str | None = None
) -> list[str]:
    """Return a heading and a table of the peers that have anything in it; nothing when none has."""
    cells = {peer: [cell(workload, facts) for workload in workloads] for peer, facts in peers.items()}
    columns = {peer: texts for peer, texts in cells.items() if any(texts)}
    if not columns:
        return []
    rows = [["", *columns], ["---"] * (len(columns) + 1)]
    for number, workload in enumerate(workloads):
        texts = [column[number] for column in columns.values()]
        if any(texts):
            rows.append([f"{workload.title}, {workload.unit}", *(text or "-" for text in texts)])
    return [f"## {title}", *([words] if words else []), lines_of(rows)]


def lines_of(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def targets(peers: Mapping[str, Any]) -> str:
    rows = [["", "wanted", "reached", ""], ["---"] * 4]
    for target, value in held(peers):
        wanted = f"{'at least' if target.or_more else 'at most'} {target.limit:,g} {target.unit}"
        rows.append([target.text, wanted, f"**{short(value)}**", "met" if target.met(value) else "missed"])
    return lines_of(rows)


def figure_cell(workload: Workload, facts: Mapping[str, Any]) -> str:
    found = facts["workloads"].get(workload.name)
    if found is None:
        return "failed" if workload.name in facts["failed"] else ""
    beside = [text(found[name]) for name, text in BESIDE.items() if name in found]
    spread = f"{short(found['min'])} to {short(found['max'])}"
    return f"**{short(found['median'])}** ({', '.join([spread, *beside])})"


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
