"""What the engine runs: a compiled flow, the linked way to the workers, and what each agent is granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from swarm_core.contracts import Run
from swarm_core.engine.recorded import Recorded
from swarm_core.flow import CompiledFlow, Limits
from swarm_core.model.budget import Budget
from swarm_core.model.event import Event
from swarm_core.model.operator import OperatorKind
from swarm_core.model.policy import AgentPolicy
from swarm_core.model.run import Question, StoredRun


@frozen(kw_only=True, eq=False, repr=False)
class Program:
    """One Blueprint, ready to run any number of times.

    `run` is the outermost layer of the linked chain. `agent_kinds` and `global_kind` are the Blueprint's tiers of the
    operator-kind cascade. `externs` are the functions that `call_extern` may name. `parks` are the agents whose workers
    have nothing in memory while they wait for an answer.
    """

    blueprint_id: str
    flow: CompiledFlow
    run: Run
    policies: Mapping[str, AgentPolicy] = field(factory=dict)
    agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    global_kind: OperatorKind | None = None
    externs: Mapping[str, Callable[..., Any]] = field(factory=dict)
    parks: frozenset[str] = frozenset()
    limits: Limits = field(factory=Limits)
    budget: Budget = field(factory=Budget)


@frozen(kw_only=True, eq=False, repr=False)
class Pinned:
    """What a run is bound to: its Blueprint as canonical JSON text, the SHA-256 of that, and how it was launched."""

    blueprint: str
    digest: str
    launch: Mapping[str, Any]
    key: str | None = None
    parent: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Past:
    """What a run that is resumed starts from; this engine has claimed it."""

    stored: StoredRun
    recorded: Recorded
    events: Sequence[Event]
    questions: tuple[Question, ...] = ()

    @property
    def own_events(self) -> Sequence[Event]:
        """Return the events without those that a rerun shares with another run."""
        shared = self.events[0].data.get("shared", 0) if self.events else 0
        return [*self.events[:1], *self.events[1 + shared :]]
