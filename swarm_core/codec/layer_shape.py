"""Layers in a document: `"key"`, or `{"key": options}`."""

from __future__ import annotations

from typing import Any

from swarm_core.codec.faults import Faulty, wrong_type
from swarm_core.codec.rules import LAYER_KEY
from swarm_core.codec.shape import ANYTHING, Definitions, Json, Shape
from swarm_core.model.blueprint import LayerUse

_EXPECTED = 'a layer\'s key, or an object {"key": options}'


def _read(value: Json) -> LayerUse:
    if isinstance(value, dict) and len(value) == 1:
        ((key, options),) = value.items()
    elif isinstance(value, str):
        key, options = value, None
    else:
        raise wrong_type(_EXPECTED, value)
    fault = LAYER_KEY.check(key)
    if fault:
        raise Faulty(fault)
    try:
        return LayerUse(key=key, options=ANYTHING.read(options))
    except Faulty as error:
        raise Faulty(*error.below(key)) from None


def _write(value: LayerUse) -> Json:
    return value.key if value.options is None else {value.key: value.options}


def _definition(defs: Definitions) -> dict[str, Any]:
    named = {"type": "object", "propertyNames": LAYER_KEY.schema, "minProperties": 1, "maxProperties": 1}
    return {
        "title": "LayerUse",
        "description": LayerUse.__doc__,
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": LAYER_KEY.schema,
        "else": named,
    }


LAYER_USE = Shape(
    expected=_EXPECTED,
    types=frozenset({"string", "object"}),
    read=_read,
    write=_write,
    schema=lambda defs: defs.ref("LayerUse", LayerUse, _definition),
)
