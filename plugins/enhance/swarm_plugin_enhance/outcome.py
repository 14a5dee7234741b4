"""What came of one issue that was taken."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from swarm_core.model.shown import shown

APPLIED, REJECTED, WAITING, HELD, LOST = "applied", "rejected", "waiting", "held", "lost"


@frozen(kw_only=True)
class TickOutcome:
    """What came of one issue that was taken.

    `status` is `applied`, with `new_version`; `rejected`, with `reason`; `waiting` for the answers to `questions`;
    `held`, when a living engine carries its run out; `lost`, when somebody else took it up meanwhile. `worked` tells
    whether anything was done for it just now.
    """

    __repr__ = shown

    issue_id: str
    blueprint_id: str
    status: str
    new_version: str | None = None
    reason: str | None = None
    run_id: str | None = None
    questions: tuple[str, ...] = ()
    worked: bool = field(default=True, eq=False)

    @property
    def ended(self) -> bool:
        """Tell whether the issue is done with."""
        return self.status in (APPLIED, REJECTED)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as data."""
        return {
            "issue_id": self.issue_id,
            "blueprint_id": self.blueprint_id,
            "status": self.status,
            "new_version": self.new_version,
            "reason": self.reason,
            "run_id": self.run_id,
            "questions": list(self.questions),
        }
