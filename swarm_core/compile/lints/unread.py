"""Outputs of steps that are always overwritten before anything reads them.

The flow is gone over from its end. On the way stands what is lost: paths that are overwritten later, whatever the data,
and that nothing reads before. At the end nothing is lost, because the final ctx is the result. A path that nothing in
the flow reads is left alone: such a path is where steps put what is of no interest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import define, field

from swarm_core.compile.lints.paths import (
    Keys,
    Target,
    holds_fanout,
    overlap,
    paths_in,
    read_by,
    reads,
    targets,
    text_of,
    written,
)
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import Branch, Fanout, Let, Loop, Node, Seq, Step, Try
from swarm_core.model.problem import Problem

_MOST = 200  # paths that are followed at the same time: forgetting one claims nothing

Lost = Mapping[Keys, str]
"""Paths whose value does not matter any more, each with the place that overwrites it."""


def outputs_never_read(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for every step whose output is lost."""
    search = _Search([keys for keys in reads(blueprint.flow) if keys])
    search.back(blueprint.flow, "$.flow", {})
    yield from reversed(search.found)


@define(eq=False, repr=False)
class _Search:
    """One way back through a flow; `interesting` are the paths that something reads."""

    interesting: list[Keys]
    found: list[Problem] = field(factory=list)

    def back(self, node: Node, path: str, lost: Lost) -> Lost:
        """Return what is lost before a node, from what is lost after it."""
        match node:
            case Step():
                lost = self._before_step(node, path, lost)
            case Let():
                lost = _before_write(written(node.at), f"{path}.at", lost)
            case Seq():
                for at in range(len(node.children) - 1, -1, -1):
                    lost = self.back(node.children[at], f"{path}.children[{at}]", lost)
            case Branch():
                then = self.back(node.then, f"{path}.then", lost)
                lost = _in_both(then, self.back(node.else_, f"{path}.else", lost))
            case Try():
                lost = self._before_try(node, path, lost)
            case Loop():
                lost = self._before_loop(node, path, lost)
            case Fanout():
                self.back(node.body, f"{path}.body", {})
                lost = {}  # every lane has the whole ctx, and joins may keep it
        return lost if isinstance(node, Loop) else _before_read(node, lost)

    def _before_step(self, node: Step, path: str, lost: Lost) -> Lost:
        target = written(node.out)
        if target is not None and (by := _loss_of(target, lost)) and self._is_of_interest(target.keys):
            self.found.append(_problem(node, path, target, by))
        return _before_write(target, f"{path}.out", lost)

    def _before_try(self, node: Try, path: str, lost: Lost) -> Lost:
        """Take what is lost on both ways: a body that fails leaves the ctx as it was before."""
        caught = self.back(node.catch, f"{path}.catch", lost)
        if node.err_at is not None:
            caught = _before_write(written(node.err_at), f"{path}.err_at", caught)
        return _in_both(self.back(node.body, f"{path}.body", lost), caught)

    def _before_loop(self, node: Loop, path: str, lost: Lost) -> Lost:
        """Take what is lost after the loop and used nowhere in it, however often it goes round.

        The counter is written before the condition is looked at.
        """
        counter = written(node.counter)
        if holds_fanout(node.body):
            kept: Lost = {}
        else:
            kept = _without(lost, (*reads(node.body), *paths_in(node.cond)))
            for target in targets(node.body):
                kept = _without_parents(kept, target)
        kept = _without_parents(kept, counter)
        self.back(node.body, f"{path}.body", kept)
        return _before_write(counter, f"{path}.counter", kept)

    def _is_of_interest(self, keys: Keys) -> bool:
        return any(overlap(keys, read) for read in self.interesting)


def _problem(step: Step, path: str, target: Target, by: str) -> Problem:
    return Problem(
        code="output_never_read",
        message=f"what {step.ref!r} writes at {text_of(target.keys)} is overwritten at {by} before anything reads it",
        path=f"{path}.out",
        hint="let one of them write somewhere else, or read the first before the second",
    )


def _loss_of(target: Target, lost: Lost) -> str | None:
    """Return the place that overwrites what is written here, None when something may read it."""
    keys = target.keys
    return next((lost[keys[:length]] for length in range(len(keys) + 1) if keys[:length] in lost), None)


def _before_write(target: Target | None, path: str, lost: Lost) -> Lost:
    if target is None:
        return lost
    kept = _without_parents(lost, target)
    return {**kept, target.keys: path} if target.exact and len(kept) < _MOST else kept


def _without_parents(lost: Lost, target: Target | None) -> Lost:
    """Forget the paths around what is written: that there is something in which to write is a use of it."""
    if target is None or not lost:
        return lost
    end = len(target.keys) if target.exact else len(target.keys) + 1
    around = [target.keys[:length] for length in range(end)]
    return {keys: by for keys, by in lost.items() if keys not in around}


def _before_read(node: Node, lost: Lost) -> Lost:
    read = [keys for _, expr in read_by(node) for keys in paths_in(expr)]
    return _without(lost, read) if lost and read else lost


def _without(lost: Lost, used: Iterable[Keys]) -> Lost:
    wanted = set(used)
    return {keys: by for keys, by in lost.items() if not any(overlap(keys, read) for read in wanted)}


def _in_both(one: Lost, other: Lost) -> Lost:
    """Return what is lost on two ways."""
    both = {keys: by for keys, by in one.items() if _within(keys, other)}
    return {**{keys: by for keys, by in other.items() if _within(keys, one)}, **both}


def _within(keys: Keys, lost: Lost) -> bool:
    return any(keys[:length] in lost for length in range(len(keys) + 1))
