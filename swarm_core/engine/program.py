"""What the engine runs: a compiled flow, the linked way to the workers, and what each agent is granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.contracts import Run
from swarm_core.flow import CompiledFlow, Limits
from swarm_core.model.operator import OperatorKind
from swarm_core.model.policy import AgentPolicy


@frozen(kw_only=True, eq=False, repr=False)
class Program:
    """One Blueprint, ready to run any number of times.

    `run` is the outermost layer of the linked chain. `agent_kinds` and `global_kind` are the Blueprint's tiers of the
    operator-kind cascade. `externs` are the functions that `call_extern` may name.
    """

    blueprint_id: str
    flow: CompiledFlow
    run: Run
    policies: Mapping[str, AgentPolicy] = field(factory=dict)
    agent_kinds: Mapping[str, OperatorKind] = field(factory=dict)
    global_kind: OperatorKind | None = None
    externs: Mapping[str, Callable[..., Any]] = field(factory=dict)
    limits: Limits = field(factory=Limits)
