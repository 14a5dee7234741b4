"""JSON Schema (draft 2020-12) of Blueprints and models, made from the same shapes that read them.

What a schema cannot say, and only reading finds: repeated keys and names, limits of size and nesting, durations longer
than ten years, `1.0` where an integer is wanted (JSON Schema takes it for one), the details of version numbers and of
printable names, and what validators of a plugin's class check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarm_core.codec.blueprint import SCHEMA_KEY
from swarm_core.codec.shape import Definitions
from swarm_core.codec.shapes import record_of
from swarm_core.model.blueprint import SCHEMA_VERSION, Blueprint

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BLUEPRINT_ID = f"urn:swarm-core:blueprint:{SCHEMA_VERSION}"


def blueprint_schema(directives: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a Blueprint document, flow and expressions included.

    `directives` are the names of directives (`$file`) that may stand where a string or an object would: give them for
    the schema of a Blueprint file, as an editor needs it, none for the schema of an expanded document.
    """
    defs = Definitions(tuple(directives))
    root = record_of(Blueprint).definition(defs)
    root["properties"] = {SCHEMA_KEY: {"type": "string", "format": "uri-reference"}, **root["properties"]}
    return {"$schema": DIALECT, "$id": BLUEPRINT_ID, **root, "$defs": defs.found}


def model_schema(cls: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of one attrs class: a kind's spec, a layer's options.

    Raises: TypeError, when the class cannot be read from documents.
    """
    defs = Definitions()
    schema = {"$schema": DIALECT, **record_of(cls).definition(defs)}
    return {**schema, "$defs": defs.found} if defs.found else schema
