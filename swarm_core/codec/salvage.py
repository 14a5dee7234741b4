"""What is left of a broken Blueprint document, so that the rest of it can be checked too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from swarm_core.codec.blueprint import structure_blueprint
from swarm_core.codec.places import Steps, steps_of
from swarm_core.errors import DocumentError
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.problem import Problem

_ROUNDS = 12
_NO_NODE: dict[str, Any] = {"kind": "seq", "children": []}
_BELOW = ("children", "body", "then", "else", "catch")


def salvage(value: Any, problems: Iterable[Problem]) -> Blueprint | None:
    """Return the Blueprint that remains when everything that problems are about is taken out, or None.

    Steps keep their refs and agents a name, so that what refers to them is not found wrong for that reason alone.
    """
    if not isinstance(value, dict):
        return None
    document = deepcopy(value)
    left: Sequence[Problem] = tuple(problems)
    for _ in range(_ROUNDS):
        # from the end to the front, so that a place is still where it was when it is its turn
        for problem in reversed(left):
            _take_out(document, steps_of(problem.path))
        document.setdefault("id", "unnamed")
        document.setdefault("flow", _NO_NODE)
        try:
            return structure_blueprint(document)
        except DocumentError as error:
            left = error.problems
    return None


def _take_out(document: Any, steps: Steps) -> None:
    if steps[:1] == ("flow",):
        _mend_flow(document, steps)
    elif steps[-1:] == ("name",) and len(steps) == 3 and _at(document, steps[:-1]) is not None:
        _at(document, steps[:-1])["name"] = f"unnamed-{steps[0]}-{steps[1]}"
    else:
        _drop(document, steps)


def _drop(document: Any, steps: Steps) -> None:
    """Remove the value at a place; where it is missing, what should have held it."""
    while steps:
        holder = _at(document, steps[:-1])
        if isinstance(holder, dict) and steps[-1] in holder:
            del holder[steps[-1]]
            return
        if isinstance(holder, list) and isinstance(steps[-1], int) and steps[-1] < len(holder):
            del holder[steps[-1]]
            return
        steps = steps[:-1]


def _mend_flow(document: Any, steps: Steps) -> None:
    """Put a node without faults in the place of the innermost node around a place."""
    for length in range(len(steps), 0, -1):
        node = _at(document, steps[:length])
        if isinstance(node, dict) and ("kind" in node or length == 1):
            holder = _at(document, steps[: length - 1])
            holder[steps[length - 1]] = _mended(node)
            return
    document["flow"] = _NO_NODE


def _mended(node: dict[str, Any]) -> dict[str, Any]:
    """Return a step with the same ref, or a sequence of the nodes below."""
    if isinstance(node.get("ref"), str):
        nowhere = {"op": "path", "at": "$.x"}
        return {"kind": "step", "ref": node["ref"], "in": {"op": "lit", "value": None}, "out": nowhere}
    below: list[Any] = []
    for field in _BELOW:
        found = node.get(field)
        below += found if isinstance(found, list) else [found]
    return {"kind": "seq", "children": [child for child in below if isinstance(child, dict) and "kind" in child]}


def _at(document: Any, steps: Steps) -> Any:
    for step in steps:
        try:
            document = document[step]
        except (LookupError, TypeError):
            return None
    return document
