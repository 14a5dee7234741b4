"""What is attached to a swarm under a name: operators, seniors and spawn hooks, now and later."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from swarm_core.contracts import EventListener, Operator, SeniorBridge, SpawnHook
from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Call, Result

T = TypeVar("T")

_LONGEST_ID = 200


class Attached(Generic[T]):
    """Something that is attached under an id, until it is detached or something else takes its place."""

    def __init__(self, registry: Registry[T], id: str, thing: T) -> None:
        self._registry, self._left = registry, asyncio.Event()
        self.id, self.thing = id, thing

    @property
    def attached(self) -> bool:
        """Tell whether it is still the one that the id stands for."""
        return not self._left.is_set()

    def detach(self) -> None:
        """Take it away; when something else has taken its place, nothing happens."""
        self._registry.detach(self)

    def leave(self) -> None:
        """Tell whoever works with it that it is gone."""
        self._left.set()

    async def gone(self) -> None:
        """Wait until it is gone."""
        await self._left.wait()


class Registry(Mapping[str, T]):
    """Keeps what is attached by id; what is attached under an id again takes the place of what was there."""

    def __init__(self) -> None:
        self._by_id: dict[str, Attached[T]] = {}
        self._news = asyncio.Event()

    def attach(self, id: str, thing: T) -> Attached[T]:
        """Attach something and return the handle that detaches it.

        Raises: ValueError, when the id is no text of 1 to 200 printable characters.
        """
        if not (isinstance(id, str) and 0 < len(id) <= _LONGEST_ID and id.isprintable() and id.strip() == id):
            shown = repr(id)[:80]
            raise ValueError(f"{shown} is no id: 1 to {_LONGEST_ID} printable characters, no blanks around them")
        before, attached = self._by_id.get(id), Attached(self, id, thing)
        self._by_id[id] = attached
        if before is not None:
            before.leave()
        self._news.set()
        self._news = asyncio.Event()
        return attached

    def detach(self, attached: Attached[T]) -> None:
        """Take something away, if it is still there."""
        if self._by_id.get(attached.id) is attached:
            del self._by_id[attached.id]
        attached.leave()

    def handle(self, id: str) -> Attached[T] | None:
        """Return the handle of what is attached under an id."""
        return self._by_id.get(id)

    def find(self, id: str | None) -> T | None:
        """Return what is attached under an id, None when nothing is, or there is no id."""
        return None if id is None else self.get(id)

    def __getitem__(self, id: str) -> T:
        return self._by_id[id].thing

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    async def wait(self, id: str) -> None:
        """Wait until something is attached under an id."""
        while id not in self._by_id:
            await self._news.wait()


class Seat(Operator):
    """Whoever is attached as an operator under a name, now or later."""

    def __init__(self, name: str, operators: Registry[Operator], at_work: set[str]) -> None:
        self.name, self._operators, self._at_work = name, operators, at_work
        self._awaited: dict[str, int] = {}

    @property
    def taken(self) -> bool:
        """Tell whether somebody is there."""
        return self.name in self._operators

    async def wait_taken(self) -> None:
        """Wait until somebody is there."""
        await self._operators.wait(self.name)

    async def execute(self, call: Call, system: str | None) -> Result:
        """Let whoever is there carry out an attempt, or whoever comes next."""
        while (result := await self.offer(call, system)) is None:
            call.context.publish("operator_awaited", operator=self.name)
            await self.wait_taken()
        return result

    async def offer(self, call: Call, system: str | None) -> Result | None:
        """Let whoever is there carry out an attempt; return None when nobody is there, or not any more.

        When an operator leaves before it is done, its work is cancelled and begins anew with the one that took its
        place. A final that it has recorded by then counts.
        """
        context = call.context
        while (attached := self._operators.handle(self.name)) is not None:
            before = context.latest
            self._at_work.add(call.task_id)
            try:
                working = await _worked(attached, attached.thing.execute(call, system))
            finally:
                self._at_work.discard(call.task_id)
            posted = None if context.latest is before else context.latest
            if not working.cancelled() and (attached.attached or working.exception() is None):
                result: Result | None = working.result() or posted
                if result is None:
                    raise WorkerFailed("no Final in output_tail", kind="no_final")
                return result
            if not attached.attached and posted is not None:
                return posted
            if attached.attached:
                raise WorkerFailed(f"the operator {self.name!r} cancelled itself")
        return None

    @contextmanager
    def awaiting(self, run_id: str | None) -> Iterator[None]:
        """Note that a run waits for somebody to sit down; it is still noted when the wait is broken off."""
        if run_id is not None:
            self._awaited[run_id] = self._awaited.get(run_id, 0) + 1
        yield
        if run_id is not None and run_id in self._awaited:
            self._awaited[run_id] -= 1
            if not self._awaited[run_id]:
                del self._awaited[run_id]

    def take_awaited(self) -> list[str]:
        """Return the runs that waited for somebody to sit down, and forget them."""
        runs, self._awaited = list(self._awaited), {}
        return runs


class Attachments:
    """All that is attached to one swarm. A plugin finds it in `environment.services` and `swarm.services`.

    `at_work` has the tasks that operators carry out just now. `listeners` hear every event of every run from when they
    are put there.
    """

    def __init__(self) -> None:
        self.operators: Registry[Operator] = Registry()
        self.seniors: Registry[SeniorBridge] = Registry()
        self.hooks: Registry[SpawnHook] = Registry()
        self.at_work: set[str] = set()
        self.listeners: list[EventListener] = []
        self._seats: dict[str, Seat] = {}

    def seat(self, name: str) -> Seat:
        """Return the seat of a name, whether somebody sits on it or not."""
        if name not in self._seats:
            self._seats[name] = Seat(name, self.operators, self.at_work)
        return self._seats[name]


async def _worked(attached: Attached[Operator], work: Coroutine[Any, Any, Result]) -> asyncio.Future[Result]:
    """Return the work when it has ended: by itself, or cancelled because the operator was gone."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(attached.gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        await _ended(working)
    return working


async def _ended(working: asyncio.Future[Any]) -> None:
    """Cancel work that is not done, and wait until it is; a cancellation that comes meanwhile is raised then."""
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        working.cancel()
        try:
            await asyncio.wait((working,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
