"""Running plain functions in threads, without letting a thread touch what belongs to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NoReturn

from attrs import evolve

from swarm_core.contracts import NO_DEFAULT, AttemptContext
from swarm_core.errors import WorkerFailed
from swarm_core.model.blueprint import VerdictContract
from swarm_core.model.call import Call, Result
from swarm_core.model.output import OutputEvent


async def run_in_thread(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a plain function in a thread of the loop's default executor, with this task's context variables.

    A thread cannot be ended from outside: when the waiter is cancelled the function runs on, and what it returns is
    dropped. Raises: what the function raises; WorkerFailed, where that could not cross from a thread to the loop
    (SystemExit, StopIteration ...).
    """
    loop = asyncio.get_running_loop()
    crossing = tuple(_for_thread(argument, loop) for argument in arguments)
    return await asyncio.to_thread(_contained, function, crossing)


def _for_thread(argument: Any, loop: asyncio.AbstractEventLoop) -> Any:
    if not isinstance(argument, Call):
        return argument
    return evolve(argument, context=ThreadContext(argument.context, loop))


def _contained(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:
        # asyncio's futures refuse it, and whoever waits for them would wait for ever
        raise WorkerFailed("the function raised StopIteration") from error
    except Exception:
        raise
    except BaseException as error:
        raise WorkerFailed(f"the function raised {type(error).__name__}: {error}") from error


class ThreadContext(AttemptContext):
    """An attempt's context for use in a thread: each call is made on the event loop, and its end waited for."""

    def __init__(self, context: AttemptContext, loop: asyncio.AbstractEventLoop) -> None:
        self._context, self._loop = context, loop

    @property
    def latest(self) -> Result | None:  # type: ignore[override]
        """Return the final recorded last."""
        return self._context.latest

    def emit(self, event: OutputEvent) -> None:
        """Append an output to the attempt's tail."""
        self._on_loop(lambda: self._context.emit(event))

    def record_final(self, result: Result, *, by: str | None = None) -> None:
        """Append a result to the tail."""
        self._on_loop(lambda: self._context.record_final(result, by=by))

    def publish(self, kind: str, **facts: Any) -> None:
        """Put an event of the plugin's own kind on the run's event stream."""
        self._on_loop(lambda: self._context.publish(kind, **facts))

    def start_child(self, agent: str, input: Any) -> NoReturn:
        """Refuse: only an async function can wait for a child."""
        _refuse_waiting("start_child")

    def ask(
        self,
        question: Any,
        *,
        timeout: float | None = None,
        schema: Any = None,
        who: Sequence[str] = (),
        default: Any = NO_DEFAULT,
    ) -> NoReturn:
        """Refuse: only an async function can wait for an answer."""
        _refuse_waiting("ask")

    @property
    def waited(self) -> float:
        """Return the seconds that the attempt has waited for answers so far."""
        return self._context.waited

    def remember(self, key: str, value: Any) -> NoReturn:
        """Refuse: only an async function can wait until a value is kept."""
        _refuse_waiting("remember")

    def recall(self, key: str) -> Any:
        """Return what this task remembers under a key."""
        return self._on_loop(lambda: self._context.recall(key))

    def beat(self) -> None:
        """Give the session that the task belongs to a sign of life."""
        self._on_loop(self._context.beat)

    def time_out(self, seconds: float, *, by: str) -> None:
        """Let the attempt's time be over now."""
        self._on_loop(lambda: self._context.time_out(seconds, by=by))

    def spend(self, **amounts: float) -> None:
        """Report what was used of the budget's counters."""
        self._on_loop(lambda: self._context.spend(**amounts))

    def fetch_data(self, key: str) -> Any:
        """Return a resource of this run."""
        return self._on_loop(lambda: self._context.fetch_data(key))

    @property
    def deadline(self) -> float | None:
        """Return the monotonic time at which the attempt will be timed out, or None."""
        return self._context.deadline

    def bake(self, call: Call, *, system: str | None = None, verdict: VerdictContract | None = None) -> None:
        """Say what a worker outside the process is given when it fetches its work."""
        self._on_loop(lambda: self._context.bake(call, system=system, verdict=verdict))

    def token(self) -> str:
        """Return the attempt's capability token."""
        return str(self._on_loop(self._context.token))

    def handle(self) -> str:
        """Return the short handle that stands for the token."""
        return str(self._on_loop(self._context.handle))

    def _on_loop(self, ask: Callable[[], Any]) -> Any:
        answer: Future[Any] = Future()
        self._loop.call_soon_threadsafe(_answer, answer, ask)
        return answer.result()


def _answer(answer: Future[Any], ask: Callable[[], Any]) -> None:
    try:
        answer.set_result(ask())
    except Exception as error:
        answer.set_exception(error)


def _refuse_waiting(method: str) -> NoReturn:
    raise WorkerFailed(f"call.context.{method} cannot be used in a thread", hint="make the function async and await it")
