"""An event loop without a world: time moves when everybody waits, and chance, from a seed, decides who goes first."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")

_EPOCH = 1_800_000_000.0
_MAX_TURNS = 1_000_000


class SimulationStuck(RuntimeError):
    """Nothing is ready and no timer runs, or there is no end: what is waited for will never come."""


class _Task(asyncio.Task[T]):
    """A task whose place in a set does not depend on its address: sets of tasks have the same order every time."""

    def __init__(self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], *, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[T]):
    def __init__(self, *, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class SimulationLoop(asyncio.BaseEventLoop):
    """Runs coroutines in virtual time; the same seed gives the same course of events.

    Whatever is ready at the same time runs in an order drawn from the seed, or, when not `shuffled`, in the order in
    which it became ready, as asyncio promises it. When nothing is ready, time jumps to the
    next timer; when there is none either, `SimulationStuck` names who waits. Work for threads runs on the loop itself,
    in a turn of its own. There are no sockets, pipes, processes and signals.
    """

    # What of BaseEventLoop is used below its public names; the same in CPython 3.11 to 3.14.
    _ready: Any
    _scheduled: Any
    _stopping: bool

    def __init__(self, seed: int = 0, *, max_turns: int = _MAX_TURNS, shuffled: bool = True) -> None:
        super().__init__()
        self.seed, self.turns, self.max_turns = seed, 0, max_turns
        self._shuffled = shuffled
        self._chance = random.Random(seed)
        self._now = 0.0
        self._numbers = 0
        self.set_task_factory(_numbered_task)

    def time(self) -> float:
        """Return the virtual time in seconds, from 0."""
        return self._now

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return _Future(number=self.next_number(), loop=self)

    def next_number(self) -> int:
        """Return the number of the next task or future."""
        self._numbers += 1
        return self._numbers

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run the function on the loop, in a turn of its own; `executor` is not asked."""
        future = self.create_future()
        self.call_soon(_run_into, future, func, args)
        return future

    def _write_to_self(self) -> None:
        """Wake nobody: there is no other thread."""

    def _run_once(self) -> None:
        self.turns += 1
        if self.turns > self.max_turns:
            raise SimulationStuck(f"no end after {self.max_turns} turns, at {self._now:g} s; seed {self.seed}")
        self._drop_cancelled_timers()
        if not self._ready and not self._stopping:
            self._now = max(self._now, self._next_timer())
        self._start_due_timers()
        batch = list(self._ready)
        if self._shuffled:
            self._chance.shuffle(batch)
        self._ready.clear()
        self._ready.extend(batch)
        for _ in batch:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _drop_cancelled_timers(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False

    def _next_timer(self) -> float:
        if not self._scheduled:
            waiting = sorted(_describe(task) for task in asyncio.all_tasks(self))
            raise SimulationStuck("nothing is ready and no timer runs; waiting: " + "; ".join(waiting))
        return float(self._scheduled[0].when())

    def _start_due_timers(self) -> None:
        while self._scheduled and self._scheduled[0].when() <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            self._ready.append(timer)


def _numbered_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    assert isinstance(loop, SimulationLoop)
    return _Task(coro, number=loop.next_number(), loop=loop, **options)


def _run_into(future: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except Exception as error:
        future.set_exception(error)


def _describe(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    place = f" at {frames[0].f_code.co_name}, line {frames[0].f_lineno}" if frames else ""
    return f"{task.get_name()}{place}"


def simulate(
    main: Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: int = 0,
    max_turns: int = _MAX_TURNS,
    shuffled: bool = True,
) -> T:
    """Run `main()` to its end in virtual time and return its result; what it left running is cancelled.

    Raises: SimulationStuck, and whatever `main` raises.
    """

    def loop() -> SimulationLoop:
        return SimulationLoop(seed, max_turns=max_turns, shuffled=shuffled)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


class SimulatedClock:
    """The clock of an engine that runs in a simulation; the wall clock can be set, the monotonic one is the loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, epoch: float = _EPOCH) -> None:
        self._loop, self._offset = loop, epoch - loop.time()

    def time(self) -> float:
        """Return Unix seconds: the loop's time, shifted by `epoch` and by every jump."""
        return self._loop.time() + self._offset

    def monotonic(self) -> float:
        """Return the loop's time, which never goes back."""
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forth, or back when negative."""
        self._offset += seconds

    def set(self, time: float) -> None:
        """Set the wall clock to Unix seconds."""
        self._offset = time - self._loop.time()
