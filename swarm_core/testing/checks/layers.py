"""The contract of layers."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import attrs
from attrs import define, field

from swarm_core.contracts import SpawnerLayer
from swarm_core.errors import TokenRevoked, WorkerFailed
from swarm_core.model.call import Call, Result
from swarm_core.testing.checks.contract import (
    GRACE,
    ContractBroken,
    TaskWatch,
    end_by_cancelling,
    require,
    require_result,
)
from swarm_core.testing.recording import RecordingContext, make_call

_WHO = "the layer"


async def check_layer(
    layer: SpawnerLayer,
    call: Call | None = None,
    *,
    changes_result: bool = False,
    handles_errors: bool = False,
    may_skip: bool = False,
    grace: float = GRACE,
) -> None:
    """Run a layer through its contract: it is transparent to results, errors and cancellation.

    Checked: `inner` is called once, with a Call of the same attempt; results and errors come through as they are;
    attempts at the same time keep apart; cancelling ends the attempt, is not swallowed, and comes through even when the
    attempt has ended meanwhile; `call.input` stays as it is; no asyncio task is left. What the layer exists for is
    allowed by name: `changes_result`, `handles_errors`, and `may_skip` for one that does without `inner`. Raises:
    ContractBroken.
    """
    check = _LayerCheck(layer, make_call() if call is None else call, changes_result, handles_errors, may_skip, grace)
    watch = TaskWatch()
    await check.results()
    await check.errors()
    await check.apart()
    await check.cancellation()
    await check.ended_attempt()
    await watch.require_none_left(_WHO)


@define
class _Inner:
    """What stands inside the layer: it takes note of its calls and ends as it is told."""

    end: Result | BaseException | None
    calls: list[Call] = field(factory=list)
    turns: int = 1
    ends_attempt: bool = False

    async def run(self, call: Call) -> Result:
        self.calls.append(call)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.ends_attempt and isinstance(call.context, RecordingContext):
            call.context.end()
        if self.end is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(self.end, BaseException):
            raise self.end
        assert self.end is not None
        return self.end


@define
class _LayerCheck:
    layer: SpawnerLayer
    call: Call
    changes_result: bool
    handles_errors: bool
    may_skip: bool
    grace: float

    async def results(self) -> None:
        for number, given in enumerate((Result({"n": 1}), Result("no", ok=False), Result(None))):
            inner, call = _Inner(given), self._again(number)
            before = deepcopy(call.input)
            got = require_result(await self.layer.run(call, inner.run), _WHO)
            self._require_one_call(inner, call)
            require(call.input == before, f"{_WHO} changed `call.input`, which is read-only")
            kept = self.changes_result or (self.may_skip and not inner.calls) or got == given
            require(kept, f"{_WHO} returned {got!r} where the worker gave {given!r}")

    async def errors(self) -> None:
        for number, error in enumerate((WorkerFailed("it broke"), ValueError("bad"), TimeoutError())):
            inner, call = _Inner(error), self._again(number)
            try:
                result = await self.layer.run(call, inner.run)
            except Exception as raised:
                same = self.handles_errors or raised is error
                require(same, f"{_WHO} raised {raised!r} where the worker raised {error!r}")
            else:
                skipped = self.may_skip and not inner.calls
                require(self.handles_errors or skipped, f"{_WHO} hid {error!r} and returned {result!r}")

    async def apart(self) -> None:
        inners = [_Inner(Result(number), turns=9 - 4 * number) for number in range(3)]
        calls = [self._again(number) for number in range(3)]
        runs = (self.layer.run(call, inner.run) for call, inner in zip(calls, inners, strict=True))
        for inner, call, got in zip(inners, calls, await asyncio.gather(*runs), strict=True):
            self._require_one_call(inner, call)
            kept = self.changes_result or (self.may_skip and not inner.calls) or got == inner.end
            require(kept, f"{_WHO} gave one attempt the result of another")

    async def cancellation(self) -> None:
        for turns in (1, 20):
            inner = _Inner(None)
            task = asyncio.ensure_future(self.layer.run(self._again(turns), inner.run))
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.done() and self.may_skip:
                continue
            require(not task.done(), f"{_WHO} did not wait for the worker")
            await end_by_cancelling(task, _WHO, self.grace)

    async def ended_attempt(self) -> None:
        """A worker that was given up comes back late: its attempt has ended, and `publish` refuses."""
        inner = _Inner(asyncio.CancelledError(), ends_attempt=True)
        try:
            await self.layer.run(self._again(0), inner.run)
        except asyncio.CancelledError:
            return
        except TokenRevoked:
            raise ContractBroken(
                f"{_WHO} used the context of an ended attempt, and TokenRevoked took the place of the cancellation"
            ) from None
        require(self.may_skip and not inner.calls, f"{_WHO} swallowed a cancellation that came from within")

    def _require_one_call(self, inner: _Inner, call: Call) -> None:
        if self.may_skip and not inner.calls:
            return
        count = len(inner.calls)
        require(count == 1, f"{_WHO} called the worker {count} times, not once")
        passed = inner.calls[0]
        same = (passed.run_id, passed.task_id, passed.attempt) == (call.run_id, call.task_id, call.attempt)
        require(same, f"{_WHO} passed on a Call of another attempt: {passed.task_id} attempt {passed.attempt}")

    def _again(self, number: int) -> Call:
        return attrs.evolve(self.call, task_id=f"T-check{number}", context=RecordingContext())
