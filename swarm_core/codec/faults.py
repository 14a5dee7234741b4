"""What a reader of values finds wrong, and how that becomes the problems of a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import define, evolve

from swarm_core.codec.findings import MOST, too_many
from swarm_core.codec.numbers import shorten
from swarm_core.codec.places import Steps, locate, place_of, shown, steps_of
from swarm_core.errors import DocumentError, did_you_mean
from swarm_core.model.parse import type_name
from swarm_core.model.problem import Problem

# Reading ends when a value has so many faults; only the first MOST of them are told.
ENOUGH = 1_000


@define(eq=False, repr=False)
class Fault:
    """One thing that is wrong with a value, at `steps` below the value that is read.

    `near` is a word that is not known, and those that are: the hint is made of them only when the fault is reported.
    """

    code: str
    message: str
    steps: Steps = ()
    hint: str | None = None
    near: tuple[str, Collection[str]] | None = None


class Faulty(Exception):
    """A value cannot be read; `faults` has everything that is wrong with it."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        super().__init__(faults)

    def below(self, step: str | int) -> list[Fault]:
        """Return the faults as those of the value that holds this one at `step`."""
        for fault in self.faults:
            fault.steps = (step, *fault.steps)
        return self.faults


def wrong_type(expected: str, value: Any) -> Faulty:
    """Return the fault of a value that is of another type than expected."""
    return Faulty(Fault("wrong_type", f"expected {expected}, got {type_name(value)}"))


def not_among(value: str, known: Collection[str], what: str = "value") -> Faulty:
    """Return the fault of a word that is none of the known ones."""
    return Faulty(Fault("bad_value", f"unknown {what} {shorten(value)!r}", near=(value, known)))


def fault_of(problem: Problem) -> Fault:
    """Return a problem as a fault, its place below the value that it was found in."""
    return Fault(problem.code, problem.message, steps_of(problem.path), problem.hint)


def document_error(
    faults: Iterable[Fault],
    value: Any,
    *,
    root: str = "$",
    positions: Mapping[str, tuple[int, int]] | None = None,
    name: str | None = None,
) -> DocumentError:
    """Return the faults of a value as one error, in the order of the document; `root` is the value's own place."""
    order = _Order(value)
    ordered = sorted(faults, key=lambda fault: order.key(fault.steps))
    problems = [_problem(fault, root, positions, name) for fault in ordered[:MOST]]
    if len(ordered) > MOST:
        problems.append(too_many(name))
    return DocumentError(problems)


def with_place(problem: Problem, positions: Mapping[str, tuple[int, int]] | None, name: str | None) -> Problem:
    """Return a problem with the file, line and column of its place, as far as they are known."""
    line, column = (locate(positions, problem.path) if positions is not None else None) or (None, None)
    return evolve(problem, file=name, line=line, column=column)


def _problem(fault: Fault, root: str, positions: Mapping[str, tuple[int, int]] | None, name: str | None) -> Problem:
    hint = fault.hint
    if fault.near:
        hint = did_you_mean(fault.near[0][:80], fault.near[1])
    problem = Problem(code=fault.code, message=fault.message, path=place_of(fault.steps, root), hint=hint)
    placed = with_place(problem, positions, name)
    return evolve(placed, path=shown(placed.path))


class _Order:
    """Sorts places by where they stand in a value: an object before its members, members in their order."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.ranks: dict[int, dict[Any, int]] = {}

    def key(self, steps: Steps) -> tuple[int, ...]:
        ranks, value = [], self.value
        for step in steps:
            if isinstance(value, dict) and step in value:
                known = self.ranks.get(id(value)) or self.ranks.setdefault(id(value), _ranks(value))
                ranks.append(known[step])
            elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
                ranks.append(step)
            else:
                break
            value = value[step]
        return tuple(ranks)


def _ranks(value: dict[Any, Any]) -> dict[Any, int]:
    return {key: rank for rank, key in enumerate(value)}
