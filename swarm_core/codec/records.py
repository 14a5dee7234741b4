"""Attrs classes as JSON objects."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import cleandoc
from typing import Any

from attrs import NOTHING, Attribute, Factory, fields, frozen

from swarm_core.codec.faults import ENOUGH, Fault, Faulty, wrong_type
from swarm_core.codec.numbers import shorten
from swarm_core.codec.rules import ALWAYS, REST, RULES, Rule
from swarm_core.codec.shape import Definitions, Json, Shape, Write

TAGS = ("kind", "type")


@frozen(kw_only=True, eq=False, repr=False)
class Member:
    """One field of a class as it stands in a document; `argument` is its name in the constructor."""

    name: str
    attribute: str
    argument: str
    shape: Shape
    rule: Rule | None
    default: Any = NOTHING
    always: bool = False

    def read(self, value: Json) -> Any:
        """Return the field's value. Raises: Faulty."""
        made = self.shape.read(value)
        fault = self.rule.check(made) if self.rule else None
        if fault:
            raise Faulty(fault)
        return made

    def is_default(self, value: Any) -> bool:
        """Tell whether a value need not be written."""
        return not self.always and type(value) is type(self.default) and bool(value == self.default)

    def schema(self, defs: Definitions) -> dict[str, Any]:
        """Return the schema of the field's values."""
        schema = {**self.shape.schema(defs), **(self.rule.schema if self.rule else {})}
        if self.default is NOTHING or self.shape.write(self.default) in (None, {}, []):
            return schema
        return {**schema, "default": self.shape.write(self.default)}


class Record:
    """One attrs class; what it has is worked out at first use, so that classes may hold one another."""

    def __init__(self, cls: type[Any], shape_of: Callable[[Any], Shape]) -> None:
        self.cls, self.shape_of = cls, shape_of
        self.rest = REST.get(cls)

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """The fields by their names in a document."""
        hints = typing.get_type_hints(self.cls)
        made = [self._member(a, hints[a.name]) for a in fields(self.cls) if a.init and a.name != self.rest]
        return {member.name: member for member in made}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that a document must give."""
        return tuple(name for name, member in self.members.items() if member.default is NOTHING)

    @cached_property
    def tag(self) -> tuple[str, str] | None:
        """The key and the word that tell this class from others of its union."""
        found = ((name, vars(self.cls).get(name)) for name in TAGS)
        return next(((name, word) for name, word in found if isinstance(word, str)), None)

    def shape(self) -> Shape:
        """Return the class's shape."""
        return Shape(
            expected="an object",
            types=frozenset({"object"}),
            read=self.read,
            write=self.write,
            schema=lambda defs: defs.or_directive(defs.ref(self.cls.__name__, self.cls, self.definition)),
        )

    def read(self, value: Json) -> Any:
        """Return an instance of the class. Raises: Faulty, with everything that is wrong."""
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        found: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        faults: list[Fault] = []
        members = self.members
        for key, item in value.items():
            member = members.get(key)
            try:
                if member is not None:
                    found[member.argument] = member.read(item)
                elif self.rest is not None:
                    rest[key] = item
                else:
                    self._unknown(key, item)
            except Faulty as error:
                faults += error.below(key)
                if len(faults) >= ENOUGH:
                    break
        faults += self._missing(value)
        if faults:
            raise Faulty(*faults)
        if self.rest is not None:
            found[self.rest] = rest
        return self._build(found)

    def write(self, value: Any) -> Json:
        """Return an instance as an object: its tag, then its fields in order, save those that have their default."""
        written: dict[str, Any] = dict([self.tag]) if self.tag else {}
        for member in self.members.values():
            held = getattr(value, member.attribute)
            if not member.is_default(held):
                written[member.name] = member.shape.write(held)
        if self.rest is not None:
            written.update(_apart(getattr(value, self.rest), self.members))
        return written

    def definition(self, defs: Definitions) -> dict[str, Any]:
        """Return the class's JSON Schema; title and description come from its name and docstring."""
        tag = {self.tag[0]: {"const": self.tag[1]}} if self.tag else {}
        about = {"description": cleandoc(self.cls.__doc__)} if self.cls.__doc__ else {}
        schema: dict[str, Any] = {
            "title": self.cls.__name__,
            **about,
            "type": "object",
            "properties": {**tag, **{name: member.schema(defs) for name, member in self.members.items()}},
            "additionalProperties": self.rest is not None,
        }
        return {**schema, "required": list(self.required)} if self.required else schema

    def _member(self, attribute: Attribute[Any], hint: Any) -> Member:
        # A trailing underscore only keeps a name apart from a reserved word: `global_` is `global` in a document.
        return Member(
            name=attribute.name.rstrip("_"),
            attribute=attribute.name,
            argument=attribute.alias or attribute.name,
            shape=self.shape_of(hint),
            rule=RULES.get((self.cls, attribute.name)),
            default=_default(attribute),
            always=(self.cls, attribute.name) in ALWAYS,
        )

    def _unknown(self, key: Any, value: Any) -> None:
        if self.tag and key == self.tag[0]:
            if value != self.tag[1]:
                raise Faulty(Fault("bad_value", f"expected {self.tag[1]!r}"))
            return
        message = f"{self.cls.__name__} has no field {shorten(str(key))!r}"
        known = (*self.members, *([self.tag[0]] if self.tag else []))
        raise Faulty(Fault("unknown_field", message, near=(str(key), known)))

    def _missing(self, value: Mapping[str, Any]) -> list[Fault]:
        return [
            Fault(
                "missing_field",
                f"{self.cls.__name__} lacks the field {name!r}",
                hint=f"add {self.members[name].shape.expected}",
            )
            for name in self.required
            if name not in value
        ]

    def _build(self, arguments: dict[str, Any]) -> Any:
        try:
            return self.cls(**arguments)
        except (ValueError, TypeError) as error:
            raise Faulty(_refusal(self, arguments, error)) from error


