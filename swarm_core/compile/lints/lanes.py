"""What lanes write for nobody: a join keeps their ctxs at the fan-out's `out` only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import define, field

from swarm_core.compile.lints.paths import (
    Keys,
    Target,
    below,
    holds_fanout,
    is_within,
    overlap,
    own_targets,
    paths_in,
    read_by,
    targets,
    text_of,
    written,
)
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import Branch, Fanout, Node
from swarm_core.model.problem import Problem
from swarm_core.model.walk import walk

_MOST = 200

Dropped = Mapping[Keys, tuple[str, str]]
"""Paths that only lanes of a finished fan-out have written: the fan-out's place, and where its value stands."""


def lost_lane_writes(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for everything that is read after a fan-out and was written by its lanes and nobody else."""
    given = blueprint.default_init_ctx
    if not holds_fanout(blueprint.flow):
        return
    search = _Search(list(_writers(blueprint.flow)), set(given) if isinstance(given, Mapping) else set())
    search.on(blueprint.flow, "$.flow", {})
    yield from search.found


@define(eq=False, repr=False)
class _Search:
    """One way through a flow, in its order; `given` are the keys that the flow starts with."""

    writers: list[tuple[str, Target | None]]
    given: set[str]
    found: list[Problem] = field(factory=list)
    _known: dict[tuple[Keys, str], bool] = field(factory=dict)

    def on(self, node: Node, path: str, dropped: Dropped) -> Dropped:
        """Return what is dropped after a node, from what is dropped before it."""
        for name, expr in read_by(node):
            for keys in paths_in(expr):
                self._look(keys, f"{path}.{name}", dropped)
        if isinstance(node, Branch):
            then = self.on(node.then, f"{path}.then", dropped)
            return {**then, **self.on(node.else_, f"{path}.else", dropped)}
        for name, child in below(node):
            after = self.on(child, f"{path}.{name}", dropped)
            dropped = dropped if isinstance(node, Fanout) else after
        return self._after_fanout(node, path, dropped) if isinstance(node, Fanout) else dropped

    def _look(self, keys: Keys, place: str, dropped: Dropped) -> None:
        for mine, (fanout, out) in dropped.items():
            if is_within(keys, mine) and keys[0] not in self.given and not self._written_elsewhere(keys, fanout):
                self.found.append(_problem(keys, place, fanout, out))
                return

    def _written_elsewhere(self, keys: Keys, fanout: str) -> bool:
        """Tell whether anything but this fan-out's body may write here; the lanes of other fan-outs count."""
        if (keys, fanout) not in self._known:
            self._known[keys, fanout] = any(
                (target is None or overlap(target.keys, keys)) and not path.startswith(f"{fanout}.body")
                for path, target in self.writers
            )
        return self._known[keys, fanout]

    def _after_fanout(self, node: Fanout, path: str, dropped: Dropped) -> Dropped:
        out, bind = written(node.out), written(node.bind)
        if out is None or bind is None or len(dropped) > _MOST:
            return dropped
        lanes = [target.keys for target in targets(node.body) if target is not None and target.keys]
        mine = [keys for keys in lanes if not overlap(keys, out.keys) and not overlap(keys, bind.keys)]
        return {**dropped, **{keys: (path, text_of(out.keys)) for keys in mine}}


def _writers(flow: Node) -> Iterator[tuple[str, Target | None]]:
    """Yield the place of every node that writes, and where; a fan-out binds, too."""
    for path, node in walk(flow, "$.flow"):
        yield from ((path, written(expr)) for expr in own_targets(node))
        if isinstance(node, Fanout):
            yield path, written(node.bind)


def _problem(keys: Keys, place: str, fanout: str, out: str) -> Problem:
    return Problem(
        code="lane_write_lost",
        message=f"{text_of(keys)} is written by the lanes of {fanout} and by nothing else, "
        f"and what lanes write stays in them",
        path=place,
        hint=f"read it from {out}, where the join puts what it keeps of the lanes",
    )
