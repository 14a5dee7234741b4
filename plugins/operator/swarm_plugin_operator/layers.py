"""The layers around a session's operator: one lets it take whole attempts, the other lets it look at them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from swarm_core.contracts import Run, SpawnerLayer, SpawnHook
from swarm_core.errors import RejectedByMiddleware, TokenRevoked
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.call import Call, Result
from swarm_core.model.operator import OperatorKind

_LOOKS = (OperatorKind.MAIN_AI, OperatorKind.COMPOSITE)
_LAST_WORD = 1.0  # seconds that a hook has for an attempt that was cancelled


class OperatorDelegateLayer(SpawnerLayer):
    """Let the session's operator carry out every attempt in the worker's place; without one, change nothing.

    The operator gets no system prompt. A final that it has recorded counts before what it returns.
    """

    async def run(self, call: Call, inner: Run) -> Result:
        """Return the operator's result, or what is inside returns."""
        operator, context = call.operator.operator, call.context
        if operator is None:
            return await inner(call)
        before = context.latest
        context.bake(call)
        result = await operator.execute(call, None)
        posted = context.latest
        return result if posted is None or posted is before else posted


class MainAILayer(SpawnerLayer):
    """Show attempts to the session's spawn hook, before and after, where the operator's kind is a main AI's.

    What the hook raises before refuses the attempt. What it does after changes nothing; it is told on the run's event
    stream, as `main_ai_before` and `main_ai_after`.
    """

    async def run(self, call: Call, inner: Run) -> Result:
        """Ask the hook, let the attempt through, and tell the hook how it ended."""
        hook = call.operator.spawn_hook
        if hook is None or call.operator.kind not in _LOOKS:
            return await inner(call)
        await self._before(hook, call)
        try:
            result = await inner(call)
        except asyncio.CancelledError as error:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD):
                    await self._after(hook, call, error)
            raise
        except BaseException as error:
            await self._after(hook, call, error)
            raise
        await self._after(hook, call, result)
        return result

    @staticmethod
    async def _before(hook: SpawnHook, call: Call) -> None:
        try:
            await hook.before(call)
        except Exception as error:
            reason = _text(error)
            call.context.publish("main_ai_before", agent=call.agent, by=call.operator.id, refused=reason)
            raise RejectedByMiddleware(reason) from error
        call.context.publish("main_ai_before", agent=call.agent, by=call.operator.id)

    @staticmethod
    async def _after(hook: SpawnHook, call: Call, end: Result | BaseException) -> None:
        facts: dict[str, Any] = {"ok": end.ok} if isinstance(end, Result) else {"error": _text(end)}
        try:
            await hook.after(call, end)
        except Exception as error:
            facts["hook_error"] = _text(error)
        with suppress(TokenRevoked):  # a worker that was given up comes back when its attempt is over
            call.context.publish("main_ai_after", agent=call.agent, by=call.operator.id, **facts)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def build_delegate(options: None, environment: Environment) -> OperatorDelegateLayer:
    """Build the layer for a launch."""
    return OperatorDelegateLayer()


def build_main_ai(options: None, environment: Environment) -> MainAILayer:
    """Build the layer for a launch."""
    return MainAILayer()


OPERATOR_DELEGATE = LayerFactory(
    "operator_delegate",
    Stage.DELEGATE,
    build_delegate,
    summary="lets the session's operator carry out every attempt",
)
MAIN_AI = LayerFactory(
    "main_ai",
    Stage.ATTEND,
    build_main_ai,
    summary="shows every attempt to the session's spawn hook",
)
