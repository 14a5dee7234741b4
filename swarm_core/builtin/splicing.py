"""Places in a document some of whose array items were replaced by several items, or by none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from swarm_core.codec.places import place_of, steps_of

Steps = tuple[str | int, ...]

Splices = dict[Steps, dict[int, int]]
"""By the steps to an array, as its text has it: the index of each item that was replaced, and by how many."""


def spliced(positions: Mapping[str, tuple[int, int]], splices: Splices) -> Mapping[str, tuple[int, int]]:
    """Return the positions of the new document's places; new items stand where the one that they replace does."""
    return _Moved(positions, splices) if splices else positions


class _Moved(Mapping[str, tuple[int, int]]):
    def __init__(self, positions: Mapping[str, tuple[int, int]], splices: Splices) -> None:
        self._positions = positions
        self._splices = {steps: sorted(items.items()) for steps, items in splices.items()}

    def __getitem__(self, place: str) -> tuple[int, int]:
        old: Steps = ()
        for step in steps_of(place):
            old = (*old, _before(step, self._splices.get(old, ())) if isinstance(step, int) else step)
        return self._positions[place_of(old)]

    def __iter__(self) -> Iterator[str]:
        for place in self._positions:
            new = self._new(steps_of(place))
            if new is not None:
                yield place_of(new)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _new(self, old: Steps) -> Steps | None:
        """Return where an old place stands now, for a replaced item where the first new one does; None for nowhere."""
        new: Steps = ()
        for place, step in enumerate(old):
            items = self._splices.get(old[:place], ())
            if isinstance(step, int) and dict(items).get(step) == 0:
                return None
            new = (*new, _after(step, items) if isinstance(step, int) else step)
        return new


def _before(new: int, items: list[tuple[int, int]] | tuple[()]) -> int:
    """Return the index that an item of the new array, or what it replaces, had in the old one."""
    moved = 0
    for old, count in items:
        if new < old + moved:
            break
        if new < old + moved + count:
            return old
        moved += count - 1
    return new - moved


def _after(old: int, items: list[tuple[int, int]] | tuple[()]) -> int:
    return old + sum(count - 1 for place, count in items if place < old)
