"""What one evaluation knows: what all its lanes share, and each lane's own ctx."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen

from swarm_core.errors import FlowError
from swarm_core.flow.sizes import Sizes

Dispatch = Callable[[str, Any, str], Awaitable[Any]]
Externs = Mapping[str, Callable[..., Any]]

BREATH = 4_096
"""Iterations, or lanes, between two looks at the event loop: what a flow without steps needs to be cancelled."""


@frozen(kw_only=True)
class Limits:
    """How much one evaluation may do; going beyond is a FlowError of kind LimitError, which `try` can catch.

    `max_lanes` bounds the items of one fan-out, `max_iterations` the iterations of all loops together, `max_steps` the
    dispatches. `max_value_bytes` bounds a step's input and `max_ctx_bytes` the final ctx, as JSON (see `measure`); the
    latter is wide because lanes that hold the same array repeat it only on paper. Both nest at most MAX_DEPTH levels.
    """

    max_lanes: int = 100_000
    max_iterations: int = 10_000_000
    max_steps: int = 1_000_000
    max_value_bytes: int = 16 * 1024 * 1024
    max_ctx_bytes: int = 16 * 1024 * 1024 * 1024


class Evaluation:
    """What all lanes of one evaluation share; `strays` are tasks that have nothing left to do but to end."""

    __slots__ = (
        "breathe_at",
        "dispatch",
        "externs",
        "iterations",
        "limits",
        "nested",
        "plain_answers",
        "sizes",
        "steps",
        "strays",
    )

    def __init__(
        self, dispatch: Dispatch, externs: Externs | None, limits: Limits, *, plain_answers: bool = False
    ) -> None:
        self.dispatch, self.externs, self.limits = dispatch, externs, limits
        self.plain_answers = plain_answers
        self.sizes = Sizes()
        self.steps = self.iterations = self.nested = 0
        self.breathe_at = min(BREATH, limits.max_iterations + 1)
        self.strays: set[asyncio.Task[None]] = set()

    def count_step(self) -> None:
        """Count a dispatch that is about to be made.

        Raises: FlowError of kind LimitError, when it is one too many.
        """
        most = self.limits.max_steps
        if self.steps >= most:
            raise FlowError("LimitError", f"the flow takes more steps than max_steps allows ({most:,})", op="max_steps")
        self.steps += 1

    async def breathe(self) -> None:
        """Let the event loop run; called when `iterations` has reached `breathe_at`.

        Raises: FlowError of kind LimitError, when the loops of this evaluation have iterated too often.
        """
        most = self.limits.max_iterations
        if self.iterations > most:
            text = f"the loops of this flow have iterated more than max_iterations allows ({most:,})"
            raise FlowError("LimitError", text, op="max_iterations")
        self.breathe_at = min(self.iterations + BREATH, most + 1)
        await asyncio.sleep(0)


class Scope:
    """What one fan-out tells its lanes: whether they are still wanted."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = False


class Lane:
    """One line of control: its ctx, and what it may change in place.

    `owned` maps the ids of containers to these. They were made by this lane's own writes, stand in `ctx` at exactly one
    place and are known to nobody else, and so does every container above them; they may be changed in place, all others
    are shared and must be copied. `prefix` is the part of step addresses that loops and fan-outs around decide.
    """

    __slots__ = ("ctx", "evaluation", "owned", "prefix", "scope")

    def __init__(self, ctx: Any, evaluation: Evaluation, prefix: str, scope: Scope | None) -> None:
        self.ctx, self.evaluation, self.prefix, self.scope = ctx, evaluation, prefix, scope
        self.owned: dict[int, Any] = {}

    def share(self, value: Any) -> None:
        """Take note that a value read from the ctx gets known elsewhere.

        A container that is not owned has no owned ones below it, so only the value itself is looked at.
        """
        if id(value) in self.owned:
            self.owned.clear()


ExprCode = Callable[[Lane], Any]
Writer = Callable[[Lane, Any], None]
AsyncCode = Callable[[Lane], Awaitable[None]]
