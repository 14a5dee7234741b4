"""Type annotations to shapes."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

import attrs

from swarm_core.codec.flow_shape import FLOW
from swarm_core.codec.layer_shape import LAYER_USE
from swarm_core.codec.records import Record, tagged
from swarm_core.codec.shape import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    Json,
    Shape,
    either,
    items,
    members,
    optional,
    words,
)
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.nodes import Node

_PLAIN: Mapping[Any, Shape] = {
    Any: ANYTHING,
    object: ANYTHING,
    str: STRING,
    int: INTEGER,
    float: NUMBER,
    bool: BOOLEAN,
    None: NULL,
    NoneType: NULL,
    Node: FLOW,
    LayerUse: LAYER_USE,
}
_ARRAYS: Mapping[Any, Callable[[list[Any]], Any]] = {tuple: tuple, list: list, abc.Sequence: tuple}
_OBJECTS = (dict, abc.Mapping, abc.MutableMapping)


def shape_of(annotation: Any) -> Shape:
    """Return what a type is in a document.

    Attrs classes, the types of JSON, enums, literals, unions that a value's JSON type or a tag tells apart, and arrays
    and objects of these are read strictly by our own rules. Any other type is left to cattrs.
    Raises: TypeError, when nobody can read the type.
    """
    return _shape_of(annotation)


def record_of(cls: Any) -> Record:
    """Return what an attrs class is in a document."""
    return _record_of(cls)


@cache
def _shape_of(annotation: Any) -> Shape:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, NewType):
        return shape_of(annotation.__supertype__)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return words({str(member.value): member for member in annotation}, annotation.__name__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    make = _GENERIC.get(origin)
    made = make(origin, arguments) if make else None
    if made is not None:
        return made
    if isinstance(annotation, type) and attrs.has(annotation):
        return record_of(annotation).shape()
    from swarm_core.codec.foreign import foreign

    return foreign(annotation)


@cache
def _record_of(cls: Any) -> Record:
    return Record(cls, shape_of)


def write(value: Any) -> Json:
    """Return a value as JSON, by its own type."""
    if isinstance(value, list | tuple):
        return [write(each) for each in value]
    if isinstance(value, dict):
        return {key: write(each) for key, each in value.items()}
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, NODE_CLASSES):
        return FLOW.write(value)
    return shape_of(type(value)).write(value)


NODE_CLASSES: tuple[type[Any], ...] = get_args(Node)


def _union(origin: Any, arguments: tuple[Any, ...]) -> Shape | None:
    inner = [each for each in arguments if each is not NoneType]
    if len(inner) < len(arguments):
        return optional(shape_of(Union[tuple(inner)]))  # noqa: UP007
    classes = [record_of(each) for each in inner if isinstance(each, type) and attrs.has(each)]
    others = [shape_of(each) for each in inner if not (isinstance(each, type) and attrs.has(each))]
    objects = tagged(classes, write) if len(classes) > 1 else None
    shapes = [*others, *([objects] if objects else [one.shape() for one in classes])]
    names = [name for shape in shapes for name in shape.types if not (shape is NUMBER and name == "integer")]
    if len(names) != len(set(names)):
        raise TypeError(f"a document cannot tell {origin} {arguments} apart: give the classes a ClassVar 'kind'")
    return either(shapes, write)


def _literal(origin: Any, arguments: tuple[Any, ...]) -> Shape | None:
    return words({each: each for each in arguments}, "value") if all(isinstance(a, str) for a in arguments) else None


def _array(origin: Any, arguments: tuple[Any, ...]) -> Shape | None:
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return None
    return items(shape_of(arguments[0]), _ARRAYS[origin])


def _object(origin: Any, arguments: tuple[Any, ...]) -> Shape | None:
    return members(shape_of(arguments[1])) if arguments[0] is str else None


_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...]], Shape | None]] = {
    Union: _union,
    UnionType: _union,
    Literal: _literal,
    Annotated: lambda origin, arguments: shape_of(arguments[0]),
    **dict.fromkeys(_ARRAYS, _array),
    **dict.fromkeys(_OBJECTS, _object),
}
