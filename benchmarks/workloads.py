"""The workloads: what is measured, how much of it, and in which unit it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Workload:
    """One thing that every peer does.

    `source` names the measured figure: `run_s` is the time of the work without imports and building, `wall_s` of all of
    the process, `round_trip_s` the median of many, `disk_bytes` what lies on the disk afterwards. `unit` says how it is
    told: `/s` is the size per second. `beside` are further figures that the report shows. The steps of a durable
    workload are kept in a file.
    """

    name: str
    title: str
    size: int
    source: str = "run_s"
    unit: str = "ms"
    scales: bool = True
    durable: bool = False
    beside: tuple[str, ...] = ()

    @property
    def per_second(self) -> bool:
        """Say whether more is better."""
        return self.unit == "/s"

    def figure(self, sample: Mapping[str, Any]) -> float:
        """Return a sample's figure in this workload's unit."""
        value: float = sample[self.source]
        match self.unit:
            case "/s":
                return sample["size"] / value
            case "ms":
                return 1000 * value
            case "bytes a step":
                return value / sample["size"]
        return value


IN_MEMORY = (
    Workload(name="chain", title="chain of 1,000 steps", size=1000, unit="/s"),
    Workload(name="loop", title="loop of 1,000 turns", size=1000, unit="/s"),
    Workload(name="fan_out", title="fan-out of 1,000 items", size=1000, unit="/s"),
    Workload(name="sleeping_fan_out", title="100 items of 50 ms at once", size=100),
    Workload(name="growing_state", title="300 steps, each adds 10 KB to the state", size=300, beside=("growth",)),
    Workload(
        name="cold_start", title="cold start: process, import, one step, exit", size=1, source="wall_s", scales=False
    ),
    Workload(name="version", title="`swarm --version`", size=1, source="wall_s", scales=False),
)
SYNCS = ("syncs",)
DURABLE = (
    Workload(name="durable_chain", title="chain of 1,000 steps", size=1000, unit="/s", durable=True, beside=SYNCS),
    Workload(
        name="relaxed_chain", title="the same, safe from kill -9 only", size=1000, unit="/s", durable=True, beside=SYNCS
    ),
    Workload(name="durable_fan_out", title="fan-out of 1,000 items", size=1000, unit="/s", durable=True, beside=SYNCS),
    Workload(name="chains_20", title="20 chains at once, steps", size=4000, unit="/s", durable=True),
    Workload(name="chains_200", title="200 chains at once, steps", size=4000, unit="/s", durable=True),
    Workload(
        name="durable_growing_state",
        title="300 steps, each adds 10 KB to the state",
        size=300,
        durable=True,
        beside=("growth", "disk_bytes"),
    ),
    Workload(
        name="untouched_state",
        title="chain of 1,000 steps beside 50 KB of state",
        size=1000,
        source="disk_bytes",
        unit="bytes a step",
        durable=True,
    ),
    Workload(
        name="answers", title="suspend, answer, suspend again, median", size=200, source="round_trip_s", durable=True
    ),
    Workload(name="resume", title="resume of a run with 10,000 steps done", size=10_000, durable=True),
    Workload(
        name="start_up",
        title="start-up with 1,000 unfinished runs in the file",
        size=1000,
        source="ready_s",
        durable=True,
    ),
    Workload(
        name="suspended",
        title="10,000 suspended runs, over idle",
        size=10_000,
        source="rss_mib",
        unit="MiB",
        durable=True,
        beside=("restart_s", "resume_all_s"),
    ),
    Workload(
        name="durable_cold_start",
        title="cold start: process, new file, one step, exit",
        size=1,
        source="wall_s",
        scales=False,
        durable=True,
    ),
    Workload(
        name="run_command", title="`swarm run`, new file, one step", size=1, source="wall_s", scales=False, durable=True
    ),
)
WORKLOADS = IN_MEMORY + DURABLE
BY_NAME = {workload.name: workload for workload in WORKLOADS}
