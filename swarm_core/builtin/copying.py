"""Copies of JSON values that a worker may change as it likes."""

from __future__ import annotations

from typing import Any


def private_copy(value: Any) -> Any:
    """Return a copy of a JSON value that shares no dict or list with it.

    What is shared inside the value is shared in the copy, so the cost grows with what there is. The interpreter's stack
    does not bound the depth. Strings, numbers, booleans and null are not copied.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return value
    root = kind(value)
    copies = {id(value): root}
    unfinished = [root]
    while unfinished:
        made = unfinished.pop()
        for key, item in made.items() if type(made) is dict else enumerate(made):
            kind = type(item)
            if kind is dict or kind is list:
                copy = copies.get(id(item))
                if copy is None:
                    copy = copies[id(item)] = kind(item)
                    unfinished.append(copy)
                made[key] = copy
    return root
