"""The contract of workers."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import attrs

from swarm_core.contracts import Spawner
from swarm_core.model.call import Call, Result
from swarm_core.model.output import Final
from swarm_core.testing.checks.contract import (
    GRACE,
    ContractBroken,
    TaskWatch,
    end_by_cancelling,
    require,
    require_result,
)
from swarm_core.testing.recording import RecordingContext, make_call

_WHO = "the worker"


async def check_spawner(
    spawner: Spawner, call: Call | None = None, *, grace: float = GRACE, background: bool = False
) -> Result:
    """Run a worker through its contract and return the result of its first attempt.

    Checked: results are JSON values; `call.input` stays as it is; attempts at the same time do not disturb each other;
    cancelling ends an attempt within `grace` seconds and is not swallowed; no asyncio task is left, unless `background`
    says that the worker keeps some between attempts. The worker runs seven times, with `call` (else one of ours) under
    several task ids and contexts of the same script; one that `parks` twice more: it asks the same questions each time,
    and cancelling ends its waiting. Raises: ContractBroken, and what the worker raises.
    """
    call = make_call() if call is None else call
    watch = TaskWatch()
    first = await _attempt(spawner, call)
    await asyncio.gather(*(_attempt(spawner, _again(call, number)) for number in range(3)))
    for number, turns in enumerate((1, 3, 20)):
        await _cancelled(spawner, _again(call, 10 + number), turns, grace)
    if spawner.parks:
        await _asks_alike(spawner, call)
        await _cancelled(spawner, _again(call, 20, RecordingContext(answers=None)), 3, grace)
    if not background:
        await watch.require_none_left(_WHO)
    return first


async def _attempt(spawner: Spawner, call: Call) -> Result:
    before = deepcopy(call.input)
    returned = await spawner.run(call)
    result = require_result(_final(call) if returned is None else returned, _WHO)
    require(call.input == before, f"{_WHO} changed `call.input`, which is read-only")
    return result


def _final(call: Call) -> Result:
    if call.context.latest is None:
        raise ContractBroken(f"{_WHO} returned None and emitted no {Final.__name__}, so there is no result")
    return call.context.latest


async def _cancelled(spawner: Spawner, call: Call, turns: int, grace: float) -> None:
    task = asyncio.ensure_future(spawner.run(call))
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.done():
        task.result()
        return
    await end_by_cancelling(task, _WHO, grace)


async def _asks_alike(spawner: Spawner, call: Call) -> None:
    again = attrs.evolve(_again(call, 30), task_id=call.task_id)
    await _attempt(spawner, again)
    if isinstance(call.context, RecordingContext) and isinstance(again.context, RecordingContext):
        same = again.context.asked == call.context.asked
        require(same, f"{_WHO} parks and asked other questions when it was begun anew")


def _again(call: Call, number: int, context: RecordingContext | None = None) -> Call:
    if context is None:
        context = call.context.again() if isinstance(call.context, RecordingContext) else RecordingContext()
    return attrs.evolve(call, task_id=f"T-check{number}", context=context)
