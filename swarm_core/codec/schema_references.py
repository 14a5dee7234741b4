"""Where a JSON Schema refers to itself; references to anything else are not followed but refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from swarm_core.codec.places import shown
from swarm_core.model.path import place

REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})

# Keywords whose values are data, whatever they look like, and those whose members are schemas by names of their own.
DATA = frozenset({"const", "enum", "default", "examples"})
NAMED = frozenset({"$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies"})

_LONGEST = 80


def target_of(schema: Any, reference: str) -> Any:
    """Return the part of a schema that `#` or a JSON pointer (`#/...`, RFC 6901) names, None when there is none."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    part = schema
    for step in unquote(reference[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isascii() and name.isdecimal() and int(name[:9]) < len(part):
            part = part[int(name)]
        else:
            return None
    return part


def reference_problem(schema: Any) -> str | None:
    """Return what is wrong with the first reference that cannot be followed here, None when there is none.

    Known are `#` and `#/...`. Names that a part gives itself (`$id`, `$anchor`) would change what those mean.
    """
    identifier = "id" if "draft-04" in str(_mapping(schema).get("$schema")) else "$id"
    for path, keyword, value in _keywords(schema, "$"):
        at = f"{shown(place(path, keyword))}: {value if len(value) <= _LONGEST else value[:_LONGEST] + '...'!r}"
        if keyword == identifier and path != "$":
            return f"{at}: only the schema as a whole can have an identifier here"
        if keyword == "$ref" and not value.startswith("#"):
            return f"{at} leads out of the schema, and nothing is fetched; put what it refers to under $defs"
        if keyword in REFERENCES and (keyword != "$ref" or (value != "#" and not value.startswith("#/"))):
            return f"{at} is no reference that is known here; write `$ref` with #, or with #/ and the path of a part"
        if keyword in REFERENCES and target_of(schema, value) is None:
            return f"{at}: there is no such part in the schema"
    return None


def _keywords(part: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield the keywords that have a text, each with the place of its schema."""
    for keyword, value in _mapping(part).items():
        if isinstance(value, str):
            yield path, keyword, value
        elif keyword not in DATA:
            below = place(path, keyword)
            for step, inner in _inner(keyword, value):
                yield from _keywords(inner, below if step is None else place(below, step))


def _inner(keyword: str, value: Any) -> Iterator[tuple[str | int | None, Any]]:
    if isinstance(value, list | tuple):
        yield from enumerate(value)
    elif keyword in NAMED:
        yield from _mapping(value).items()
    else:
        yield None, value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
