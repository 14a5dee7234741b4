"""What of a run's record is still of use when the run goes on with another Blueprint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from swarm_core.engine.digest import Digests
from swarm_core.engine.program import Program
from swarm_core.engine.recorded import Recorded, RecordedTask, answer_of
from swarm_core.errors import FlowError

_QUIET = 0.05
"""Seconds without a step being asked for, after which all lanes wait for steps that must be run."""


@frozen(kw_only=True)
class StepNote:
    """One recorded step, or one that is to come: its address, its agent, and why it is where it is."""

    address: str
    agent: str
    reason: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the note as data."""
        return {"address": self.address, "agent": self.agent, "reason": self.reason}


@frozen(kw_only=True)
class Verdict:
    """What becomes of the recorded steps: kept, run again, or without a place in the new flow.

    `void` has the addresses whose record counts no more; a step that was under way, and is still the same, goes on.
    `ended` tells that the new flow comes to its end on the record alone, `failure` why it fails on it.
    """

    kept: tuple[StepNote, ...] = ()
    again: tuple[StepNote, ...] = ()
    dropped: tuple[StepNote, ...] = ()
    void: tuple[str, ...] = ()
    ended: bool = False
    failure: str | None = None


async def judge(program: Program, ctx: Any, recorded: Recorded) -> Verdict:
    """Evaluate a program's flow on what is recorded, without running anything, and tell what of it can be used.

    A recorded result is used where the new flow asks at the same address for the same agent with the same input.
    """
    trial = _Trial(recorded)
    driver = asyncio.get_running_loop().create_task(trial.run(program, ctx))
    clock = asyncio.get_running_loop().time
    trial.last = clock()
    while clock() - trial.last < _QUIET:
        await asyncio.wait([driver], timeout=_QUIET / 10)
        if driver.done():
            break
    driver.cancel()
    with suppress(asyncio.CancelledError):
        await driver
    return trial.verdict()


class _Trial:
    """One evaluation in which only what is recorded is answered."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded, self._digests = recorded, Digests()
        self._kept: dict[str, RecordedTask] = {}
        self._again: dict[str, StepNote] = {}
        self._same: set[str] = set()
        self._ended, self._failure = False, ""
        self.last = 0.0

    async def run(self, program: Program, ctx: Any) -> None:
        try:
            await program.flow.run(ctx, self._step, program.externs, limits=program.limits, plain_answers=True)
        except FlowError as error:
            self._failure = str(error)
        else:
            self._ended = True

    async def _step(self, agent: str, input: Any, address: str) -> Any:
        self.last = asyncio.get_running_loop().time()
        task = self._recorded.tasks.get(address)
        if task is None or task.parent is not None:
            return await _for_ever()
        reason = self._reason(task, agent, input)
        if reason or task.outcome is None:
            if not reason:
                self._same.add(address)
            if reason or not task.given_up:
                self._again[address] = StepNote(address=address, agent=agent, reason=reason or "it was under way")
            return await _for_ever()
        self._kept[address] = task
        assert task.outcome is not None
        return answer_of(task.outcome)

    def _reason(self, task: RecordedTask, agent: str, input: Any) -> str:
        if task.agent != agent:
            return f"it was for agent {task.agent!r}"
        return "" if task.digest == self._digests.of(input) else "it gets another input"

    def verdict(self) -> Verdict:
        steps = self._recorded.steps
        gone = [step for step in steps if step.address not in self._kept and step.address not in self._again]
        return Verdict(
            kept=tuple(StepNote(address=step.address, agent=step.agent) for step in self._kept.values()),
            again=tuple(self._again.values()),
            dropped=tuple(
                StepNote(address=step.address, agent=step.agent, reason="the new flow does not come by it yet")
                for step in gone
                if step.outcome is not None
            ),
            void=tuple(step.address for step in steps if step.address not in self._kept.keys() | self._same),
            ended=self._ended,
            failure=self._failure or None,
        )


async def _for_ever() -> Any:
    return await asyncio.get_running_loop().create_future()


@frozen(kw_only=True, eq=False)
class Migration:
    """What a migration of a run would do; `blueprint` is the new Blueprint as canonical JSON, `digest` its hash."""

    run_id: str
    epoch: int
    last_seq: int
    blueprint_id: str
    blueprint: str
    digest: str
    before: str
    verdict: Verdict
    launch: Mapping[str, Any] = field(factory=dict)

    @property
    def kept(self) -> tuple[StepNote, ...]:
        """Return the steps whose results stay valid."""
        return self.verdict.kept

    @property
    def again(self) -> tuple[StepNote, ...]:
        """Return the steps that are run again."""
        return self.verdict.again

    @property
    def dropped(self) -> tuple[StepNote, ...]:
        """Return the steps that have no place in the new flow, as far as it can be gone over."""
        return self.verdict.dropped

    @property
    def ended(self) -> bool:
        """Tell whether the new flow comes to its end on what is recorded alone."""
        return self.verdict.ended

    @property
    def failure(self) -> str | None:
        """Return why the new flow fails on what is recorded, None when it does not."""
        return self.verdict.failure

    def as_json(self) -> dict[str, Any]:
        """Return the plan as data."""
        parts = {"kept": self.kept, "again": self.again, "dropped": self.dropped}
        notes = {name: [note.as_json() for note in part] for name, part in parts.items()}
        return {"run_id": self.run_id, "from": self.before, "to": self.digest, **notes}
