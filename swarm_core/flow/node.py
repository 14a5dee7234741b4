"""Nodes, compiled once into functions that change a lane's ctx.

What holds no step, loop or fan-out becomes a plain function, everything else a coroutine function. A node's step
address is the lane's `prefix`, which only loops and fan-outs change, and a suffix that is known when it is compiled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from swarm_core.errors import FlowError
from swarm_core.flow.expr import compile_expr
from swarm_core.flow.failure import dispatcher_error, error_text, locate, not_json
from swarm_core.flow.fanout import FanoutCode, compile_fanout
from swarm_core.flow.path import compile_write
from swarm_core.flow.state import Lane, Writer
from swarm_core.model.fields import type_name
from swarm_core.model.nodes import Branch, Expr, Fanout, Let, Loop, Node, Path, Seq, Step, Try
from swarm_core.model.parse import MAX_NESTING
from swarm_core.model.value import NotJson

_SIZED = frozenset((dict, list, str))
_EASY = frozenset((str, bool, type(None)))


@frozen(eq=False, repr=False)
class Code:
    """A compiled node; `run` is a coroutine function when the node `waits`, and may dispatch when it holds `steps`."""

    run: Callable[[Lane], Any]
    waits: bool
    steps: bool


@frozen(eq=False, repr=False)
class Spot:
    """Where a node stands: place in the document, end of its step address, depth."""

    at: str
    suffix: str
    depth: int

    def below(self, field: str, part: str) -> Spot:
        """Return the spot of a node below this one."""
        return Spot(f"{self.at}.{field}", f"{self.suffix}/{part}", self.depth + 1)

    def afresh(self, field: str) -> Spot:
        """Return the spot of a node below this one whose address begins with the lane's prefix."""
        return Spot(f"{self.at}.{field}", "", self.depth + 1)


def compile_node(node: Node, spot: Spot) -> Code:
    """Return the code of a node.

    Raises: FlowError of kind LimitError, when nodes and expressions nest too deeply.
    """
    if spot.depth > MAX_NESTING:
        raise FlowError("LimitError", f"nodes nest at most {MAX_NESTING} levels", op="max_nesting", at=spot.at)
    return _COMPILERS[type(node)](node, spot)


def _target(expr: Expr) -> Writer:
    if isinstance(expr, Path):
        return compile_write(expr.at)
    op = expr.op

    def refuse(lane: Lane, value: Any) -> None:
        raise FlowError("InvalidPath", f"a value is written to a path, not to a {op!r} expression")

    return refuse


# step and let ------------------------------------------------------------------------------------------------------


def _step(node: Step, spot: Spot) -> Code:
    in_, out, ref = compile_expr(node.in_, spot.depth), _target(node.out), node.ref
    at, suffix = spot.at, spot.suffix

    async def run(lane: Lane) -> None:
        evaluation, address = lane.evaluation, lane.prefix + suffix
        try:
            value = in_(lane)
            lane.share(value)
            if type(value) in _SIZED:
                evaluation.sizes.check(value, evaluation.limits.max_value_bytes, "max_value_bytes")
            evaluation.count_step()
            try:
                answer = await evaluation.dispatch(ref, value, address or "/")
            except Exception as error:
                _check_wanted(lane)
                raise dispatcher_error(ref, error) from error
            _check_wanted(lane)
            if not evaluation.plain_answers and type(answer) not in _EASY:
                answer = _admitted(lane, ref, answer)
            out(lane, answer)
        except FlowError as error:
            locate(error, at, address)
            raise

    return Code(run, waits=True, steps=True)


def _check_wanted(lane: Lane) -> None:
    """End a lane that is no longer wanted, although its step did not let the cancellation through."""
    if lane.scope is not None and lane.scope.closed:
        raise asyncio.CancelledError


def _admitted(lane: Lane, ref: str, answer: Any) -> Any:
    try:
        return lane.evaluation.sizes.admit(answer)
    except NotJson as error:
        raise not_json("DispatcherError", ref, error) from None


def _let(node: Let, spot: Spot) -> Code:
    value, write = compile_expr(node.value, spot.depth), _target(node.at)
    at, suffix = spot.at, spot.suffix

    def run(lane: Lane) -> None:
        try:
            result = value(lane)
            if id(result) in lane.owned:
                lane.owned.clear()
            write(lane, result)
        except FlowError as error:
            locate(error, at, lane.prefix + suffix)
            raise

    return Code(run, waits=False, steps=False)


# seq and branch ----------------------------------------------------------------------------------------------------


def _seq(node: Seq, spot: Spot) -> Code:
    codes: list[Code] = []
    for index, child in enumerate(node.children):
        codes.append(compile_node(child, spot.below(f"children[{index}]", str(index))))
    if any(code.waits for code in codes):
        parts = tuple((code.run, code.waits) for code in codes)
        return Code(_waiting_seq(parts), waits=True, steps=any(code.steps for code in codes))
    return Code(_plain_seq(tuple(code.run for code in codes)), waits=False, steps=False)


