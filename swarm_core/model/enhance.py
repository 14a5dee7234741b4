"""What is kept of the enhance loop: issues, the settings that it works by, and the log of what became of each issue."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from attrs import asdict, field, frozen

from swarm_core.errors import DocumentError
from swarm_core.model.blueprint import AgentProfile
from swarm_core.model.problem import Problem
from swarm_core.model.shown import shown
from swarm_core.model.version import Latest, VersionSelector

# issues ------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class IssuePayload:
    """A wish for a change of a Blueprint: its id (`h-...`), which Blueprint, and what is wanted, in words."""

    __repr__ = shown

    issue_id: str
    blueprint_id: str
    intent: str

    def as_json(self) -> dict[str, Any]:
        """Return the issue as data."""
        return {"issue_id": self.issue_id, "blueprint_id": self.blueprint_id, "intent": self.intent}


@frozen(kw_only=True)
class Pending:
    """Nobody has begun with the issue, or whoever did gave it back."""

    __repr__ = shown

    kind: ClassVar[str] = "pending"


@frozen(kw_only=True)
class InFlight:
    """Somebody works on the issue."""

    __repr__ = shown

    kind: ClassVar[str] = "in_flight"


@frozen(kw_only=True)
class Applied:
    """The issue led to a new version of its Blueprint; final."""

    __repr__ = shown

    kind: ClassVar[str] = "applied"
    new_version: str


@frozen(kw_only=True)
class Rejected:
    """The issue led to nothing, and why; final."""

    __repr__ = shown

    kind: ClassVar[str] = "rejected"
    reason: str


IssueStatus = Pending | InFlight | Applied | Rejected
"""Where an issue stands; `kind` is its name in snake_case."""

_PLAIN: Mapping[str, type[Pending] | type[InFlight]] = {"Pending": Pending, "InFlight": InFlight}
_TOLD: Mapping[str, tuple[type[Applied] | type[Rejected], str]] = {
    "Applied": (Applied, "new_version"),
    "Rejected": (Rejected, "reason"),
}


def status_json(status: IssueStatus) -> str | dict[str, dict[str, str]]:
    """Return a status as data, as the seeds write it: `"InFlight"`, `{"Applied": {"new_version": "..."}}`."""
    name = type(status).__name__
    return {name: asdict(status)} if name in _TOLD else name


def parse_status(value: Any) -> IssueStatus:
    """Return the status that data means; see `status_json`.

    Raises: DocumentError.
    """
    if isinstance(value, str) and value in _PLAIN:
        return _PLAIN[value]()
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, told),) = value.items()
        made, fact = _TOLD.get(name, (None, ""))
        if made and isinstance(told, Mapping) and set(told) == {fact} and isinstance(told[fact], str):
            return made(**told)
    forms = 'write "Pending", "InFlight", {"Applied": {"new_version": "..."}} or {"Rejected": {"reason": "..."}}'
    raise DocumentError([Problem(code="bad_value", message="this is no status of an issue", path="$", hint=forms)])


@frozen(kw_only=True)
class TakenIssue:
    """An issue in the hands of an owner, until its lease runs out at `until` (Unix seconds).

    `attempt` counts how often the issue was taken, from 1. Owner and attempt together tell this taking from all others.
    """

    __repr__ = shown

    issue: IssuePayload
    owner: str
    attempt: int
    until: float


# settings ----------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class PatchAgent:
    """Who writes the patches in place of the agent that the orbit Blueprint has: its kind, its spec, its profile."""

    __repr__ = shown

    kind: str
    spec: Any = None
    profile: AgentProfile | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the agent as data, what it says of itself."""
        profile = None
        if self.profile is not None:
            facts = {**asdict(self.profile), "tools": list(self.profile.tools)}
            profile = {key: value for key, value in facts.items() if value is not None}
        told = {"kind": self.kind, "spec": self.spec, "profile": profile}
        return {key: value for key, value in told.items() if value is not None}


VERIFIER_AXES = ("des", "canonical", "noop", "agent-ref")
"""What a changed Blueprint is verified for, unless a setting says otherwise."""


@frozen(kw_only=True)
class EnhanceSetting:
    """How issues are worked on: by which Blueprint in which version, for how long at most, verified for what.

    `ttl_secs` is the seconds that the work on one issue may take. `spawner` writes the patches in place of the agent
    that the Blueprint has for that. With `approval` a person is asked before a change is kept. `meta` is anyone's, any
    JSON.
    """

    __repr__ = shown

    id: str
    blueprint_id: str
    ttl_secs: int
    version: VersionSelector = field(factory=Latest)
    verifier_axes: tuple[str, ...] = VERIFIER_AXES
    spawner: PatchAgent | None = None
    approval: bool = False
    meta: Mapping[str, Any] = field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the setting as data; what the seeds do not know only where it says something."""
        ours = {"spawner": self.spawner and self.spawner.as_json(), "approval": self.approval}
        return {
            "id": self.id,
            "blueprint_id": self.blueprint_id,
            "ttl_secs": self.ttl_secs,
            "version": {"kind": self.version.kind, **asdict(self.version)},
            "verifier_axes": list(self.verifier_axes),
            **{key: value for key, value in ours.items() if value},
            "meta": dict(self.meta),
        }


# log ---------------------------------------------------------------------------------------------------------


class VerdictStatus(StrEnum):
    """What a verifier says of one axis."""

    PASS = "pass"
    DENY = "deny"


class EnhanceLogStatus(StrEnum):
    """What became of an issue."""

    APPLIED = "applied"
    REJECTED = "rejected"


@frozen(kw_only=True)
class AxisVerdict:
    """What one verifier says of a change, and why: `detail` is any JSON, mostly a sentence."""

    __repr__ = shown

    axis: str
    status: VerdictStatus
    detail: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as data."""
        return {"axis": self.axis, "status": str(self.status), "detail": self.detail}


@frozen(kw_only=True)
class EnhanceLogEntry:
    """What became of one issue, said once and for all.

    `prev_hash` and `new_hash` are versions of the Blueprint, `new_hash` is empty when the change was rejected. `ts_ms`
    is Unix milliseconds.
    """

    __repr__ = shown

    issue_id: str
    blueprint_id: str
    prev_hash: str
    new_hash: str = ""
    intent: str = ""
    rationale: str = ""
    verdicts: tuple[AxisVerdict, ...] = ()
    status: EnhanceLogStatus
    reasons: tuple[str, ...] = ()
    ts_ms: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry as data, all of its fields."""
        return {
            "issue_id": self.issue_id,
            "blueprint_id": self.blueprint_id,
            "prev_hash": self.prev_hash,
            "new_hash": self.new_hash,
            "intent": self.intent,
            "rationale": self.rationale,
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "status": str(self.status),
            "reasons": list(self.reasons),
            "ts_ms": self.ts_ms,
        }
