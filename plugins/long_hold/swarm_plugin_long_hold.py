"""Watch attempts that take long: warnings and signs of life while they run, and a deadline for those that must end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from typing import Any

from attrs import Attribute, define, field, frozen

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import TokenRevoked
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_core.model.call import Call, Result
from swarm_core.model.duration import parse_duration

SWARM_API = 1

KEY = "long_hold"

_BREATH = 0.001  # a timer may come a little early, by the resolution of the clock
_LOOK = 1.0  # how often it is seen whether somebody has answered, when only the time of work counts


def _check_duration(_: LongHoldOptions, __: Attribute[Any], duration: str | float | None) -> None:
    if duration is not None:
        parse_duration(duration)


@frozen(kw_only=True)
class LongHoldOptions:
    """When is what done with an attempt that is still at work; all times are durations.

    After `warn_after` there is a warning, and another one each `repeat` where that is given. After `deadline` the
    worker is told to end, and the attempt has failed as timed out. Time in which the attempt waits for an answer counts
    when `count_waiting` says so.
    """

    warn_after: str | float = field(default="1h", validator=_check_duration)
    repeat: str | float | None = field(default=None, validator=_check_duration)
    deadline: str | float | None = field(default=None, validator=_check_duration)
    count_waiting: bool = False


@frozen(kw_only=True)
class Times:
    """The options in seconds, and how often a session has to give a sign of life."""

    warn_after: float
    repeat: float | None = None
    deadline: float | None = None
    beat: float
    count_waiting: bool = False

    @property
    def first(self) -> float:
        """When the first of these things is due."""
        return min(self.warn_after, self.beat, *(() if self.deadline is None else (self.deadline,)))


class LongHoldLayer(SpawnerLayer):
    """Lets attempts through and looks at those that take long; results, errors and cancellation are not touched.

    All attempts share one timer, which is set for the oldest of them: a timer of their own would cost short ones more
    than all the rest of the chain. Attempts that are found to take long get one.
    """

    def __init__(self, times: Times) -> None:
        self._times, self._first = times, times.first
        self._numbers = count()
        self._fresh: dict[int, tuple[Call, float]] = {}
        self._long: dict[int, _Watch] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt, and watch it meanwhile."""
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        self._fresh[number] = (call, loop.time())
        if self._timer is None or self._loop is not loop:
            self._loop, self._timer = loop, loop.call_later(self._first, self._sweep)
        try:
            return await inner(call)
        finally:
            if self._fresh.pop(number, None) is None:
                self._long.pop(number).stop()

    def _sweep(self) -> None:
        """Watch the attempts that take long from now on; come again for the oldest of the others, if there is one."""
        loop = asyncio.get_running_loop()
        self._timer, due = None, loop.time() + _BREATH - self._first
        for number, (call, began) in list(self._fresh.items()):
            if began > due:
                self._timer = loop.call_at(began + self._first, self._sweep)
                return
            del self._fresh[number]
            watch = self._long[number] = _Watch(call, self._times, began)
            watch.look()


@define(eq=False)
class _Watch:
    """One attempt that takes long: when it began, and what is due next, in seconds from then."""

    call: Call
    times: Times
    began: float
    timer: asyncio.TimerHandle | None = None
    warn_at: float | None = field(init=False)
    beat_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.warn_at, self.beat_at = self.times.warn_after, self.times.beat

    def stop(self) -> None:
        """Look no more."""
        if self.timer is not None:
            self.timer.cancel()

    def look(self) -> None:
        """Do what is due, and look again when something else may be."""
        loop = asyncio.get_running_loop()
        with suppress(TokenRevoked):  # the engine has given the worker up, and the worker goes on all the same
            wait = self._wait(loop.time() - self.began)
            if wait is not None:
                self.timer = loop.call_later(wait, self.look)

    def _wait(self, elapsed: float) -> float | None:
        """Do what is due; return the seconds until the next look, None when that was the last."""
        times, context = self.times, self.call.context
        if elapsed + _BREATH >= self.beat_at:
            context.beat()
            self.beat_at = elapsed + times.beat
        waited = 0.0 if times.count_waiting else context.waited
        held = elapsed - waited
        if self.warn_at is not None and held + _BREATH >= self.warn_at:
            self._warn(held)
            self.warn_at = None if times.repeat is None else max(self.warn_at + times.repeat, held)
        if times.deadline is not None and held + _BREATH >= times.deadline:
            context.time_out(times.deadline, by=KEY)
            return None
        due = [at - held for at in (self.warn_at, times.deadline) if at is not None]
        return max(min([self.beat_at - elapsed, *due]), _LOOK if waited else _BREATH)

    def _warn(self, held: float) -> None:
        """Say that the worker is still at work; times are in milliseconds, as in the seeds."""
        facts = {"elapsed_ms": round(held * 1000), "default_hold_ms": round(self.times.warn_after * 1000)}
        self.call.context.publish("long_hold_warning", agent=self.call.agent, **facts)


def build(options: LongHoldOptions, environment: Environment) -> LongHoldLayer:
    """Build the layer for a launch."""
    return LongHoldLayer(
        Times(
            warn_after=parse_duration(options.warn_after),
            repeat=None if options.repeat is None else parse_duration(options.repeat),
            deadline=None if options.deadline is None else parse_duration(options.deadline),
            beat=environment.settings.engine.heartbeat_interval,
            count_waiting=options.count_waiting,
        )
    )


@hookimpl
def swarm_register_layers() -> list[LayerFactory]:
    """Provide the layer `long_hold`."""
    summary = "warns while a worker is at work for long, and ends it after a deadline"
    return [LayerFactory(KEY, Stage.OBSERVE, build, options=LongHoldOptions, summary=summary)]
