"""Run one workload of one peer in this process and print its figures as a Python literal.

Called by sample.py as `measure.py MODULE WORKLOAD SIZE` with the interpreter of the peer's own environment, in an empty
folder. Imports next to nothing, so that the cold start is the peer's: json and pathlib alone would double what a bare
interpreter takes.
"""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module

TYPE_CHECKING = False  # as in typing, whose import would count
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from typing import Any

    Building = (
        Callable[[], Any]
        | AbstractContextManager[Callable[[], Any]]
        | AbstractAsyncContextManager[Callable[[], Awaitable[Any]]]
    )
    State = dict[str, Any]

CHUNK_BYTES = 10 * 1024


class Job:
    """What a peer's function gets: how much to do, and the workers that all peers share."""

    pause_s = 0.05

    def __init__(self, size: int) -> None:
        self.size = size
        self.marks: list[float] = []
        self.trips: list[float] = []
        self.notes: dict[str, float] = {}

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

    def file(self, name: str) -> str:
        """Return the path of a file in this sample's own folder, which is on a real disk."""
        return os.path.join(os.getcwd(), name)  # noqa: PTH109, PTH118  pathlib is not imported here

    def split(self, count: int) -> list[int]:
        """Return the lengths of as many chains that together have all steps."""
        return [len(range(number, self.size, count)) for number in range(count)]

    def ballast(self) -> str:
        """Return 50 KB of state that no step touches."""
        return "0123456789" * 5_000

    def trip(self, begin: float) -> None:
        """Note a round trip that began at `begin`, a `time.perf_counter()`."""
        self.trips.append(time.perf_counter() - begin)

    def note(self, **figures: float) -> None:
        """Keep figures of the adapter's own beside the times."""
        self.notes.update(figures)

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


def timed_within(building: AbstractContextManager[Any]) -> tuple[Any, float, float]:
    """Enter the peer's context manager, which builds, and call what it yields, which runs."""
    begin = time.perf_counter()
    with building as run:
        built = time.perf_counter()
        result = run()
        return result, built - begin, time.perf_counter() - built


def run_workload(function: Callable[[Job], Building], job: Job) -> tuple[Any, float, float]:
    """Let the peer build, then run; return the result and the seconds of both."""
    building, build_s = timed(function, job)
    if hasattr(building, "__aenter__"):
        import asyncio

        result, more_s, run_s = asyncio.run(timed_async(building))
        return result, build_s + more_s, run_s
    if hasattr(building, "__enter__"):
        result, more_s, run_s = timed_within(building)
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


def memory_mb(line_of: str) -> float | None:
    """Return a line of what Linux says of this process's memory: VmHWM is the most so far, VmRSS what it holds now.

    Other systems do not tell (None).
    """
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123  pathlib is not imported here
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(f"{line_of}:"))
    except OSError:
        return None


def main() -> None:
    module, workload, size = sys.argv[1:]
    job = Job(int(size))
    result, build_s, run_s = run_workload(getattr(import_module(module), workload), job)
    check(result, job.size)
    figures = {"build_s": build_s, "run_s": run_s, "peak_rss_mb": memory_mb("VmHWM"), **job.notes}
    if job.trips:
        figures["round_trip_s"] = sorted(job.trips)[len(job.trips) // 2]
    if len(job.marks) > 20:
        figures["growth"] = job.growth()
    print(repr(figures))


if __name__ == "__main__":
    main()