def _waiting_seq(parts: tuple[tuple[Callable[[Lane], Any], bool], ...]) -> Callable[[Lane], Any]:
    async def run(lane: Lane) -> None:
        for part, waits in parts:
            if waits:
                await part(lane)
            else:
                part(lane)

    return run


def _plain_seq(parts: tuple[Callable[[Lane], Any], ...]) -> Callable[[Lane], Any]:
    def run(lane: Lane) -> None:
        for part in parts:
            part(lane)

    return run


def _branch(node: Branch, spot: Spot) -> Code:
    cond = compile_expr(node.cond, spot.depth)
    then = compile_node(node.then, spot.below("then", "then"))
    other = compile_node(node.else_, spot.below("else", "else"))
    at, suffix = spot.at, spot.suffix

    def choose(lane: Lane) -> Code:
        try:
            value = cond(lane)
            if value is True or value is False:
                return then if value else other
            raise FlowError("NonBoolCond", f"a branch condition must be true or false, got {type_name(value)}")
        except FlowError as error:
            locate(error, at, lane.prefix + suffix)
            raise

    def run(lane: Lane) -> None:
        choose(lane).run(lane)

    async def run_waiting(lane: Lane) -> None:
        code = choose(lane)
        if code.waits:
            await code.run(lane)
        else:
            code.run(lane)

    if then.waits or other.waits:
        return Code(run_waiting, waits=True, steps=then.steps or other.steps)
    return Code(run, waits=False, steps=False)


# try ---------------------------------------------------------------------------------------------------------------


def _try(node: Try, spot: Spot) -> Code:
    body = compile_node(node.body, spot.below("body", "body"))
    catch = compile_node(node.catch, spot.below("catch", "catch"))
    write = None if node.err_at is None else _target(node.err_at)
    at, suffix = spot.at, spot.suffix

    def restore(lane: Lane, snapshot: Any, prefix: str, error: FlowError) -> None:
        lane.owned.clear()
        lane.ctx, lane.prefix = snapshot, prefix
        if write is not None:
            try:
                write(lane, error_text(error))
            except FlowError as failure:
                locate(failure, at, prefix + suffix)
                raise failure from None

    def run(lane: Lane) -> None:
        snapshot, prefix = lane.ctx, lane.prefix
        lane.owned.clear()
        try:
            body.run(lane)
            return
        except FlowError as error:
            restore(lane, snapshot, prefix, error)
        catch.run(lane)

    async def run_waiting(lane: Lane) -> None:
        snapshot, prefix = lane.ctx, lane.prefix
        lane.owned.clear()
        try:
            await _awaited(body, lane)
            return
        except FlowError as error:
            restore(lane, snapshot, prefix, error)
        await _awaited(catch, lane)

    waits = body.waits or catch.waits
    return Code(run_waiting if waits else run, waits=waits, steps=body.steps or catch.steps)


async def _awaited(code: Code, lane: Lane) -> None:
    if code.waits:
        await code.run(lane)
    else:
        code.run(lane)


# loop and fanout ---------------------------------------------------------------------------------------------------


def _loop(node: Loop, spot: Spot) -> Code:
    write, cond = _target(node.counter), compile_expr(node.cond, spot.depth)
    body = compile_node(node.body, spot.afresh("body"))
    run, waits, at, suffix, most = body.run, body.waits, spot.at, spot.suffix, node.max

    async def run_loop(lane: Lane) -> None:
        evaluation, prefix = lane.evaluation, lane.prefix
        address = prefix + suffix
        done = 0
        try:
            write(lane, 0)
            while done < most:
                go_on = cond(lane)
                if go_on is None or go_on is False:
                    break
                evaluation.iterations += 1
                if evaluation.iterations >= evaluation.breathe_at:
                    await evaluation.breathe()
                lane.prefix = f"{address}/body@{done}"
                if waits:
                    await run(lane)
                else:
                    run(lane)
                done += 1
                write(lane, done)
        except FlowError as error:
            locate(error, at, address)
            raise
        lane.prefix = prefix

    return Code(run_loop, waits=True, steps=body.steps)


def _fanout(node: Fanout, spot: Spot) -> Code:
    body = compile_node(node.body, spot.afresh("body"))
    code = FanoutCode(
        items=compile_expr(node.items, spot.depth),
        bind=_target(node.bind),
        body=body.run,
        waits=body.waits,
        steps=body.steps,
        join=node.join,
        out=_target(node.out),
        max_concurrency=node.max_concurrency,
    )
    return Code(compile_fanout(code, spot.at, spot.suffix), waits=True, steps=body.steps)


_COMPILERS: Mapping[type, Callable[[Any, Spot], Code]] = {
    Step: _step,
    Seq: _seq,
    Branch: _branch,
    Fanout: _fanout,
    Loop: _loop,
    Try: _try,
    Let: _let,
}
