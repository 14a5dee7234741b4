"""How large a value is as JSON, without printing it.

The evaluator shares structure instead of copying it, so a small flow can make a value that is exponentially larger
printed than it is in memory (`a = [a, a]` in a loop). Whoever prints, stores or sends a value measures it first. The
work grows with what there is in memory: a container that was measured is not walked again.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from swarm_core.errors import FlowError
from swarm_core.model.value import MAX_DEPTH, NotJson, json_copy

_LEAST, _BEYOND = -(2**63), 2**64
_WORTH_KEEPING = 1_024
_KEPT_AT_MOST = 64 * 1024 * 1024


def measure(value: Any, max_bytes: int) -> int:
    """Return about how many bytes a JSON value has when printed, counting what is shared as often as it is printed.

    Strings count by their characters, numbers 8. Raises: FlowError of kind LimitError, when it is more than `max_bytes`
    or nested deeper than MAX_DEPTH.
    """
    return Sizes().check(value, max_bytes, "max_value_bytes")


class Sizes:
    """Measures values and remembers those containers that are worth it; they must not be changed any more.

    It holds on to what it remembers, about 64 MiB as JSON, so that an id never comes to mean another container.
    """

    __slots__ = ("kept", "known")

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, int, Any]] = {}
        self.kept = 0

    def admit(self, value: Any) -> Any:
        """Return a value from outside as plain JSON, itself where it is so already (see `json_copy`).

        Raises: NotJson.
        """
        kind = type(value)
        if kind is dict or kind is list:
            try:
                self._measured(value, 0)
            except _NotPlain:
                value = json_copy(value)
                self._measured(value, 0)
            return value
        return json_copy(value)

    def check(self, value: Any, limit: int, name: str) -> int:
        """Return the size of a plain JSON value.

        Raises: FlowError of kind LimitError, whose `op` is the limit's name, when it is larger or too deep.
        """
        kind = type(value)
        if kind is dict or kind is list:
            try:
                size = self._measured(value, 0)[0]
            except NotJson as error:
                raise FlowError("LimitError", str(error), op="max_depth") from None
        else:
            size = len(value) + 2 if kind is str else 8
        if size > limit:
            raise FlowError("LimitError", f"the value is larger than {name} allows ({limit:,} bytes as JSON)", op=name)
        return size

    def _measured(self, value: Any, depth: int) -> tuple[int, int]:  # noqa: PLR0912 - a call less for each container
        """Return size and levels of a container."""
        known = self.known.get(id(value))
        if known is not None:
            if depth + known[1] > MAX_DEPTH:
                raise _too_deep()
            return known[0], known[1]
        if depth >= MAX_DEPTH:
            raise _too_deep()
        size, height, remembered, members = 2 + len(value), 0, 0, value
        if type(value) is dict:
            members = value.values()
            for key in value:
                if type(key) is not str:
                    raise _NotPlain
                size += len(key) + 3
        for member in members:
            kind = type(member)
            if kind is str:
                size += len(member) + 2
            elif kind is dict or kind is list:
                below, levels = self._measured(member, depth + 1)
                size += below
                if below >= _WORTH_KEEPING:
                    remembered += below
                if levels > height:  # noqa: PLR1730 - calling max() here makes the whole walk a seventh slower
                    height = levels
            elif kind is bool or member is None:
                size += 5
            elif (kind is int and _LEAST <= member < _BEYOND) or (kind is float and isfinite(member)):
                size += 8
            else:
                raise _NotPlain
        if size >= _WORTH_KEEPING:
            self._keep(value, size, height + 1, size - remembered)
        return size, height + 1

    def _keep(self, value: Any, size: int, height: int, own: int) -> None:
        if self.kept > _KEPT_AT_MOST:
            self.known.clear()
            self.kept = 0
        self.known[id(value)] = (size, height, value)
        self.kept += own


class _NotPlain(Exception):
    """A value holds something that must be changed, or refused, first."""


def _too_deep() -> NotJson:
    return NotJson(f"the value is nested deeper than {MAX_DEPTH} levels, or holds itself")
