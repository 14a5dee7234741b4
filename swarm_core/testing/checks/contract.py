"""What all checks share: how a broken contract is told, and how attempts are watched and ended."""

from __future__ import annotations

import asyncio
from typing import Any

from swarm_core.model.call import Result
from swarm_core.model.value import NotJson, json_copy

GRACE = 5.0

_MAX_BYTES = 64 * 1024 * 1024


class ContractBroken(AssertionError):
    """What was checked does not keep its contract; the text says which part of it."""


def require(kept: object, sentence: str) -> None:
    """Raise ContractBroken with the sentence unless the condition holds."""
    if not kept:
        raise ContractBroken(sentence)


def require_result(result: object, who: str) -> Result:
    """Return what was returned when it is a Result with a JSON value."""
    if not isinstance(result, Result):
        raise ContractBroken(f"{who} returned {type(result).__name__}, not a Result")
    require(isinstance(result.ok, bool), f"{who} returned ok={result.ok!r}, not true or false")
    try:
        json_copy(result.value, max_bytes=_MAX_BYTES)
    except NotJson as error:
        raise ContractBroken(f"{who} returned a value that is no JSON: {error}") from None
    return result


class TaskWatch:
    """Remembers the asyncio tasks there are, to find those that were left behind."""

    def __init__(self) -> None:
        self._before = asyncio.all_tasks()

    async def require_none_left(self, who: str) -> None:
        """Give new tasks a moment to end, then raise ContractBroken when one is still there."""
        for _ in range(50):
            if not self._left():
                return
            await asyncio.sleep(0.01)
        names = sorted(task.get_name() for task in self._left())
        raise ContractBroken(f"{who} left asyncio tasks running: {', '.join(names)}")

    def _left(self) -> set[asyncio.Task[Any]]:
        return asyncio.all_tasks() - self._before


async def end_by_cancelling(task: asyncio.Task[Any], who: str, grace: float) -> None:
    """Cancel a running attempt and require that it ends, cancelled, within the grace."""
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=grace)
    if not done:
        await _end_anyway(task)
        raise ContractBroken(f"{who} still ran {grace:g} s after it was cancelled")
    if task.cancelled():
        return
    error = task.exception()
    ended = f"raised {error!r}" if error is not None else f"returned {task.result()!r}"
    raise ContractBroken(f"{who} swallowed its cancellation and {ended}")


async def _end_anyway(task: asyncio.Task[Any]) -> None:
    for _ in range(100):
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.01)
        if done:
            return
