"""What the engine does for an agent's attempts: time, tries, how many at once, how many in all."""

from __future__ import annotations

from attrs import frozen

from swarm_core.model.budget import AgentBudget
from swarm_core.model.shown import shown


@frozen(kw_only=True)
class Retry:
    """How often and for which causes an attempt is made again; waits are seconds."""

    __repr__ = shown

    max_attempts: int
    backoff: float
    max_backoff: float
    on: frozenset[str]


@frozen(kw_only=True)
class AgentPolicy:
    """The resolved hints of one agent; None means no limit and no retry."""

    __repr__ = shown

    timeout: float | None = None
    retry: Retry | None = None
    concurrency: int | None = None
    budget: AgentBudget | None = None


NO_POLICY = AgentPolicy()
