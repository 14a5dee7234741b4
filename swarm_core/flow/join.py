"""How the outcomes of lanes become one value, one class per join."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from swarm_core.errors import FlowError
from swarm_core.flow.failure import error_text
from swarm_core.model.nodes import Join


class Joined(Protocol):
    """Takes the lanes' outcomes as they come; says when no more are needed."""

    def succeeded(self, index: int, ctx: Any) -> bool:
        """Take the final ctx of a lane; return whether the join is decided."""

    def failed(self, index: int, error: FlowError) -> bool:
        """Take the error of a lane; return whether the join is decided."""

    def value(self) -> Any:
        """Return the joined value when the join is decided or every lane has settled.

        Raises: FlowError, the one that decided.
        """


class All:
    """Every lane's ctx in item order, or the first error."""

    def __init__(self, count: int) -> None:
        self.ctxs: list[Any] = [None] * count
        self.error: FlowError | None = None

    def succeeded(self, index: int, ctx: Any) -> bool:
        """Keep the ctx in its place."""
        self.ctxs[index] = ctx
        return False

    def failed(self, index: int, error: FlowError) -> bool:
        """Fail the join."""
        self.error = error
        return True

    def value(self) -> Any:
        """Return the array of ctxs."""
        if self.error is not None:
            raise self.error
        return self.ctxs


class AllSettled:
    """What became of every lane, in item order."""

    def __init__(self, count: int) -> None:
        self.outcomes: list[Any] = [None] * count

    def succeeded(self, index: int, ctx: Any) -> bool:
        """Note the ctx."""
        self.outcomes[index] = {"status": "fulfilled", "value": ctx}
        return False

    def failed(self, index: int, error: FlowError) -> bool:
        """Note the error's text."""
        self.outcomes[index] = {"status": "rejected", "reason": error_text(error)}
        return False

    def value(self) -> Any:
        """Return the array of outcomes."""
        return self.outcomes


class First:
    """The ctx of the first lane to succeed; with `race`, the outcome of the first lane to settle."""

    def __init__(self, count: int, *, race: bool = False) -> None:
        self.race = race
        self.ctx: Any = None
        self.error: FlowError | None = None

    def succeeded(self, index: int, ctx: Any) -> bool:
        """Decide the join."""
        self.ctx, self.error = ctx, None
        return True

    def failed(self, index: int, error: FlowError) -> bool:
        """Note the error, which decides a race."""
        self.error = error
        return self.race

    def value(self) -> Any:
        """Return the ctx of the deciding lane."""
        if self.error is not None:
            raise self.error
        return self.ctx


JOINS: Mapping[Join, Callable[[int], Joined]] = {
    Join.ALL: All,
    Join.ALL_SETTLED: AllSettled,
    Join.ANY: First,
    Join.RACE: partial(First, race=True),
}
