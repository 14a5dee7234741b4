"""What a type is in a document: how a value of it is read, how it is written, and what JSON Schema says about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any

from attrs import field, frozen

from swarm_core.codec.faults import ENOUGH, Fault, Faulty, not_among, wrong_type
from swarm_core.model.value import NotJson, json_copy

Json = Any
Read = Callable[[Json], Any]
Write = Callable[[Any], Json]


class Definitions:
    """Gathers the `$defs` of a schema while it is made.

    `directives` are the names of objects (`$file`) that may stand for others until the document is expanded.
    """

    def __init__(self, directives: Collection[str] = ()) -> None:
        self.directives = tuple(directives)
        self.found: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, object] = {}

    def ref(self, name: str, owner: object, make: Schema) -> dict[str, Any]:
        """Return a reference to the definition of `owner`, made at its first use."""
        while self.owners.setdefault(name, owner) != owner:
            name += "_"
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = make(self)
        return {"$ref": f"#/$defs/{name}"}

    def or_directive(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema that lets a directive stand where the value would."""
        if not self.directives:
            return schema
        return {"if": self.ref("directive", Definitions, Definitions._directive), "then": True, "else": schema}

    def _directive(self) -> dict[str, Any]:
        anyone = [{"required": [name]} for name in self.directives]
        return {"description": "Is replaced when the file is read.", "type": "object", "anyOf": anyone}


Schema = Callable[[Definitions], dict[str, Any]]


def as_it_is(value: Any) -> Any:
    """Return the value."""
    return value


@frozen(kw_only=True, eq=False, repr=False)
class Shape:
    """What one type is in a document.

    `types` are the names of JSON types that a value may have; `expected` says so to a person. `read` raises `Faulty`.
    """

    expected: str
    types: frozenset[str]
    read: Read
    write: Write = as_it_is
    schema: Schema = field(repr=False)


def type_of(value: Any) -> str:
    """Return the name of a value's JSON type; an integer is `integer`."""
    return _TYPES.get(type(value)) or next((name for kind, name in _TYPES.items() if isinstance(value, kind)), "other")


_TYPES: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    tuple: "array",
}


def _scalar(name: str, expected: str, *kinds: type) -> Shape:
    def read(value: Any) -> Any:
        if type(value) in kinds:
            return value
        raise wrong_type(expected, value)

    types = frozenset({"integer", "number"} if name == "number" else {name})
    free_text = name == "string"
    return Shape(
        expected=expected,
        types=types,
        read=read,
        schema=lambda defs: defs.or_directive({"type": name}) if free_text else {"type": name},
    )


STRING = _scalar("string", "a string", str)
INTEGER = _scalar("integer", "an integer", int)
NUMBER = _scalar("number", "a number", int, float)
BOOLEAN = _scalar("boolean", "true or false", bool)
NULL = _scalar("null", "null", type(None))


def _anything(value: Any) -> Any:
    try:
        return json_copy(value)
    except NotJson as error:
        raise Faulty(Fault("too_deep" if "nested" in str(error) else "bad_value", str(error))) from None


ANYTHING = Shape(expected="any JSON value", types=frozenset(_TYPES.values()), read=_anything, schema=lambda defs: {})


def words(members: Mapping[str, Any], name: str) -> Shape:
    """Return the shape of a closed list of words, each standing for a value."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise wrong_type(f"one of {', '.join(members)}", value)
        if value not in members:
            raise not_among(value, members, name)
        return members[value]

    return Shape(
        expected=f"one of {', '.join(members)}",
        types=frozenset({"string"}),
        read=read,
        write=lambda value: value.value if isinstance(value, Enum) else value,
        schema=lambda defs: {"enum": list(members)},
    )


def items(item: Shape, into: Callable[[list[Any]], Any]) -> Shape:
    """Return the shape of an array whose elements all have one shape."""

    def read(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise wrong_type("an array", value)
        made, faults = [], []
        for index, element in enumerate(value):
            try:
                made.append(item.read(element))
            except Faulty as error:
                faults += error.below(index)
                if len(faults) >= ENOUGH:
                    break
        if faults:
            raise Faulty(*faults)
        return into(made)

    return Shape(
        expected="an array",
        types=frozenset({"array"}),
        read=read,
        write=lambda value: [item.write(element) for element in value],
        schema=lambda defs: {"type": "array", "items": item.schema(defs)},
    )


def members(member: Shape) -> Shape:
    """Return the shape of an object with any keys, whose members all have one shape."""

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        made, faults = {}, []
        for key, each in value.items():
            try:
                made[key] = member.read(each)
            except Faulty as error:
                faults += error.below(key)
                if len(faults) >= ENOUGH:
                    break
        if faults:
            raise Faulty(*faults)
        return made

    return Shape(
        expected="an object",
        types=frozenset({"object"}),
        read=read,
        write=lambda value: {key: member.write(each) for key, each in value.items()},
        schema=lambda defs: {"type": "object", "additionalProperties": member.schema(defs)},
    )


def either(shapes: Collection[Shape], write: Write) -> Shape:
    """Return the shape of a value that has one of several shapes; its JSON type must tell which.

    `write` must know the shapes' values by their own types.
    """
    by_type = {name: shape for shape in reversed(list(shapes)) for name in shape.types}
    expected = " or ".join(shape.expected for shape in shapes)

    def read(value: Any) -> Any:
        shape = by_type.get(type_of(value))
        if shape is None:
            raise wrong_type(expected, value)
        return shape.read(value)

    return Shape(
        expected=expected,
        types=frozenset(by_type),
        read=read,
        write=write,
        schema=lambda defs: {"anyOf": [shape.schema(defs) for shape in shapes]},
    )


def optional(shape: Shape) -> Shape:
    """Return the shape of a value that may be null."""
    return Shape(
        expected=f"{shape.expected} or null",
        types=shape.types | {"null"},
        read=lambda value: None if value is None else shape.read(value),
        write=lambda value: None if value is None else shape.write(value),
        schema=lambda defs: {"anyOf": [shape.schema(defs), {"type": "null"}]},
    )
