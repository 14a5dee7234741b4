"""The flow in a document: read by the flow's own parser, described from its table of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import cleandoc
from itertools import product
from typing import Any

from swarm_core.codec.faults import Faulty, fault_of
from swarm_core.codec.records import one_by_tag
from swarm_core.codec.shape import Definitions, Json, Shape
from swarm_core.errors import FlowError
from swarm_core.model.nodes import (
    EXPR_OPS,
    EXPR_SHAPES,
    MAX_LOOP,
    NEWEST,
    NODE_KINDS,
    NODE_SHAPES,
    Expr,
    FieldShape,
    Holds,
    Join,
    Node,
)
from swarm_core.model.parse import node_json, parse_node

# What the path parser takes: a root, then names, quoted keys and indexes.
PATH_PATTERN = r'^(\$|ctx)(\.[^.\[\u0000]+|\.?\["[^"\u0000]+"\]|\.?\[(0|-?[1-9][0-9]{0,14})\])*$'


def _read(value: Json) -> Node:
    try:
        return parse_node(value)
    except FlowError as error:
        raise Faulty(*(fault_of(problem) for problem in error.problems)) from None


def node_schema(defs: Definitions) -> dict[str, Any]:
    """Return the schema of a node, all published spellings included."""
    return defs.or_directive(defs.ref("node", Node, lambda defs: _sort(defs, "kind", NODE_KINDS, NODE_SHAPES)))


def expression_schema(defs: Definitions) -> dict[str, Any]:
    """Return the schema of an expression, all published spellings included."""
    return defs.or_directive(defs.ref("expression", Expr, lambda defs: _sort(defs, "op", EXPR_OPS, EXPR_SHAPES)))


def _sort(
    defs: Definitions, key: str, tags: Mapping[str, type[Any]], shapes: Mapping[str, tuple[FieldShape, ...]]
) -> dict[str, Any]:
    made = {tag: defs.ref(f"{key}_{tag}", (key, tag), _one(key, tag, cls, shapes[tag])) for tag, cls in tags.items()}
    return one_by_tag(key, made)


def _one(key: str, tag: str, cls: type[Any], shapes: Iterable[FieldShape]) -> Callable[[Definitions], dict[str, Any]]:
    def make(defs: Definitions) -> dict[str, Any]:
        fields = list(shapes)
        properties = {name: _field(defs, shape, holds) for shape in fields for name, holds in shape.names.items()}
        schema = {
            "title": tag if tag not in NEWEST else f"{tag} (older spelling of {NEWEST[tag]})",
            "description": cleandoc(cls.__doc__ or ""),
            "type": "object",
            "properties": {key: {"const": tag}, **properties},
            "required": [key, *(shape.json for shape in fields if shape.required and len(shape.names) == 1)],
            "additionalProperties": False,
        }
        spellings = [shape for shape in fields if len(shape.names) > 1]
        return {**schema, "oneOf": _spellings(spellings)} if spellings else schema

    return make


def _spellings(fields: list[FieldShape]) -> list[dict[str, Any]]:
    """Return one alternative for each choice of names: each field has exactly one of its names."""
    return [{"required": list(names)} for names in product(*(shape.names for shape in fields))]


def _field(defs: Definitions, shape: FieldShape, holds: Holds) -> dict[str, Any]:
    schema = _HOLDS[holds](defs)
    return {"anyOf": [schema, {"type": "null"}]} if shape.nullable else schema


def _path(defs: Definitions) -> dict[str, Any]:
    return {"type": "string", "pattern": PATH_PATTERN}


_HOLDS: Mapping[Holds, Callable[[Definitions], dict[str, Any]]] = {
    Holds.EXPR: expression_schema,
    Holds.EXPRS: lambda defs: {"type": "array", "items": expression_schema(defs)},
    Holds.NODE: node_schema,
    Holds.NODES: lambda defs: {"type": "array", "items": node_schema(defs)},
    Holds.STRING: lambda defs: defs.or_directive({"type": "string"}),
    Holds.PATH_TEXT: _path,
    Holds.PATH: _path,
    Holds.JSON: lambda defs: {},
    Holds.COUNT: lambda defs: {"type": "integer", "minimum": 0, "maximum": MAX_LOOP},
    Holds.LANES: lambda defs: {"type": "integer", "minimum": 1, "maximum": MAX_LOOP},
    Holds.JOIN: lambda defs: {"enum": [str(join) for join in Join]},
}

FLOW = Shape(
    expected="a node, an object with 'kind'",
    types=frozenset({"object"}),
    read=_read,
    write=node_json,
    schema=node_schema,
)
