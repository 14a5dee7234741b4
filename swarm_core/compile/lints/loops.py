"""Loops whose condition cannot change."""

from __future__ import annotations

from collections.abc import Iterator

from swarm_core.compile.lints.paths import overlap, paths_in, targets, text_of
from swarm_core.model.blueprint import Blueprint
from swarm_core.model.nodes import Loop
from swarm_core.model.problem import Problem
from swarm_core.model.walk import walk


def fixed_conditions(blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem for every loop whose condition reads paths, none of which its body or its counter writes.

    A condition without any path is left alone: it says that the body is done `max` times.
    """
    for path, node in walk(blueprint.flow, "$.flow"):
        if isinstance(node, Loop) and node.max > 1 and (looks_at := _fixed(node)):
            yield Problem(
                code="loop_condition_fixed",
                message=f"nothing in this loop changes what its condition looks at, {' and '.join(looks_at)}: "
                f"it is done {node.max:,} times or not at all",
                path=f"{path}.cond",
                hint="let the condition look at what the body writes, or at the counter",
            )


def _fixed(loop: Loop) -> list[str]:
    """Return the paths of a condition that nothing in the loop changes, none when something may."""
    looked_at = dict.fromkeys(paths_in(loop.cond))
    for target in targets(loop):
        if target is None or any(overlap(target.keys, keys) for keys in looked_at):
            return []
    return [text_of(keys) for keys in looked_at]
