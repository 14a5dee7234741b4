"""Stores that fail when they are told to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from inspect import isawaitable
from typing import Any, Literal

from attrs import frozen

from swarm_core.contracts import OutputStore, RunStore
from swarm_core.errors import StoreUnavailable


@frozen
class StoreCall:
    """One call of a store's method, and whether it is about to happen or has happened; `number` counts from 1."""

    number: int
    method: str
    when: Literal["before", "after"]


Watch = Callable[[StoreCall], Awaitable[None] | None]


class _Counter:
    """Counts the calls of a store and of its outputs, and lets the chosen ones fail."""

    def __init__(
        self,
        *,
        fail_at: int | None,
        persistent: bool,
        after: bool,
        counted: Collection[str] | None,
        error: Callable[[], BaseException],
        watch: Watch | None,
    ) -> None:
        self.fail_at, self.persistent, self.after, self.counted = fail_at, persistent, after, counted
        self._error, self._watch = error, watch
        self.failures = 0
        self.log: list[str] = []

    async def call(self, method: str, carry_out: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        if self.counted is not None and method not in self.counted:
            return await carry_out(*args, **options)
        self.log.append(method)
        number = len(self.log)
        await self._tell(StoreCall(number, method, "before"))
        if self._fails(number) and not self.after:
            self._fail()
        done = await carry_out(*args, **options)
        await self._tell(StoreCall(number, method, "after"))
        if self._fails(number) and self.after:
            self._fail()
        return done

    def _fails(self, number: int) -> bool:
        return self.fail_at is not None and (number == self.fail_at or (self.persistent and number > self.fail_at))

    def _fail(self) -> None:
        self.failures += 1
        raise self._error()

    async def _tell(self, call: StoreCall) -> None:
        if self._watch is not None:
            heard = self._watch(call)
            if isawaitable(heard):
                await heard


def _unavailable() -> StoreUnavailable:
    return StoreUnavailable("this call was to fail", hint="a test said so")


def _passed_on(method: str) -> Any:
    async def carried_out(self: Any, *args: Any, **options: Any) -> Any:
        return await self._counter.call(method, getattr(self._inner, method), *args, **options)

    carried_out.__name__ = carried_out.__qualname__ = method
    return carried_out


class _FailingOutputs(OutputStore):
    def __init__(self, inner: OutputStore, counter: _Counter) -> None:
        self._inner, self._counter = inner, counter

    append = _passed_on("append")
    get = _passed_on("get")
    get_latest_by_name = _passed_on("get_latest_by_name")
    list_for_attempt = _passed_on("list_for_attempt")
    keep = _passed_on("keep")
    load = _passed_on("load")
    forget_run = _passed_on("forget_run")


class FailingRunStore(RunStore):
    """Passes everything on to another store and lets call number `fail_at`, counted from 1, fail.

    With `persistent` all calls after it fail as well. With `after` a failing call is carried out first: what it wrote
    is there, and nobody was told. `counted` are the methods that count, None all, its outputs' methods included.
    `error()` makes the exception, by default a `StoreUnavailable`. `watch(call)`, plain or async, hears of every call
    that counts, before and after it, and may raise what ends the program there. `fail_at` may be set at any time;
    `calls` is how many there were, `failures` how many failed, `log` the methods in order.
    """

    def __init__(
        self,
        inner: RunStore,
        *,
        fail_at: int | None = None,
        persistent: bool = False,
        after: bool = False,
        counted: Collection[str] | None = None,
        error: Callable[[], BaseException] = _unavailable,
        watch: Watch | None = None,
    ) -> None:
        self._inner = inner
        self._counter = _Counter(
            fail_at=fail_at, persistent=persistent, after=after, counted=counted, error=error, watch=watch
        )
        self.durability, self.url = inner.durability, inner.url
        self.outputs = None if inner.outputs is None else _FailingOutputs(inner.outputs, self._counter)

    @property
    def calls(self) -> int:
        """Return how many calls there were."""
        return len(self._counter.log)

    @property
    def failures(self) -> int:
        """Return how many calls have failed."""
        return self._counter.failures

    @property
    def log(self) -> list[str]:
        """Return the names of the methods that were called, in order."""
        return self._counter.log

    @property
    def fail_at(self) -> int | None:
        """The number of the call that is to fail, None for none."""
        return self._counter.fail_at

    @fail_at.setter
    def fail_at(self, number: int | None) -> None:
        self._counter.fail_at = number

    enlist = _passed_on("enlist")
    leave = _passed_on("leave")
    owners = _passed_on("owners")
    commit = _passed_on("commit")
    claim = _passed_on("claim")
    ask_cancel = _passed_on("ask_cancel")
    answer = _passed_on("answer")
    delete = _passed_on("delete")
    get = _passed_on("get")
    find = _passed_on("find")
    runs = _passed_on("runs")
    count = _passed_on("count")
    blueprint = _passed_on("blueprint")
    result = _passed_on("result")
    rows = _passed_on("rows")
    questions = _passed_on("questions")
    question = _passed_on("question")
    asked = _passed_on("asked")
    version = _passed_on("version")
    problems = _passed_on("problems")
