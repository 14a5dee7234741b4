"""The Blueprint as a document."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, cast

from swarm_core.codec.convert import unstructure
from swarm_core.codec.faults import Fault, Faulty, document_error
from swarm_core.codec.numbers import shorten
from swarm_core.codec.shapes import shape_of
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

SCHEMA_KEY = "$schema"
# Two agents of one name are told with all else that is wrong; alone they are left to the compiler, which looks at the
# operators' seats before it looks at names, as the original does.
_COMPILERS_OWN = "duplicate_agent"
_NAMED = {"agents": "agent", "operators": "operator"}


def structure_blueprint(
    value: Any, *, positions: Mapping[str, tuple[int, int]] | None = None, name: str | None = None
) -> Blueprint:
    """Return the Blueprint of a JSON document.

    The document may say `$schema` for editors; that is not part of the Blueprint. `positions` and `name` give the
    problems their line and file. Raises: DocumentError, with everything that is wrong with the document itself; whether
    its agents, kinds and layers exist is for the compiler to say.
    """
    faults, blueprint = _read(value)
    if any(fault.code != _COMPILERS_OWN for fault in faults):
        raise document_error(faults, value, positions=positions, name=name)
    return cast(Blueprint, blueprint)


def document_problems(value: Any) -> tuple[Problem, ...]:
    """Return everything that is wrong with a Blueprint document itself."""
    faults, _ = _read(value)
    return document_error(faults, value).problems if faults else ()


def blueprint_json(blueprint: Blueprint) -> dict[str, Any]:
    """Return a Blueprint as a JSON document, the same for equal Blueprints."""
    return cast(dict[str, Any], unstructure(blueprint))


def _read(value: Any) -> tuple[list[Fault], Blueprint | None]:
    faults: list[Fault] = []
    blueprint = None
    document = value
    if isinstance(value, dict) and SCHEMA_KEY in value:
        document = {key: each for key, each in value.items() if key != SCHEMA_KEY}
        if not isinstance(value[SCHEMA_KEY], str):
            faults.append(Fault("wrong_type", "expected the URI of a JSON Schema", (SCHEMA_KEY,)))
    try:
        blueprint = shape_of(Blueprint).read(document)
    except Faulty as error:
        faults += error.faults
    if isinstance(document, dict):
        faults += [fault for field, what in _NAMED.items() for fault in _twins(document.get(field), field, what)]
    return faults, blueprint


def _twins(definitions: Any, field: str, what: str) -> Iterator[Fault]:
    """Yield a fault for each name that was there before, be it in another case or with other blanks or accents."""
    first: dict[str, tuple[str, int]] = {}
    for index, definition in enumerate(definitions if isinstance(definitions, list | tuple) else ()):
        name = definition.get("name") if isinstance(definition, dict) else None
        if not isinstance(name, str):
            continue
        known, at = first.setdefault(_folded(name), (name, index))
        if at == index:
            continue
        message = f"two {field} are named {shorten(name)!r}"
        if name != known:
            message = f"{field} {shorten(known)!r} and {shorten(name)!r} differ only in case, blanks or accents"
        hint = f"the first one is $.{field}[{at}]; rename or remove one"
        yield Fault(f"duplicate_{what}", message, (field, index, "name"), hint)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()
