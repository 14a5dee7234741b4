"""Evaluating flows: a node, a ctx and somebody who does the steps give the final ctx.

The same flow with the same answers gives the same ctx, always. Nothing here reads a clock, draws a number or knows what
a step is: `await dispatch(ref, input, address)` does it. Values are shared, never changed: the ctx that goes in, what
is dispatched and what comes back stay as they are, and whoever holds them must leave them so.
"""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import frozen

from swarm_core.errors import FlowError
from swarm_core.flow.failure import locate
from swarm_core.flow.node import Code, Spot, compile_node
from swarm_core.flow.state import Dispatch, Evaluation, Externs, Lane, Limits
from swarm_core.model.nodes import NODE_KINDS, Node
from swarm_core.model.parse import parse_node
from swarm_core.model.value import NotJson

_NODE_TYPES = tuple(set(NODE_KINDS.values()))
_DEFAULT_LIMITS = Limits()


async def evaluate(
    node: Node | Any, ctx: Any, dispatch: Dispatch, externs: Externs | None = None, *, limits: Limits | None = None
) -> Any:
    """Run a flow, given as a node or as its document, on a ctx and return the final ctx.

    See `CompiledFlow.run`. Raises: FlowError, also of kind ParseError.
    """
    return await compile_flow(node).run(ctx, dispatch, externs, limits=limits)


def compile_flow(node: Node | Any) -> CompiledFlow:
    """Return a flow, given as a node or as its document, ready to be run any number of times, also at the same time.

    Raises: FlowError of kind ParseError with all problems of the document; LimitError for a node nested too deeply.
    """
    parsed: Node = node if isinstance(node, _NODE_TYPES) else parse_node(node)
    return CompiledFlow(parsed, compile_node(parsed, Spot("$", "", 1)))


@frozen(eq=False, repr=False)
class CompiledFlow:
    """A flow that is ready to run."""

    node: Node
    _code: Code

    async def run(
        self,
        ctx: Any,
        dispatch: Dispatch,
        externs: Externs | None = None,
        *,
        limits: Limits | None = None,
        plain_answers: bool = False,
    ) -> Any:
        """Run the flow on a ctx, any JSON value, and return the final ctx, which shares structure with it.

        `dispatch(ref, input, address)` is awaited once per step, concurrently for the lanes of a fan-out. `address` is
        the step's place in the evaluation, the same in every evaluation that comes by it: `/2/body@3/0` (child 2 of the
        root, iteration 3, child 0), with `/then`, `/else`, `/lane@<k>` and `/catch` likewise, `/` for the root. An
        exception of dispatch fails the step as DispatcherError, with the exception as its cause; cancellation is passed
        on, never caught. `externs` maps names to plain pure functions of the arguments. `plain_answers` promises that
        what is answered is plain JSON already (see `json_copy`), and saves a look at it.

        Raises: FlowError with `kind`, `at` (place in the document) and `address` of the innermost node that failed.
        """
        limits = limits or _DEFAULT_LIMITS
        evaluation = Evaluation(dispatch, externs, limits, plain_answers=plain_answers)
        try:
            lane = Lane(_admitted(evaluation, ctx), evaluation, "", None)
            before = lane.ctx
            done = self._code.run(lane)
            if done is not None:
                await done
            if lane.ctx is not before:
                evaluation.sizes.check(lane.ctx, limits.max_ctx_bytes, "max_ctx_bytes")
        except FlowError as error:
            locate(error, "$", "/")
            error.address = error.address or "/"
            raise
        finally:
            if evaluation.strays:
                await asyncio.wait(evaluation.strays)
        return lane.ctx


def _admitted(evaluation: Evaluation, ctx: Any) -> Any:
    try:
        return evaluation.sizes.admit(ctx)
    except NotJson as error:
        raise FlowError("TypeError", f"the ctx is no JSON value: {error}", op="ctx") from None
