"""How much of a document is read."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Limits:
    """Bounds of one document, checked before anything is built from it.

    `size` is in bytes; `depth` counts arrays and objects inside one another; `values` counts scalars, arrays and
    objects, not keys; `aliases` is for YAML, where what an alias stands for also counts as if it were written out.
    """

    size: int = 2 * 1024 * 1024
    depth: int = 500
    values: int = 100_000
    aliases: int = 1_000


LIMITS = Limits()
