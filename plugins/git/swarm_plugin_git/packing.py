"""When objects are packed, as `git gc` does it, now and then."""

from __future__ import annotations

from pathlib import Path

from swarm_plugin_git.locks import only_one
from swarm_plugin_git.objects import Objects

MANY = 2048
"""About how many objects stand in files of their own when they are packed; an entry has three."""


def pack_if_many(objects: Objects, scratch: Path) -> None:
    """Pack what is loose when there is much of it, and nobody else is at it.

    Objects have evenly spread names, so one of their 256 folders tells how many there are.
    """
    sample = objects.folder / "17"
    if not sample.is_dir() or sum(1 for _ in sample.iterdir()) <= MANY / 256:
        return
    with only_one(scratch / "packing") as alone:
        if alone:
            objects.pack()
