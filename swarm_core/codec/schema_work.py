"""How much work it is to check a value against a JSON Schema, so that it can be bounded before it is begun."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from swarm_core.codec.schema_references import DATA, NAMED, REFERENCES, target_of
from swarm_core.model.shown import shown

# Keywords whose schemas look at parts of a value, one level further in.
_LATER = DATA | {"$defs", "definitions"}  # what is never looked at, or only where it is referred to
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


def ways_in(schema: Any, depth: int | None, *, most: int) -> int:
    """Return how many ways lead to a part of the schema for a value that is nested `depth` levels; `most` at most.

    A part that is referred to twice counts twice, and so does all that it refers to: two references a level, and there
    are 2^depth ways. With `depth` None a way ends where it comes back to itself, whatever the value.
    """
    count = 0
    waiting: list[tuple[Any, int, frozenset[str]]] = [(schema, 1 if depth is None else depth, frozenset())]
    while waiting and count < most:
        part, left, passed = waiting.pop()
        count += 1
        for keyword, value in _mapping(part).items():
            if keyword in REFERENCES and isinstance(value, str):
                if value not in passed:  # a circle that looks at one and the same value ends by itself
                    waiting.append((target_of(schema, value), left, passed | {value}))
            elif keyword in _INWARDS:
                if depth is None:
                    waiting.extend((inner, left, passed) for inner in _schemas(keyword, value))
                elif left > 1:
                    waiting.extend((inner, left - 1, frozenset()) for inner in _schemas(keyword, value))
            elif keyword not in _LATER:
                waiting.extend((inner, left, passed) for inner in _schemas(keyword, value))
    return min(count, most)


def _schemas(keyword: str, value: Any) -> list[Any]:
    """Return the schemas that stand below a keyword."""
    if isinstance(value, list):
        found = value
    elif keyword in NAMED:
        found = list(_mapping(value).values())
    else:
        found = [value]
    return [schema for schema in found if isinstance(schema, dict)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