def _refusal(record: Record, arguments: Mapping[str, Any], error: Exception) -> Fault:
    """Return the fault of a validator or converter of the class, at its field where that can be told."""
    message = str(error.args[0]) if error.args else type(error).__name__
    blamed = (a.name for a in fields(record.cls) if a.alias in arguments and _refuses(a, arguments[a.alias]))
    name = next(blamed, None)
    steps = tuple(member.name for member in record.members.values() if member.attribute == name)
    return Fault("bad_value", message, steps)


def _refuses(attribute: Attribute[Any], value: Any) -> bool:
    """Tell whether it is this field's value that its class refuses."""
    try:
        if callable(attribute.converter):
            value = attribute.converter(value)
        if attribute.validator:
            attribute.validator(None, attribute, value)
    except (ValueError, TypeError):
        return True
    except Exception:
        return False  # the validator looks at the whole instance, and there is none
    return False


def _default(attribute: Attribute[Any]) -> Any:
    default: Any = attribute.default
    if isinstance(default, Factory):  # type: ignore[arg-type]
        return None if default.takes_self else default.factory()
    return default


def _apart(rest: Mapping[str, Any], members: Mapping[str, Member]) -> Mapping[str, Any]:
    taken = [name for name in rest if name in members]
    if taken:
        raise ValueError(f"{taken[0]!r} stands among the extra fields, and it is a field of its own")
    return rest


def tagged(records: list[Record], write: Write) -> Shape | None:
    """Return the shape of one of several classes, told apart by a tag; None when they have no tag in common."""
    tags = [record.tag for record in records]
    names = {tag[0] for tag in tags if tag}
    if len(names) != 1 or None in tags:
        return None
    (name,) = names
    by_word = {record.tag[1]: record for record in records if record.tag}

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        if name not in value:
            raise Faulty(
                Fault("missing_field", f"the object lacks the field {name!r}", hint=f"one of {', '.join(by_word)}")
            )
        word = value[name]
        if not isinstance(word, str) or word not in by_word:
            message = f"unknown {name} {shorten(repr(word))}"
            raise Faulty(Fault(f"unknown_{name}", message, (name,), near=(str(word), tuple(by_word))))
        return by_word[word].read(value)

    return Shape(
        expected=f"an object with {name!r}",
        types=frozenset({"object"}),
        read=read,
        write=write,
        schema=lambda defs: one_by_tag(name, {word: record.shape().schema(defs) for word, record in by_word.items()}),
    )


def one_by_tag(name: str, schemas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of an object whose tag picks one of several; an editor then speaks of that one only."""
    picks = [
        {"if": {"properties": {name: {"const": word}}, "required": [name]}, "then": schema}
        for word, schema in schemas.items()
    ]
    return {
        "type": "object",
        "properties": {name: {"enum": list(schemas)}},
        "required": [name],
        "allOf": picks,
    }
