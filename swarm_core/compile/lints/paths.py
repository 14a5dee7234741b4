"""Paths of a flow: what nodes read and write, as far as the document says.

An index (`$.a[0]`) may mean any element, so a path is known only up to its first index: `$.a[0].b` counts as `$.a`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from attrs import frozen

from swarm_core.model.nodes import (
    Arith,
    Branch,
    CallExtern,
    Compare,
    Exists,
    Expr,
    Fanout,
    In,
    Len,
    Let,
    Lit,
    Logic,
    Loop,
    Node,
    Not,
    Path,
    Seq,
    Step,
    Try,
)
from swarm_core.model.path import BadPath, parse_path

Keys: TypeAlias = tuple[str, ...]
"""A path below the root as object keys, up to its first index."""


@frozen(eq=False, repr=False)
class Target:
    """Where a node writes: `keys`, and whether that is all of the path (`exact`) or an index follows."""

    keys: Keys
    exact: bool = True


@lru_cache(maxsize=4_096)
def target_of(text: str) -> Target | None:
    """Return a path's target, None for a text that is no path."""
    try:
        segments = parse_path(text)
    except BadPath:
        return None
    keys: list[str] = []
    for segment in segments:
        if isinstance(segment, int):
            return Target(tuple(keys), exact=False)
        keys.append(segment)
    return Target(tuple(keys))


def text_of(keys: Keys) -> str:
    """Return keys as people write a path."""
    plain = (f".{key}" if key.replace("_", "").isalnum() else f'["{key}"]' for key in keys)
    return f"${''.join(plain)}"


def is_within(keys: Keys, around: Keys) -> bool:
    """Tell whether a path is another one or below it."""
    return keys[: len(around)] == around


def overlap(one: Keys, other: Keys) -> bool:
    """Tell whether one of two paths is the other one or below it."""
    return is_within(one, other) or is_within(other, one)


def written(expr: Expr | None) -> Target | None:
    """Return where a node's target expression writes, None when it writes nowhere."""
    return target_of(expr.at) if isinstance(expr, Path) else None


def paths_in(expr: Expr) -> Iterator[Keys]:
    """Yield every path that an expression may read."""
    waiting = [expr]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Path):
            found = target_of(one.at)
            yield found.keys if found else ()
        waiting.extend(operands(one))


def operands(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions right below one."""
    match expr:
        case Compare() | Arith():
            return (expr.lhs, expr.rhs)
        case Not() | Exists() | Len():
            return (expr.arg,)
        case Logic() | CallExtern():
            return expr.args
        case In():
            return (expr.needle, expr.haystack)
        case Path() | Lit():
            return ()


def read_by(node: Node) -> tuple[tuple[str, Expr], ...]:
    """Return the expressions that a node itself evaluates, with the names of their fields."""
    match node:
        case Step():
            return (("in", node.in_),)
        case Let():
            return (("value", node.value),)
        case Branch() | Loop():
            return (("cond", node.cond),)
        case Fanout():
            return (("items", node.items),)
        case Seq() | Try():
            return ()


def below(node: Node) -> tuple[tuple[str, Node], ...]:
    """Return the nodes right below one, with their steps in the document."""
    match node:
        case Seq():
            return tuple((f"children[{at}]", child) for at, child in enumerate(node.children))
        case Branch():
            return (("then", node.then), ("else", node.else_))
        case Loop() | Fanout():
            return (("body", node.body),)
        case Try():
            return (("body", node.body), ("catch", node.catch))
        case Step() | Let():
            return ()


def own_targets(node: Node) -> tuple[Expr, ...]:
    """Return the expressions that say where a node itself writes to the ctx that it was given.

    What lanes write stays in their own ctx: of a fan-out it is `out` alone.
    """
    match node:
        case Step() | Fanout():
            return (node.out,)
        case Let():
            return (node.at,)
        case Loop():
            return (node.counter,)
        case Try() if node.err_at is not None:
            return (node.err_at,)
        case _:
            return ()


def targets(node: Node) -> Iterator[Target | None]:
    """Yield where a node and the nodes below it may write, lanes left out; None for a target that is no path."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield from map(written, own_targets(one))
        if not isinstance(one, Fanout):
            waiting.extend(child for _, child in below(one))


def reads(node: Node) -> Iterator[Keys]:
    """Yield every path that a node and the nodes below it may read."""
    for one in _all(node):
        for _, expr in read_by(one):
            yield from paths_in(expr)


def holds_fanout(node: Node) -> bool:
    """Tell whether there is a fan-out in a node."""
    return any(isinstance(one, Fanout) for one in _all(node))


def _all(node: Node) -> Iterator[Node]:
    waiting: list[Node] = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(child for _, child in below(one))


def listed(names: Iterable[str]) -> str:
    """Return names as people list them: `'a', 'b' and 'c'`."""
    quoted = [repr(name if len(name) <= 40 else f"{name[:37]}...") for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else quoted[0]
