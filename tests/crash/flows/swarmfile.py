"""Functions as workers of the crash test; all are coroutines, so that a cancel ends them where they stand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from swarm_core import Call, Result, function

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workers"))

from effects import answer, effect, pace  # beside the flows' folder, which no path knows


@function
async def link(given: Any, call: Call) -> Any:
    """Answer the input."""
    with effect(call.idempotency_key, str(call.run_id), call.address, call.attempt) as end:
        await asyncio.sleep(pace())
        result = answer(call.address, given)
        end(result)
    return result


@function
async def refuses(given: Any, call: Call) -> Result:
    """Answer, and say that it is a failure."""
    return Result(await link(given, call), ok=False)


@function
async def raises(given: Any, call: Call) -> None:
    """Do the work, and then fail."""
    await link(given, call)
    raise RuntimeError("as it always does")


@function
async def flaky(given: Any, call: Call) -> Any:
    """Fail the first attempt, answer the second."""
    result = await link(given, call)
    if call.attempt == 1:
        raise RuntimeError("the first attempt fails")
    return result


@function
async def picky(given: Any, call: Call) -> Result:
    """Fail where the lane's item is odd."""
    return Result(await link(given, call), ok=given["item"] % 2 == 0)


@function
async def boss(given: Any, call: Call) -> Any:
    """Let others do parts of the work, one after the other and two at a time, and answer with what they gave."""
    with effect(call.idempotency_key, str(call.run_id), call.address, call.attempt) as end:
        first = await call.context.start_child("link", {"part": 1, "of": given})
        second = await call.context.start_child("tool", {"part": 2, "of": first.value})
        pair = await asyncio.gather(*(call.context.start_child("link", {"part": n, "of": given}) for n in (3, 4)))
        await asyncio.sleep(pace())
        result = answer(call.address, given, [each.value for each in (first, second, *pair)])
        end(result)
    return result


@function
async def asker(given: Any, call: Call) -> Any:
    """Ask twice, and answer with what it was told."""
    with effect(call.idempotency_key, str(call.run_id), call.address, call.attempt) as end:
        told = [await call.context.ask(f"{text} of {call.address}?") for text in ("first", "second")]
        result = answer(call.address, given, told)
        end(result)
    return result


@function
async def pair(given: Any, call: Call) -> Any:
    """Let two children work, one after the other, and answer with what they gave."""
    with effect(call.idempotency_key, str(call.run_id), call.address, call.attempt) as end:
        parts = [(await call.context.start_child("link", {"part": n, "of": given})).value for n in (1, 2)]
        result = answer(call.address, given, parts)
        end(result)
    return result
