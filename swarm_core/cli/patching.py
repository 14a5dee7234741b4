"""JSON Patch (RFC 6902) on values: the operations that fixes are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any


class Unpatchable(ValueError):
    """An operation does not fit the document."""


def patched(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """Return a document after `add`, `remove`, `replace` and `move` operations; raises Unpatchable.

    What YAML's aliases share is one value in each place: an operation changes only where it points to.
    """
    root = {"": json.loads(json.dumps(document))}
    for operation in operations:
        op, path = operation["op"], ("", *parts(operation["path"]))
        if op == "add":
            _put(root, path, deepcopy(operation["value"]))
        elif op == "remove":
            _take(root, path)
        elif op == "replace":
            _take(root, path, keep=True)
            _put(root, path, deepcopy(operation["value"]), replace=True)
        elif op == "move":
            _put(root, path, _take(root, ("", *parts(operation["from"]))))
        else:
            raise Unpatchable(f"no operation {op!r}")
    return root[""]


def parts(pointer: str) -> tuple[str, ...]:
    """Return the parts of a JSON Pointer (RFC 6901)."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def index_of(part: str, length: int) -> int:
    """Return the index that a part is in an array of a length; raises Unpatchable."""
    if not (part.isascii() and part.isdecimal()) or int(part) >= length:
        raise Unpatchable(f"there is no element {part!r}")
    return int(part)


def _around(root: Any, path: tuple[str, ...]) -> Any:
    value = root
    for part in path[:-1]:
        value = _member(value, part)
    return value


def _member(value: Any, part: str) -> Any:
    if isinstance(value, list):
        return value[index_of(part, len(value))]
    if isinstance(value, dict) and part in value:
        return value[part]
    raise Unpatchable(f"there is no {part!r}")


def _put(root: Any, path: tuple[str, ...], value: Any, *, replace: bool = False) -> None:
    around, last = _around(root, path), path[-1]
    if isinstance(around, dict):
        around[last] = value
    elif isinstance(around, list) and replace:
        around[index_of(last, len(around))] = value
    elif isinstance(around, list):
        around.insert(len(around) if last == "-" else index_of(last, len(around) + 1), value)
    else:
        raise Unpatchable(f"nothing can be put under {last!r}")


def _take(root: Any, path: tuple[str, ...], *, keep: bool = False) -> Any:
    around, last = _around(root, path), path[-1]
    found = _member(around, last)
    if not keep:
        if isinstance(around, list):
            del around[index_of(last, len(around))]
        else:
            del around[last]
    return found
