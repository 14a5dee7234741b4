"""Documents in and out: JSON and YAML text, JSON values, models, and the JSON Schema that describes them.

The names are loaded at first use, so that whoever needs one of them does not pay for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarm_core.lazy import lazy_names

if TYPE_CHECKING:
    from swarm_core.codec.blueprint import blueprint_json, document_problems, structure_blueprint
    from swarm_core.codec.convert import structure, unstructure
    from swarm_core.codec.faults import with_place
    from swarm_core.codec.json_text import load_json
    from swarm_core.codec.limits import LIMITS, Limits
    from swarm_core.codec.places import Loaded, Positions, locate
    from swarm_core.codec.schema import blueprint_schema, model_schema
    from swarm_core.codec.yaml_text import load_yaml

_HOMES = {
    "blueprint": ("blueprint_json", "document_problems", "structure_blueprint"),
    "convert": ("structure", "unstructure"),
    "faults": ("with_place",),
    "json_text": ("load_json",),
    "limits": ("LIMITS", "Limits"),
    "places": ("Loaded", "Positions", "locate"),
    "schema": ("blueprint_schema", "model_schema"),
    "yaml_text": ("load_yaml",),
}

__all__ = [
    "LIMITS",
    "Limits",
    "Loaded",
    "Positions",
    "blueprint_json",
    "blueprint_schema",
    "document_problems",
    "load_json",
    "load_yaml",
    "locate",
    "model_schema",
    "structure",
    "structure_blueprint",
    "unstructure",
    "with_place",
]

__getattr__, __dir__ = lazy_names(__name__, globals(), _HOMES)
