"""What a run must have computed: its flow, evaluated with the results that stand in its journal, without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from swarm_core.errors import DispatchFailed, FlowError, StepBlocked
from swarm_core.flow import compile_flow
from swarm_core.model.call import to_text

_TURNS = 30  # turns of the event loop after which a flow that has nothing to do has come to rest


class Stuck(Exception):
    """The flow waits for steps that the journal has no end of."""


@frozen(kw_only=True)
class Replayed:
    """The final ctx, or the flow's error; and every step that was asked for, as (ref, input, address)."""

    final_ctx: Any
    error: Mapping[str, Any] | None = None
    asked: Sequence[tuple[str, Any, str]] = field(factory=list)


def replay(flow: Any, init_ctx: Any, ends: Sequence[tuple[str, Mapping[str, Any]]]) -> Replayed:
    """Evaluate a flow; its steps end as the journal's events say, in the order in which they stand there.

    Raises: Stuck.
    """
    return asyncio.run(_replay(flow, init_ctx, ends))


async def _replay(flow: Any, init_ctx: Any, ends: Sequence[tuple[str, Mapping[str, Any]]]) -> Replayed:
    asked: list[tuple[str, Any, str]] = []
    waiting: dict[str, asyncio.Future[Any]] = {}

    async def step(ref: str, given: Any, address: str) -> Any:
        asked.append((ref, given, address))
        waiting[address] = asyncio.get_running_loop().create_future()
        try:
            return await waiting[address]
        finally:
            del waiting[address]

    driver = asyncio.ensure_future(compile_flow(flow).run(init_ctx, step))
    left = list(ends)
    while True:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if driver.done():
            return _outcome(driver, asked)
        ready = next((end for end in left if end[0] in waiting and not waiting[end[0]].done()), None)
        if ready is None:
            driver.cancel()
            raise Stuck(f"no end of {', '.join(sorted(waiting))} is recorded")
        left.remove(ready)
        _settle(waiting[ready[0]], ready[1])


def _settle(waiter: asyncio.Future[Any], end: Mapping[str, Any]) -> None:
    if end["kind"] == "task_pass":
        waiter.set_result(end["result"])
    elif end.get("error") is not None:
        waiter.set_exception(DispatchFailed(end["error"]))
    elif end["kind"] == "task_blocked":
        waiter.set_exception(StepBlocked(end["result"], to_text(end["result"])))
    else:
        waiter.set_exception(DispatchFailed("the task was cancelled", cause="cancelled"))


def _outcome(driver: asyncio.Future[Any], asked: Sequence[tuple[str, Any, str]]) -> Replayed:
    try:
        return Replayed(final_ctx=driver.result(), asked=asked)
    except FlowError as error:
        return Replayed(final_ctx=None, error=error.as_json(), asked=asked)
