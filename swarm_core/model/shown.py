"""How values show themselves."""

from __future__ import annotations

from typing import Any

from attrs import AttrsInstance, fields


def shown(self: Any) -> str:
    """Return a value as `Name(field=value, ...)`.

    It stands in a class as `__repr__ = shown`. Left to itself attrs compiles a method for each class, which is half of
    what a class costs when it is made (0.25 ms): the values that every start loads share this one.
    """
    cls: type[AttrsInstance] = type(self)
    parts = [f"{field.name}={getattr(self, field.name)!r}" for field in fields(cls) if field.repr]
    return f"{cls.__name__}({', '.join(parts)})"
