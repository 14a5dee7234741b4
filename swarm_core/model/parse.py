"""Documents to nodes, driven by the table in `nodes`.

Objects are read one after the other from a stack, never by recursion, and the nodes are made from the last to the
first: a document may be as deep and as wrong as it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from attrs import define, field, fields_dict

from swarm_core.errors import FlowError, did_you_mean
from swarm_core.model.fields import READERS, Unfit, shown, type_name, wrong_type
from swarm_core.model.nodes import (
    EXPR_OPS,
    EXPR_SHAPES,
    NEWEST,
    NODE_KINDS,
    NODE_SHAPES,
    FieldShape,
    Holds,
    Node,
)
from swarm_core.model.path import place
from swarm_core.model.problem import Problem
from swarm_core.model.walk import expressions, node_json, steps, walk

__all__ = [
    "MAX_EXPRS",
    "MAX_NESTING",
    "MAX_NODES",
    "MAX_PROBLEMS",
    "expressions",
    "node_json",
    "parse_node",
    "steps",
    "type_name",
    "walk",
]

MAX_NESTING = 200
MAX_NODES = 10_000
MAX_EXPRS = 100_000
MAX_PROBLEMS = 100


def parse_node(document: Any, path: str = "$") -> Node:
    """Return the node that a JSON document describes, in any of the published spellings.

    `path` is the document's own place, for the places of the problems. The node shares nothing with the document.
    Raises: FlowError of kind ParseError; its `problems` are all faults, at most MAX_PROBLEMS, parents first.
    """
    parser = _Parser()
    with suppress(_Enough):
        parser.read(_Object(_NODE, document, path, 1))
    if parser.problems:
        raise _parse_error(parser.problems)
    return cast(Node, parser.build())


def _parse_error(problems: list[Problem]) -> FlowError:
    more = len(problems) - 1
    text = str(problems[0]) + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else "")
    return FlowError("ParseError", text, at=problems[0].path, problems=problems)


@define(eq=False, repr=False)
class _Sort:
    """One of the two sorts of objects: nodes and expressions."""

    name: str
    key: str
    tags: Mapping[str, type[Any]]
    shapes: Mapping[str, tuple[FieldShape, ...]]
    limit: int
    unknown: str

    @property
    def listing(self) -> str:
        """All tags in their newest spelling, as a hint."""
        return f"{self.key}s: {', '.join(tag for tag in self.tags if tag not in NEWEST)}"

    def hint(self, tag: str) -> str:
        """Return the nearest tag, where there is one, and all of them."""
        near = did_you_mean(tag[:80], self.tags)
        return f"{near} {self.listing}" if near.startswith("did") else self.listing


_NODE = _Sort("node", "kind", NODE_KINDS, NODE_SHAPES, MAX_NODES, "unknown_node_kind")
_EXPR = _Sort("expression", "op", EXPR_OPS, EXPR_SHAPES, MAX_EXPRS, "unknown_op")
_FAMILIES = frozenset(cls for cls in EXPR_OPS.values() if "op" in fields_dict(cls))
_SORT_OF = {Holds.NODE: _NODE, Holds.NODES: _NODE, Holds.EXPR: _EXPR, Holds.EXPRS: _EXPR}


@define(eq=False, repr=False)
class _Object:
    """One object of the document; `cls` is known once it was looked at, `made` once everything below it is made."""

    sort: _Sort
    document: Any
    path: str
    depth: int
    cls: Any = None
    members: dict[str, Any] = field(factory=dict)
    made: Any = None


class _Enough(Exception):
    """There is no use in looking for more problems."""


class _Parser:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.seen: list[_Object] = []
        self.counts = {_NODE.name: 0, _EXPR.name: 0}

    def read(self, root: _Object) -> None:
        waiting = [root]
        while waiting:
            found = waiting.pop()
            self.seen.append(found)
            self.count(found, 1)
            try:
                tag = self.tag(found)
            except Unfit as error:
                self.fault(error, found.path)
            else:
                waiting.extend(reversed(self.members(found, tag)))

    def build(self) -> Any:
        for found in reversed(self.seen):
            arguments = {name: _built(value) for name, value in found.members.items()}
            found.made = found.cls(**arguments)
        return self.seen[0].made

    def count(self, found: _Object, more: int) -> None:
        name, limit = found.sort.name, found.sort.limit
        self.counts[name] += more
        if self.counts[name] > limit:
            self.fault(Unfit(f"too_many_{name}s", f"the flow has more than {limit:,} {name}s"), found.path)
            raise _Enough

    def tag(self, found: _Object) -> str:
        sort, document = found.sort, found.document
        if found.depth > MAX_NESTING:
            raise Unfit("too_deep", f"nodes and expressions nest at most {MAX_NESTING} levels")
        if type(document) is not dict:
            raise wrong_type(f"an object with {sort.key!r}", document)
        if sort.key not in document:
            raise Unfit("missing_field", f"the {sort.name} lacks the field {sort.key!r}", sort.listing)
        tag = document[sort.key]
        if type(tag) is str and tag in sort.tags:
            return tag
        found.path = place(found.path, sort.key)
        if type(tag) is not str:
            raise wrong_type("a string", tag, sort.listing)
        raise Unfit(sort.unknown, f"unknown {sort.name} {sort.key} {shown(tag)}", sort.hint(tag))

    def members(self, found: _Object, tag: str) -> list[_Object]:
        """Read the fields of one object and return the objects in them, in order."""
        found.cls = found.sort.tags[tag]
        if found.cls in _FAMILIES:
            found.members["op"] = NEWEST.get(tag, tag)
        taken, below = {found.sort.key}, []
        for shape in found.sort.shapes[tag]:
            names = [name for name in shape.names if name in found.document]
            taken.update(names)
            try:
                below += self.member(found, tag, shape, names)
            except Unfit as error:
                self.fault(error, place(found.path, names[0]) if len(names) == 1 else found.path)
        if len(taken) < len(found.document):
            self.unknown(found, tag, taken)
        return below

    def member(self, found: _Object, tag: str, shape: FieldShape, names: list[str]) -> list[_Object]:
        if len(names) > 1:
            both = " and ".join(repr(name) for name in names)
            raise Unfit("duplicate_field", f"{both} name the same field of {tag!r}")
        if not names and shape.required:
            raise Unfit("missing_field", f"{tag!r} lacks the field {shape.json!r}")
        if not names or (shape.nullable and found.document[names[0]] is None):
            return []
        value, holds = found.document[names[0]], shape.names[names[0]]
        sort, path = _SORT_OF.get(holds), place(found.path, names[0])
        if sort is None:
            found.members[shape.attribute] = READERS[holds](value)
            return []
        if holds is Holds.NODE or holds is Holds.EXPR:
            below = [_Object(sort, value, path, found.depth + 1)]
            found.members[shape.attribute] = below[0]
        else:
            below = self.array(found, sort, value, path)
            found.members[shape.attribute] = tuple(below)
        return below

    def array(self, found: _Object, sort: _Sort, value: Any, path: str) -> list[_Object]:
        if type(value) is not list:
            raise wrong_type(f"an array of {sort.name}s", value)
        if len(value) > sort.limit:
            self.count(_Object(sort, value, path, found.depth), len(value))
        return [_Object(sort, each, f"{path}[{i}]", found.depth + 1) for i, each in enumerate(value)]

    def unknown(self, found: _Object, tag: str, taken: set[str]) -> None:
        known = [shape.json for shape in found.sort.shapes[tag]]
        for name in found.document:
            if name not in taken:
                hint = did_you_mean(str(name)[:80], known, otherwise=f"fields of {tag!r}")
                self.fault(Unfit("unknown_field", f"{tag!r} has no field {shown(name)}", hint), place(found.path, name))

    def fault(self, error: Unfit, path: str) -> None:
        self.problems.append(Problem(code=error.code, message=error.message, path=path, hint=error.hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Enough


def _built(value: Any) -> Any:
    if type(value) is _Object:
        return value.made
    return tuple(one.made for one in value) if type(value) is tuple else value
