"""What durability may cost swarm at most, and whether it kept to that in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

Figure = Callable[..., float]
"""Called with a peer, a workload, and which figure of it unless the median; KeyError where there is none."""


@frozen(kw_only=True)
class Target:
    """One limit; `reached` computes what to hold against it. `or_more` turns it into the least that is wanted."""

    text: str
    unit: str
    limit: float
    reached: Callable[[Figure], float]
    or_more: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.or_more else value <= self.limit


TARGETS = (
    Target(
        text="chain of full durability, as fast as Burr's with SQLite",
        unit="times",
        limit=2,
        or_more=True,
        reached=lambda figure: figure("swarm", "durable_chain") / figure("burr", "durable_chain"),
    ),
    Target(
        text="its time per step over the bare commit's",
        unit="times",
        limit=1.3,
        reached=lambda figure: figure("floor", "durable_chain") / figure("swarm", "durable_chain"),
    ),
    Target(
        text="chain of relaxed durability, a step's time above the one in memory",
        unit="us",
        limit=150,
        reached=lambda figure: 1e6 / figure("swarm", "relaxed_chain") - 1e6 / figure("swarm", "chain"),
    ),
    Target(
        text="fan-out of full durability, as fast per step as the chain",
        unit="times",
        limit=5,
        or_more=True,
        reached=lambda figure: figure("swarm", "durable_fan_out") / figure("swarm", "durable_chain"),
    ),
    Target(
        text="300 steps that each add 10 KB",
        unit="s",
        limit=0.4,
        reached=lambda figure: figure("swarm", "durable_growing_state") / 1e3,
    ),
    Target(
        text="the same, on disk",
        unit="MB",
        limit=10,
        reached=lambda figure: figure("swarm", "durable_growing_state", "disk_bytes") / 1e6,
    ),
    Target(
        text="on disk for a step beside 50 KB of state",
        unit="bytes",
        limit=1024,
        reached=lambda figure: figure("swarm", "untouched_state"),
    ),
    Target(
        text="suspend, answer, suspend again",
        unit="ms",
        limit=1.5,
        reached=lambda figure: figure("swarm", "answers"),
    ),
    Target(
        text="resume of a run with 10,000 steps done",
        unit="s",
        limit=1,
        reached=lambda figure: figure("swarm", "resume") / 1e3,
    ),
    Target(
        text="start-up with 1,000 unfinished runs",
        unit="s",
        limit=0.5,
        reached=lambda figure: figure("swarm", "start_up") / 1e3,
    ),
    Target(
        text="10,000 suspended runs, memory over idle",
        unit="MiB",
        limit=60,
        reached=lambda figure: figure("swarm", "suspended"),
    ),
    Target(
        text="start-up with them",
        unit="s",
        limit=2,
        reached=lambda figure: figure("swarm", "suspended", "restart_s"),
    ),
    Target(
        text="all of them answered, resumed and done",
        unit="s",
        limit=5,
        reached=lambda figure: figure("swarm", "suspended", "resume_all_s"),
    ),
)


def held(peers: Mapping[str, Any]) -> list[tuple[Target, float]]:
    """Return the targets of which everything was measured, with what was reached."""

    def figure(peer: str, workload: str, name: str = "median") -> float:
        found: float = peers[peer]["workloads"][workload][name]
        return found

    reached = []
    for target in TARGETS:
        try:
            reached.append((target, target.reached(figure)))
        except KeyError:
            continue
    return reached
