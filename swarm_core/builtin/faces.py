"""Functions in the place of an operator, a senior or a spawn hook."""

from __future__ import annotations

import inspect
from typing import Any

from attrs import evolve

from swarm_core.builtin.function import FunctionSpawner
from swarm_core.builtin.threads import run_in_thread
from swarm_core.contracts import Operator, SeniorBridge, SpawnHook
from swarm_core.errors import WorkerFailed
from swarm_core.factories import Function
from swarm_core.model.call import Call, Result


class FunctionOperator(Operator):
    """Carries out attempts by a function, which is called as an agent of kind `function` is.

    The system prompt, where there is one, is `call.meta["system"]`.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self._worker = FunctionSpawner(function.name, function)

    async def execute(self, call: Call, system: str | None) -> Result:
        """Return what the function returns."""
        result = await self._worker.run(evolve(call, meta={**call.meta, "system": system}))
        result = result if result is not None else call.context.latest
        if result is None:
            raise WorkerFailed("no Final in output_tail", kind="no_final")
        return result


class FunctionSenior(SeniorBridge):
    """Answers by a function that gets the question."""

    def __init__(self, function: Function) -> None:
        self.function = function

    async def ask(self, task_id: str, question: Any) -> Any:
        """Return what the function returns; raises what it raises."""
        return await _called(self.function, question)


class FunctionHook(SpawnHook):
    """Looks at attempts by a function that gets the Call, and the end: None before the attempt.

    A function with one parameter is called before only.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self._looks_back = len(inspect.signature(function.call).parameters) > 1

    async def before(self, call: Call) -> None:
        """Call the function; what it raises refuses the attempt."""
        await (_called(self.function, call, None) if self._looks_back else _called(self.function, call))

    async def after(self, call: Call, result: Result | BaseException) -> None:
        """Call the function with the end."""
        if self._looks_back:
            await _called(self.function, call, result)


async def _called(function: Function, *arguments: Any) -> Any:
    target = function.call
    if inspect.iscoroutinefunction(target):
        return await target(*arguments)
    return target(*arguments) if function.inline else await run_in_thread(target, arguments)
