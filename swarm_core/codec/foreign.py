"""Types that are neither JSON's nor attrs classes (dataclasses, sets, dates, paths), as cattrs reads them.

Importing cattrs takes longer than reading a Blueprint of a thousand agents: it is imported when such a type turns up.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from swarm_core.codec.faults import Fault, Faulty
from swarm_core.codec.shape import BOOLEAN, INTEGER, NUMBER, STRING, Shape, as_it_is

if TYPE_CHECKING:
    from cattrs import Converter


def foreign(annotation: Any) -> Shape:
    """Return the shape of a type that cattrs can read; strings, numbers and booleans inside it are read strictly.

    Raises: TypeError, when cattrs cannot.
    """
    from cattrs.errors import StructureHandlerNotFoundError

    converter = _converter()
    name = getattr(annotation, "__name__", str(annotation))
    try:
        hook = converter.get_structure_hook(annotation)
    except (StructureHandlerNotFoundError, TypeError) as error:
        raise TypeError(f"no document can hold a {name}: {error}") from error

    def read(value: Any) -> Any:
        try:
            return hook(value, annotation)
        except Exception as error:
            raise Faulty(*_faults(error, name)) from None

    return Shape(
        expected=f"what stands for a {name}",
        types=frozenset({"object", "array", "string", "integer", "number", "boolean"}),
        read=read,
        write=lambda value: converter.unstructure(value, unstructure_as=annotation),
        schema=lambda defs: {"title": name},
    )


@cache
def _converter() -> Converter:
    from cattrs.preconf.json import make_converter

    converter = make_converter(forbid_extra_keys=True)
    for kind, shape in ((str, STRING), (int, INTEGER), (float, NUMBER), (bool, BOOLEAN)):
        converter.register_structure_hook(kind, lambda value, _, read=shape.read: read(value))
        converter.register_unstructure_hook(kind, as_it_is)
    return converter


def _faults(error: BaseException, name: str) -> list[Fault]:
    """Return the faults in a tree of exceptions as cattrs raises it; its notes tell where each one stands."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    if isinstance(error, Faulty):
        return error.faults
    if isinstance(error, BaseValidationError):
        return [fault for inner in error.exceptions for fault in _below(inner, name)]
    if isinstance(error, ForbiddenExtraKeysError):
        owner, unknown = error.cl.__name__, sorted(error.extra_fields)
        return [Fault("unknown_field", f"{owner} has no field {key!r}", (key,)) for key in unknown]
    if isinstance(error, KeyError):
        return [Fault("missing_field", f"{name} lacks the field {error.args[0]!r}")]
    return [Fault("wrong_type", f"this stands for no {name}: {error}")]


def _below(error: BaseException, name: str) -> list[Fault]:
    from cattrs.errors import AttributeValidationNote, IterableValidationNote

    faults = _faults(error, name)
    if isinstance(error, KeyError):
        return faults
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return Faulty(*faults).below(note.name)
        if isinstance(note, IterableValidationNote):
            return Faulty(*faults).below(note.index)
    return faults
