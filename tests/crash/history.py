"""What the crash test has seen: plain values, which the invariants judge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from crash.ledger import Line

FINAL = ("done", "failed", "cancelled")


@frozen(kw_only=True)
class Break:
    """One time that an engine, or a worker, was struck.

    From `struck` on the engine may have been stopped, at `stopped` it surely was; at `over` the next one may have begun
    to work (infinity as long as there is none). All on the monotonic clock. `frozen` is an engine that was stopped, not
    killed: its workers live on.
    """

    struck: float
    stopped: float
    over: float = float("inf")
    frozen: bool = False


@frozen(kw_only=True)
class RunSeen:
    """One run: how it stands in the end, its events now, and what was read of them before.

    `retries` are the agents whose policy grants further attempts; `wanted` are the ends that are right. `chain` is what
    the hash chain over the journal finds wrong. `ended_by` is when the run was first seen to have ended, on the
    monotonic clock. `flow` and `init_ctx` are what was submitted.
    """

    id: str
    blueprint: str
    status: str
    flow: Any
    init_ctx: Any
    retries: Collection[str] = ()
    final_ctx: Any = None
    chain: Sequence[str] = ()
    events: Sequence[Mapping[str, Any]] = ()
    read_before: Sequence[Sequence[Mapping[str, Any]]] = ()
    wanted: Sequence[str] = ("done",)
    ended_by: float | None = None
    key: str | None = None

    def addresses(self) -> dict[str, str]:
        """Return the step address of each task."""
        return {event["task_id"]: event["address"] for event in self.events if event["kind"] == "task_created"}

    def may_retry(self, address: str) -> bool:
        """Tell whether a step may be tried again, by the agent that the flow names at its address.

        Not by the events: a kill may have come before the beginning of a step was written down. Only a task that a
        worker started stands nowhere in the flow; of one that is not on record either nobody can tell.
        """
        node = self.flow
        for piece in address.strip("/").split("/"):
            name = piece.partition("@")[0].replace("lane", "body")
            below = node.get("children", []) if name.isdigit() else node.get(name)
            node = dict(enumerate(below)).get(int(name)) if name.isdigit() else below
            if not isinstance(node, Mapping):
                return self._agents().get(address) in (None, *self.retries)
        return node.get("ref") in self.retries

    def was_asking(self, address: str, attempt: int) -> bool:
        """Tell whether an attempt of a step asked, and its run was let go of in order before the attempt had ended."""
        tasks = {task for task, at in self.addresses().items() if at == address}
        own = [event for event in self.events if event.get("task_id") in tasks and event.get("attempt") == attempt]
        if not own or own[-1]["kind"] not in ("senior_queried", "task_suspended"):
            return False
        after = [event["kind"] for event in self.events if event["seq"] > own[-1]["seq"]]
        return "run_waiting" in after[: after.index("run_resumed")] if "run_resumed" in after else False

    def _agents(self) -> dict[str, str]:
        return {event["address"]: event["agent"] for event in self.events if event["kind"] == "task_created"}

    def ends(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the ends of tasks in order, each with its step address."""
        addresses = self.addresses()
        kinds = ("task_pass", "task_blocked", "task_cancelled")
        return [(addresses.get(event["task_id"], "?"), event) for event in self.events if event["kind"] in kinds]


@frozen(kw_only=True)
class History:
    """All that was seen of one project.

    `given` are the answers that somebody tried to give, by the key of the question, `kept` those that were told to
    count, `answers` those that the store has. `acknowledged` are the run ids that a submit printed, each with the
    idempotency key of the submit. `survivors` are processes that should be gone; `engines` are the process ids of
    engines, whose functions are workers, too.
    """

    runs: Sequence[RunSeen]
    lines: Sequence[Line] = ()
    breaks: Sequence[Break] = ()
    given: Mapping[str, Sequence[Any]] = field(factory=dict)
    kept: Sequence[tuple[str, Any]] = ()
    answers: Mapping[str, Any] = field(factory=dict)
    acknowledged: Sequence[tuple[str | None, str]] = ()
    integrity: Sequence[str] = ()
    survivors: Sequence[Line] = ()
    engines: Collection[int] = ()
