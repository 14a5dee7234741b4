"""The workloads: what is measured, how much of it, and in which unit it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Workload:
    """One thing that every peer does.

    `source` names the measured time: `run_s` is the work without imports and building, `wall_s` all of the process.
    `per_second` tells it as steps a second, otherwise as milliseconds.
    """

    name: str
    title: str
    size: int
    source: str = "run_s"
    per_second: bool = False
    scales: bool = True

    @property
    def unit(self) -> str:
        return "/s" if self.per_second else "ms"

    def figure(self, sample: Mapping[str, Any]) -> float:
        """Return a sample's figure in this workload's unit."""
        seconds: float = sample[self.source]
        return sample["size"] / seconds if self.per_second else 1000 * seconds


WORKLOADS = (
    Workload(name="chain", title="chain of 1,000 steps", size=1000, per_second=True),
    Workload(name="loop", title="loop of 1,000 turns", size=1000, per_second=True),
    Workload(name="fan_out", title="fan-out of 1,000 items", size=1000, per_second=True),
    Workload(name="sleeping_fan_out", title="100 items of 50 ms at once", size=100),
    Workload(name="growing_state", title="300 steps, each adds 10 KB to the state", size=300),
    Workload(
        name="cold_start", title="cold start: process, import, one step, exit", size=1, source="wall_s", scales=False
    ),
    Workload(name="version", title="`swarm --version`", size=1, source="wall_s", scales=False),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
