"""What workers say, kept as it comes and found again: by reference, or by the agent that said it last."""

from __future__ import annotations

from collections.abc import Sequence

from swarm_core.engine.finals import Finals
from swarm_core.engine.parts import Parts
from swarm_core.engine.state import Attempt, RunRecord
from swarm_core.errors import OutputNotFound, StoreError
from swarm_core.model.output import OutputEvent, OutputRecord

_REFERENCE = "out-"


class Outputs:
    """The output store, with the answers that wait to be written to it."""

    def __init__(self, parts: Parts, finals: Finals) -> None:
        self._state, self._store, self._finals = parts.state, parts.outputs, finals

    async def of_all(self, key: str) -> OutputRecord:
        """Return an output by reference, else the newest of an agent, over all runs; raises OutputNotFound."""
        await self._finals.write()
        if key.startswith(_REFERENCE):
            return await self._store.get(key)
        return await self._store.get_latest_by_name(key)

    async def of_run(self, run: RunRecord, key: str) -> OutputRecord:
        """Return an output of one run as `of_all` does; one of another run is not found."""
        try:
            found = await self.of_all(key)
        except OutputNotFound:
            found = None
        if found is not None and found.run_id == run.id:
            return found
        if not key.startswith(_REFERENCE):
            found = await self._newest(run, key)
            if found is not None:
                return found
        raise OutputNotFound(key)

    async def check_parents(self, run_id: str, refs: Sequence[str]) -> None:
        """Raise OutputNotFound unless all of these are outputs of one run."""
        for ref in refs:
            if (await self._store.get(ref)).run_id != run_id:
                raise OutputNotFound(ref)

    async def keep(self, attempt: Attempt, event: OutputEvent, parent_refs: Sequence[str]) -> str:
        """Keep an output of a live attempt now, not at the attempt's end, and return its reference."""
        task, context = attempt.task, attempt.context
        assert context is not None
        context.outside.note_kept(event)
        try:
            return await self._store.append(
                run_id=task.run.id if task.run else "",
                task_id=task.id,
                attempt=attempt.number,
                producer_agent=task.agent,
                event=event,
                parent_refs=parent_refs,
            )
        except StoreError:
            context.outside.forget_kept(event)
            raise

    async def _newest(self, run: RunRecord, agent: str) -> OutputRecord | None:
        """Return what an agent of a run said last, as far as its tasks are known here."""
        known = [self._state.tasks.get(task_id) for task_id in (*run.finished, *run.live)]
        for task in sorted(
            (task for task in known if task is not None), key=lambda task: task.updated_at, reverse=True
        ):
            for attempt in range(task.attempt, 0, -1) if task.agent == agent else ():
                records = await self._store.list_for_attempt(task.id, attempt)
                if records:
                    return records[-1]
        return None
