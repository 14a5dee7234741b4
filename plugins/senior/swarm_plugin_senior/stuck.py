"""What a worker could not do: how it is told to seniors, and how it is remembered while they think."""

from __future__ import annotations

from typing import Any, Self

from attrs import field, frozen

from swarm_core.errors import SpawnFailed, WorkerFailed
from swarm_core.model.call import EMPTY, Result
from swarm_core.model.value import NotJson, json_copy

NOT_OK = "worker reported ok=false"
FAILED = "worker failed"


@frozen(kw_only=True)
class Stuck:
    """One end of an attempt that a senior is asked about.

    `value` is what the worker said, or of an error its kind and message; `facts` are those of the result. `error` is
    what is raised when nobody answers. `round` counts the escalations of the task, `passed` the seniors who had no
    answer before people were asked.
    """

    round: int
    passed: int = 0
    reason: str
    value: Any
    facts: Any = field(factory=dict)
    error: Exception | None = None

    @classmethod
    def by_result(cls, result: Result, round: int) -> Self:
        """Return what a result says; raises NotJson, when it is none that an engine would take."""
        return cls(round=round, reason=NOT_OK, value=json_copy(result.value), facts=_kept(result.facts))

    @classmethod
    def by_error(cls, error: Exception, round: int) -> Self:
        """Return what an error says."""
        kind = error.kind if isinstance(error, WorkerFailed) else type(error).__name__
        value = {"kind": kind, "message": str(error)[:4096]}
        return cls(round=round, reason=FAILED, value=value, error=error)

    @classmethod
    def remembered(cls, memory: Any) -> Self:
        """Return what was remembered; an error is then one with the same kind and message."""
        kept = dict(memory)
        if kept["reason"] == FAILED:
            refused, message = kept.pop("refused"), kept["value"]["message"]
            kept["error"] = SpawnFailed(message) if refused else WorkerFailed(message, kind=kept["value"]["kind"])
        return cls(**kept)

    def as_json(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        known = {"round": self.round, "passed": self.passed, "reason": self.reason}
        known |= {"value": self.value, "facts": self.facts}
        return known if self.error is None else {**known, "refused": isinstance(self.error, SpawnFailed)}

    @property
    def question(self) -> dict[str, Any]:
        """What seniors are asked."""
        return {"reason": self.reason, "value": json_copy(self.value)}

    def answered(self, answer: Any) -> Result:
        """Return the result with a senior's answer."""
        return Result({"original": self.value, "senior_answer": answer}, True, self.facts or EMPTY)


def _kept(facts: Any) -> Any:
    try:
        return json_copy(dict(facts))
    except NotJson:
        return {}
