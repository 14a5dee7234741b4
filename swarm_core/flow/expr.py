"""Expressions, compiled once into plain functions of the lane.

Both sides are evaluated, left first, before their types are looked at. No function here changes anything, except that
the arguments of an extern get known to it (`Lane.share`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from math import floor, isfinite
from typing import Any

from swarm_core.errors import FlowError, did_you_mean
from swarm_core.flow.equality import json_equal
from swarm_core.flow.failure import error_text, not_json, type_error
from swarm_core.flow.path import compile_read
from swarm_core.flow.state import ExprCode, Lane
from swarm_core.model.fields import type_name
from swarm_core.model.nodes import (
    Arith,
    CallExtern,
    Compare,
    Exists,
    Expr,
    In,
    Len,
    Lit,
    Logic,
    Not,
    Path,
)
from swarm_core.model.parse import MAX_NESTING
from swarm_core.model.value import NotJson

_NUMBERS = frozenset((int, float))


def compile_expr(expr: Expr, depth: int = 0) -> ExprCode:
    """Return code for an expression: a function of the lane that returns a value shared with the ctx, not a copy.

    The code raises: FlowError. Raises: FlowError of kind LimitError, when the expression nests too deeply.
    """
    if depth > MAX_NESTING:
        raise FlowError("LimitError", f"expressions nest at most {MAX_NESTING} levels", op="max_nesting")
    return _COMPILERS[type(expr)](expr, depth + 1)


def _path(expr: Path, depth: int) -> ExprCode:
    return compile_read(expr.at)


def _lit(expr: Lit, depth: int) -> ExprCode:
    value = expr.value
    return lambda lane: value


# truth -------------------------------------------------------------------------------------------------------------


def _not(expr: Not, depth: int) -> ExprCode:
    arg = compile_expr(expr.arg, depth)

    def run(lane: Lane) -> bool:
        value = arg(lane)
        return value is None or value is False

    return run


def _logic(expr: Logic, depth: int) -> ExprCode:
    args = tuple([compile_expr(arg, depth) for arg in expr.args])
    decisive = expr.op == "or"

    def run(lane: Lane) -> bool:
        for arg in args:
            value = arg(lane)
            if (value is not None and value is not False) is decisive:
                return decisive
        return not decisive

    return run


def _exists(expr: Exists, depth: int) -> ExprCode:
    arg = compile_expr(expr.arg, depth)

    def run(lane: Lane) -> bool:
        try:
            return arg(lane) is not None
        except FlowError as error:
            if error.kind != "PathNotFound":
                raise
            return False

    return run


# comparing ---------------------------------------------------------------------------------------------------------


def _compare(expr: Compare, depth: int) -> ExprCode:
    lhs, rhs = compile_expr(expr.lhs, depth), compile_expr(expr.rhs, depth)
    return _equality(lhs, rhs, expr.op == "eq") if expr.op in ("eq", "ne") else _order(lhs, rhs, _ORDERS[expr.op])


def _equality(lhs: ExprCode, rhs: ExprCode, wanted: bool) -> ExprCode:
    def run(lane: Lane) -> bool:
        a, b = lhs(lane), rhs(lane)
        return json_equal(a, b) is wanted

    return run


def _order(lhs: ExprCode, rhs: ExprCode, holds: Callable[[Any, Any], bool]) -> ExprCode:
    def run(lane: Lane) -> bool:
        a, b = lhs(lane), rhs(lane)
        if type(a) in _NUMBERS and type(b) in _NUMBERS:
            return holds(float(a), float(b))
        if type(a) is str and type(b) is str:
            return holds(a, b)
        raise type_error("cmp", "two numbers or two strings", f"{type_name(a)} and {type_name(b)}")

    return run


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: bool(a < b),
    "gt": lambda a, b: bool(a > b),
    "lte": lambda a, b: bool(a <= b),
    "gte": lambda a, b: bool(a >= b),
}


def _in(expr: In, depth: int) -> ExprCode:
    needle, haystack = compile_expr(expr.needle, depth), compile_expr(expr.haystack, depth)

    def run(lane: Lane) -> bool:
        wanted, members = needle(lane), haystack(lane)
        if type(members) is not list:
            raise type_error("expr.in", "an array as haystack", type_name(members))
        return any(json_equal(wanted, member) for member in members)

    return run


# computing ---------------------------------------------------------------------------------------------------------


def _arith(expr: Arith, depth: int) -> ExprCode:
    lhs, rhs = compile_expr(expr.lhs, depth), compile_expr(expr.rhs, depth)
    op, compute = expr.op, _ARITHMETIC[expr.op]

    def run(lane: Lane) -> float:
        a, b = lhs(lane), rhs(lane)
        if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
            raise type_error(op, "two numbers", f"{type_name(a)} and {type_name(b)}")
        try:
            result = compute(float(a), float(b))
        except (ZeroDivisionError, OverflowError):
            result = float("nan")
        if isfinite(result):
            return result
        why = "division by zero" if b == 0 and op in ("div", "mod") else "the result is not a finite number"
        raise FlowError("ArithError", f"{op} of {a!r} and {b!r}: {why}", op=op)

    return run


def _mod(a: float, b: float) -> float:
    quotient = a / b
    return a - (float(floor(quotient)) if quotient else quotient) * b


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "mod": _mod,
}


def _len(expr: Len, depth: int) -> ExprCode:
    arg = compile_expr(expr.arg, depth)

    def run(lane: Lane) -> int:
        value = arg(lane)
        if type(value) in (list, dict, str):
            return len(value)
        raise type_error("expr.len", "an array, an object or a string", type_name(value))

    return run


# calling -----------------------------------------------------------------------------------------------------------


def _call_extern(expr: CallExtern, depth: int) -> ExprCode:
    args = tuple([compile_expr(arg, depth) for arg in expr.args])
    ref = expr.ref

    def run(lane: Lane) -> Any:
        values = [arg(lane) for arg in args]
        for value in values:
            lane.share(value)
        function = _extern(lane, ref)
        try:
            answer = function(*values)
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise FlowError("ExternError", f"extern {ref!r} failed: {error_text(error)}", ref=ref) from error
        return _admitted(lane, ref, answer)

    return run


def _extern(lane: Lane, ref: str) -> Callable[..., Any]:
    externs = lane.evaluation.externs
    if externs is None:
        raise FlowError("ExternError", f"extern {ref!r} cannot be called: no functions are registered", ref=ref)
    function = externs.get(ref)
    if function is None:
        hint = did_you_mean(ref[:80], externs, otherwise="registered")
        raise FlowError("ExternError", f"extern {ref!r} is not registered; {hint}", ref=ref)
    return function


def _admitted(lane: Lane, ref: str, answer: Any) -> Any:
    if inspect.iscoroutine(answer):
        answer.close()
        raise FlowError("ExternError", f"extern {ref!r} is async; call_extern takes plain pure functions", ref=ref)
    try:
        admitted = lane.evaluation.sizes.admit(answer)
    except NotJson as error:
        raise not_json("ExternError", ref, error) from None
    lane.evaluation.sizes.check(admitted, lane.evaluation.limits.max_value_bytes, "max_value_bytes")
    return admitted


_COMPILERS: Mapping[type, Callable[[Any, int], ExprCode]] = {
    Path: _path,
    Lit: _lit,
    Not: _not,
    Logic: _logic,
    Exists: _exists,
    Compare: _compare,
    In: _in,
    Arith: _arith,
    Len: _len,
    CallExtern: _call_extern,
}
