"""Nodes as a tree: walking it, and writing it as a document. Nothing here recurses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from swarm_core.model.nodes import (
    EXPR_SHAPES,
    NODE_SHAPES,
    Expr,
    FieldShape,
    Holds,
    Let,
    Node,
    Path,
    Step,
)
from swarm_core.model.path import place

_NODES = (Holds.NODE, Holds.NODES)
_EXPRS = (Holds.EXPR, Holds.EXPRS, Holds.PATH)


def walk(node: Node, path: str = "$") -> Iterator[tuple[str, Node]]:
    """Yield the node and all nodes below it with their places, parents first, in the order of the document."""
    waiting = [(path, node)]
    while waiting:
        here, found = waiting.pop()
        yield here, found
        waiting.extend(reversed(list(_members(found, here, NODE_SHAPES[found.kind], _NODES))))


def steps(node: Node, path: str = "$") -> Iterator[tuple[str, Step]]:
    """Yield every step with its place, in the order of the document."""
    for here, found in walk(node, path):
        if isinstance(found, Step):
            yield here, found


def expressions(node: Node, path: str = "$") -> Iterator[tuple[str, Expr]]:
    """Yield the expressions of one node, not of the nodes below it, with their places, outer ones first."""
    waiting = list(reversed(list(_members(node, path, NODE_SHAPES[node.kind], _EXPRS))))
    while waiting:
        here, found = waiting.pop()
        yield here, found
        waiting.extend(reversed(list(_members(found, here, EXPR_SHAPES[found.op], _EXPRS))))


def _members(
    value: Any, path: str, shapes: tuple[FieldShape, ...], wanted: tuple[Holds, ...]
) -> Iterator[tuple[str, Any]]:
    for shape in shapes:
        member = getattr(value, shape.attribute)
        if member is None or shape.names[shape.json] not in wanted:
            continue
        here = place(path, shape.json)
        if isinstance(member, tuple):
            yield from ((place(here, index), one) for index, one in enumerate(member))
        else:
            yield here, member


def node_json(node: Node | Expr) -> dict[str, Any]:
    """Return a node or an expression as a document in the newest spelling; absent optional fields are left out.

    A `Let` whose target is no path comes out as the older `assign`, the only spelling that can say so. Literals are
    shared with the node.
    """
    document: dict[str, Any] = {}
    waiting: list[tuple[Any, dict[str, Any]]] = [(node, document)]
    while waiting:
        value, target = waiting.pop()
        for shape in _tag(value, target):
            member = getattr(value, shape.attribute)
            if member is not None or shape.required:
                target[shape.json] = _member_json(member, shape.names[shape.json], waiting)
    return document


def _tag(value: Any, target: dict[str, Any]) -> tuple[FieldShape, ...]:
    if hasattr(value, "op"):
        target["op"] = value.op
        return EXPR_SHAPES[value.op]
    target["kind"] = "assign" if isinstance(value, Let) and not isinstance(value.at, Path) else value.kind
    return NODE_SHAPES[target["kind"]]


def _member_json(member: Any, holds: Holds, waiting: list[tuple[Any, dict[str, Any]]]) -> Any:
    if holds is Holds.EXPR or holds is Holds.NODE:
        one: dict[str, Any] = {}
        waiting.append((member, one))
        return one
    if holds is Holds.EXPRS or holds is Holds.NODES:
        many: list[dict[str, Any]] = [{} for _ in member]
        waiting.extend(zip(member, many, strict=True))
        return many
    if holds is Holds.PATH:
        return member.at
    return str(member) if holds is Holds.JOIN else member
