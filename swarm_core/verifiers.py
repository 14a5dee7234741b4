"""What a plugin offers to judge changes of Blueprints by: an axis, what it looks at, and a coroutine function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from swarm_core.model.shown import shown

if TYPE_CHECKING:
    from swarm_core.model.enhance import AxisVerdict, IssuePayload
    from swarm_core.serving import LiveSwarm


@frozen(kw_only=True, eq=False)
class Change:
    """A change of a Blueprint that an issue asked for, before it is kept.

    `before` and `after` are the Blueprint's documents, `before_hash` the version that is the head, `after_hash` what
    whoever made the change says the new version is. `patch` is what came with it: `patch` (RFC 6902), `rationale`,
    `bump`. `swarm` is the one that the loop runs on.
    """

    __repr__ = shown

    issue: IssuePayload
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    before_hash: str
    after_hash: str
    patch: Mapping[str, Any]
    swarm: LiveSwarm


@frozen(kw_only=True, eq=False)
class Verifier:
    """Judges changes on one axis.

    An enhance setting names the axes that a change must pass, all of them. `verify(change)` returns an AxisVerdict of
    its axis, whose `detail` says why. What it raises denies the change.
    """

    __repr__ = shown

    axis: str
    verify: Callable[[Change], Awaitable[AxisVerdict]]
    summary: str = ""
