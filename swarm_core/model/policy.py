"""What the engine does for an agent's attempts: time, tries, how many at once."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Retry:
    """How often and for which causes an attempt is made again; waits are seconds."""

    max_attempts: int
    backoff: float
    max_backoff: float
    on: frozenset[str]


@frozen(kw_only=True)
class AgentPolicy:
    """The resolved hints of one agent; None means no limit and no retry."""

    timeout: float | None = None
    retry: Retry | None = None
    concurrency: int | None = None


NO_POLICY = AgentPolicy()
