"""How much work it is to check a value against a JSON Schema, so that it can be bounded before it is begun."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from attrs import frozen

from swarm_core.model.shown import shown

REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})

_DATA = frozenset({"const", "enum", "default", "examples", "$defs", "definitions"})
# Keywords whose schemas look at parts of a value, one level further in.
_INWARDS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "items",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


@frozen(kw_only=True)
class Size:
    """What a JSON value consists of, schemas included; `references` and `patterns` are those that a schema has."""

    __repr__ = shown

    values: int = 0
    characters: int = 0
    depth: int = 0
    references: int = 0
    patterns: int = 0


def size_of(value: Any, *, most: int) -> Size:
    """Return the size of a JSON value; the count ends soon after `most` values, however often they are shared."""
    values = characters = deepest = references = patterns = 0
    waiting = [(value, 1)]
    while waiting and values <= most:
        item, depth = waiting.pop()
        values, deepest = values + 1, max(deepest, depth)
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, dict):
            characters += sum(map(len, item))
            references += sum(isinstance(item.get(name), str) for name in REFERENCES)
            patterns += isinstance(item.get("pattern"), str) + len(_mapping(item.get("patternProperties")))
            waiting.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, list | tuple):
            waiting.extend((inner, depth + 1) for inner in item)
    return Size(values=values, characters=characters, depth=deepest, references=references, patterns=patterns)


def paths_of(schema: Any, depth: int, *, most: int) -> int:
    """Return how many ways lead to a part of the schema for a value that is nested `depth` levels; `most` at most.

    A part that is referred to twice counts twice, and so does all that it refers to: two references a level, and there
    are 2^depth ways.
    """
    count = 0
    waiting: list[tuple[Any, int, frozenset[str]]] = [(schema, depth, frozenset())]
    while waiting and count < most:
        part, left, passed = waiting.pop()
        count += 1
        if not isinstance(part, dict):
            continue
        for keyword, value in part.items():
            if keyword in REFERENCES and isinstance(value, str):
                if keyword != "$ref" or (target := _at(schema, value)) is None:
                    return most
                if value not in passed:  # a circle that looks at one and the same value ends by itself
                    waiting.append((target, left, passed | {value}))
            elif keyword in _INWARDS and left > 1:
                waiting.extend((inner, left - 1, frozenset()) for inner in _schemas(keyword, value))
            elif keyword not in _INWARDS and keyword not in _DATA:
                waiting.extend((inner, left, passed) for inner in _schemas(keyword, value))
    return min(count, most)


def _schemas(keyword: str, value: Any) -> list[Any]:
    """Return the schemas that stand below a keyword."""
    if isinstance(value, list):
        found = value
    elif keyword in ("properties", "patternProperties", "dependentSchemas", "dependencies"):
        found = list(_mapping(value).values())
    else:
        found = [value]
    return [schema for schema in found if isinstance(schema, dict)]


def _at(schema: Any, reference: str) -> Any:
    """Return the part of the schema that a JSON pointer (RFC 6901) names, None for any other reference."""
    if not reference.startswith("#"):
        return None
    part = schema
    for step in unquote(reference[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return part if reference == "#" or reference.startswith("#/") else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
