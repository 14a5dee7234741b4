"""JSON values to models and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from swarm_core.codec.faults import Faulty, document_error
from swarm_core.codec.shapes import shape_of, write

T = TypeVar("T")


def structure(
    value: Any,
    cls: type[T],
    *,
    path: str = "$",
    positions: Mapping[str, tuple[int, int]] | None = None,
    name: str | None = None,
) -> T:
    """Return a JSON value as an instance of a class, strictly: nothing is coerced, no field is unknown.

    `path` is the value's own place. `positions` and `name` give the problems their line and file. The instance shares
    no containers with the value. Raises: DocumentError, with all problems in the order of the document; TypeError, when
    the class itself cannot be read from documents.
    """
    try:
        return cast(T, shape_of(cls).read(value))
    except Faulty as error:
        raise document_error(error.faults, value, root=path, positions=positions, name=name) from None


def unstructure(value: Any) -> Any:
    """Return a model, or a container of models, as JSON.

    Fields stand in the order of their class; those that have their default are left out, save `schema_version`.
    Free-form JSON inside a model is passed on as it is and must not be changed.
    """
    return write(value)
