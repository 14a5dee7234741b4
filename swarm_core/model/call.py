"""One attempt on its way in and out: Call and Result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from swarm_core.model.operator import OperatorKind
from swarm_core.model.shown import shown

if TYPE_CHECKING:
    from swarm_core.contracts import AttemptContext, Operator, SeniorBridge, SpawnHook

EMPTY: Mapping[str, Any] = {}


@frozen(kw_only=True)
class OperatorInfo:
    """The operator's faces for one attempt, resolved at dispatch; None where the session has none."""

    __repr__ = shown

    kind: OperatorKind = OperatorKind.AUTOMATE
    id: str = "default-automate"
    senior_bridge: SeniorBridge | None = None
    spawn_hook: SpawnHook | None = None
    operator: Operator | None = None


NO_OPERATOR = OperatorInfo()


@frozen(kw_only=True)
class Call:
    """One attempt at a task.

    `input` is the typed value of the step's `in` and is read-only: whoever wants to change it makes a copy. `meta` is
    what layers tell each other and the worker. A layer that wants something else done passes on `attrs.evolve(call,
    ...)`.
    """

    __repr__ = shown

    run_id: str | None
    task_id: str
    attempt: int
    agent: str
    input: Any
    address: str
    context: AttemptContext
    operator: OperatorInfo = NO_OPERATOR
    meta: Mapping[str, Any] = field(factory=dict)

    @property
    def directive(self) -> str:
        """Return the input as text: a string verbatim, anything else as compact JSON."""
        return self.input if isinstance(self.input, str) else to_text(self.input)

    @property
    def idempotency_key(self) -> str:
        """Return the key that stays the same when this step is tried again: run, then step address."""
        return f"{self.run_id}:{self.address}"


@frozen
class Result:
    """The end of one attempt: a JSON value, whether the worker calls it a success, and facts such as usage."""

    __repr__ = shown

    value: Any
    ok: bool = True
    facts: Mapping[str, Any] = EMPTY


def to_text(value: Any) -> str:
    """Return compact JSON, the text form of a value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
