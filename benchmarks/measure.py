"""Run one workload of one peer in this process and print its figures as a Python literal.

Called by run.py as `measure.py PEER WORKLOAD SIZE` with the interpreter of the peer's own environment. Imports next to
nothing, so that the cold start is the peer's: json and pathlib alone would double what a bare interpreter takes.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module

TYPE_CHECKING = False  # as in typing, whose import would count
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    Building = Callable[[], Any] | AbstractAsyncContextManager[Callable[[], Awaitable[Any]]]
    State = dict[str, Any]

CHUNK_BYTES = 10 * 1024


class Job:
    """What a peer's function gets: how much to do, and the workers that all peers share."""

    pause_s = 0.05

    def __init__(self, size: int) -> None:
        self.size = size
        self.marks: list[float] = []

    def start(self) -> State:
        """Return the small JSON state that chains and loops carry."""
        return {"count": 0, "title": "release notes", "labels": ["draft", "internal"], "last": None}

    def advance(self, state: State) -> State:
        """Do one step of a chain: return a new state, the old one untouched."""
        return state | {"count": state["count"] + 1, "last": self.item(state["count"])}

    def item(self, number: int) -> State:
        """Do one item of a fan-out."""
        return {"number": number, "done": True}

    def chunk(self, number: int) -> str:
        """Return 10 KB of text, different for each step, and note when the step ran."""
        self.marks.append(time.perf_counter())
        return f"{number:010d}" * (CHUNK_BYTES // 10)

    def growth(self) -> float:
        """Return how much longer the last tenth of the steps took than the first tenth."""
        gaps = [after - before for before, after in zip(self.marks, self.marks[1:], strict=False)]
        tenth = max(1, len(gaps) // 10)
        return sorted(gaps[-tenth:])[tenth // 2] / sorted(gaps[:tenth])[tenth // 2]


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    begin = time.perf_counter()
    return function(*arguments), time.perf_counter() - begin


async def timed_async(building: AbstractAsyncContextManager[Any]) -> tuple[Any, float, float]:
    """Enter the peer's context manager, which builds, and await what it yields, which runs."""
    begin = time.perf_counter()
    async with building as run:
        built = time.perf_counter()
        result = await run()
        return result, built - begin, time.perf_counter() - built


def run_workload(function: Callable[[Job], Building], job: Job) -> tuple[Any, float, float]:
    """Let the peer build, then run; return the result and the seconds of both."""
    building, build_s = timed(function, job)
    if hasattr(building, "__aenter__"):
        import asyncio

        result, more_s, run_s = asyncio.run(timed_async(building))
        return result, build_s + more_s, run_s
    result, run_s = timed(building)
    return result, build_s, run_s


def check(result: Any, size: int) -> None:
    """Refuse a result that is not the whole work: a count, or the list of all items in any order."""
    numbers = [item["number"] for item in result] if isinstance(result, list) else None
    if result != size and numbers is not None and sorted(numbers) != list(range(size)):
        raise SystemExit(f"{len(result)} items came back, not each of {size} once")
    if numbers is None and result != size:
        raise SystemExit(f"the result is {result!r}, not {size}")


def peak_rss_mb() -> float | None:
    """Return the most memory that this process held at any time; Linux tells, other systems do not (None)."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123  pathlib is not imported here
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    except OSError:
        return None


def main() -> None:
    peer, workload, size = sys.argv[1:]
    job = Job(int(size))
    result, build_s, run_s = run_workload(getattr(import_module(f"peers.{peer}"), workload), job)
    check(result, job.size)
    figures = {"build_s": build_s, "run_s": run_s, "peak_rss_mb": peak_rss_mb()}
    if len(job.marks) > 20:
        figures["growth"] = job.growth()
    print(repr(figures))


if __name__ == "__main__":
    main()
