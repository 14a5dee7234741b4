"""Fan-outs: one lane per item, started in item order, joined into one value.

The lanes of a body without steps wait for nobody and run one after the other. All others are served by runners: a
runner takes the next item whenever it is free, and a new runner starts as long as items are left, all runners wait for
their steps and `max_concurrency` allows it. The fan-out owns its runners' tasks and ends when none of them is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from swarm_core.errors import FlowError
from swarm_core.flow.eager import start
from swarm_core.flow.failure import locate, type_error
from swarm_core.flow.join import JOINS, Joined
from swarm_core.flow.state import BREATH, AsyncCode, ExprCode, Lane, Scope, Writer
from swarm_core.model.fields import type_name
from swarm_core.model.nodes import Join

DEEPEST_EAGER = 12
"""Fan-outs directly within each other whose lanes start at once: each takes several frames of Python's stack."""

_TURN = 128
"""Lanes that start in one turn of the event loop: others have theirs, and what is done already can be let go of."""


@frozen(kw_only=True, eq=False, repr=False)
class FanoutCode:
    """The compiled parts of a fan-out; `waits` and `steps` say whether the body is async and whether it dispatches."""

    items: ExprCode
    bind: Writer
    body: Callable[[Lane], Any]
    waits: bool
    steps: bool
    join: Join
    out: Writer
    max_concurrency: int | None


def compile_fanout(code: FanoutCode, at: str, suffix: str) -> AsyncCode:
    """Return code that runs a fan-out standing at a place and address."""
    serve = _serve_with_runners if code.steps else _serve_in_turn
    items, out, join = code.items, code.out, code.join

    async def run(lane: Lane) -> None:
        address = lane.prefix + suffix
        try:
            values = items(lane)
            joined = _joined(join, values, lane.evaluation.limits.max_lanes)
            if values:
                lane.owned.clear()
                await serve(code, lane, values, joined, address)
            out(lane, joined.value())
        except FlowError as error:
            locate(error, at, address)
            raise

    return run


def _joined(join: Join, values: Any, max_lanes: int) -> Joined:
    if type(values) is not list:
        raise type_error("fanout.items", "an array", type_name(values))
    if not values and join in (Join.ANY, Join.RACE):
        raise type_error(f"fanout.{join}", "at least one item", "an empty array")
    if len(values) > max_lanes:
        text = f"a fan-out over {len(values):,} items is more than max_lanes allows ({max_lanes:,})"
        raise FlowError("LimitError", text, op="max_lanes")
    return JOINS[join](len(values))


async def _serve_in_turn(code: FanoutCode, lane: Lane, values: list[Any], joined: Joined, address: str) -> None:
    body, bind, waits, base, evaluation = code.body, code.bind, code.waits, lane.ctx, lane.evaluation
    for index, item in enumerate(values):
        inner = Lane(base, evaluation, f"{address}/lane@{index}", lane.scope)
        bind(inner, item)
        try:
            if waits:
                await body(inner)
            else:
                body(inner)
        except FlowError as error:
            decided = joined.failed(index, error)
        else:
            decided = joined.succeeded(index, inner.ctx)
        if decided:
            return
        if index % BREATH == BREATH - 1:
            await asyncio.sleep(0)


async def _serve_with_runners(code: FanoutCode, lane: Lane, values: list[Any], joined: Joined, address: str) -> None:
    probe = Lane(lane.ctx, lane.evaluation, address, lane.scope)
    code.bind(probe, values[0])  # a bind that fails does so for every item, before any lane has begun
    await _Runners(code=code, lane=lane, values=values, joined=joined, address=address).serve()


@define(kw_only=True, eq=False, repr=False)
class _Runners:
    """The runners of one fan-out under way.

    `starting` is true while a runner is doing its first steps on its owner's stack; `paused`, when it has gone on there
    for so long that the event loop is due.
    """

    code: FanoutCode
    lane: Lane
    values: list[Any]
    joined: Joined
    address: str
    scope: Scope = field(factory=Scope)
    tasks: set[asyncio.Task[None]] = field(factory=set)
    next: int = 0
    starting: bool = False
    paused: bool = False
    settled: asyncio.Future[None] | None = None
    crash: BaseException | None = None

    async def serve(self) -> None:
        try:
            await self._start_runners()
            if self.tasks and not self.scope.closed:
                self.settled = asyncio.get_running_loop().create_future()
                await self.settled
        finally:
            self.scope.closed = True
            await self._end_runners()
        if self.crash is not None:
            raise self.crash

    async def _start_runners(self) -> None:
        most = self.code.max_concurrency or len(self.values)
        while self.next < len(self.values) and len(self.tasks) < most and not self.scope.closed:
            self._start_runner()
            if self.paused or self.next % _TURN == 0:
                self.paused = False
                await asyncio.sleep(0)

    def _start_runner(self) -> None:
        evaluation = self.lane.evaluation
        if evaluation.nested >= DEEPEST_EAGER:
            task = asyncio.get_running_loop().create_task(self._runner())
        else:
            evaluation.nested += 1
            self.starting = True
            task, done = start(self._runner())
            self.starting = False
            evaluation.nested -= 1
            if done:
                evaluation.strays.add(task)
                task.add_done_callback(evaluation.strays.discard)
                return
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    async def _runner(self) -> None:
        served = 0
        while self.next < len(self.values) and not self.scope.closed:
            index = self.next
            self.next += 1
            await self._lane(index)
            served += 1
            if served % BREATH == 0:
                if self.starting:
                    self.paused = True
                    return
                await asyncio.sleep(0)

    async def _lane(self, index: int) -> None:
        inner = Lane(self.lane.ctx, self.lane.evaluation, f"{self.address}/lane@{index}", self.scope)
        self.code.bind(inner, self.values[index])
        try:
            await self.code.body(inner)
        except FlowError as error:
            decided = not self.scope.closed and self.joined.failed(index, error)
        else:
            decided = not self.scope.closed and self.joined.succeeded(index, inner.ctx)
        if decided:
            self.scope.closed = True
            self._wake()

    def _wake(self) -> None:
        if self.settled is not None and not self.settled.done():
            self.settled.set_result(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not (task.cancelled() and self.scope.closed):
            self.crash, self.scope.closed = error, True
        if self.crash is not None or not self.tasks:
            self._wake()

    async def _end_runners(self) -> None:
        for task in self.tasks:
            task.cancel()
        cancelled: BaseException | None = None
        while self.tasks:
            try:
                await asyncio.wait(self.tasks)
            except asyncio.CancelledError as error:  # the lanes have been told; their end is waited for all the same
                cancelled = error
        if cancelled is not None:
            raise cancelled
