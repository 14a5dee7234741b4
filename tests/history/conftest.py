"""Stores with runs in them that were written event by event, as an engine would have left them."""

from hashlib import sha256

import pytest
from attrs import evolve, frozen

from swarm_core.engine.clock import SystemClock
from swarm_core.engine.offload import pack_entries, pack_text
from swarm_core.engine.owners import this_owner
from swarm_core.engine.rows import encode_entries
from swarm_core.history import History, open_history
from swarm_core.model.run import JournalRow, Question, RunChange, RunWrite, StoredRun
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.settings import Settings

BLUEPRINT = '{"flow":{"children":[],"kind":"seq"},"id":"kept","schema_version":"0.1.0"}'
HASH = sha256(BLUEPRINT.encode()).hexdigest()


class Told:
    """What happened, as events without numbers and times: (kind, task, attempt, facts)."""

    started = ("run_started", None, None, {"blueprint": "kept", "blueprint_hash": HASH})

    @staticmethod
    def begun(task="T-1", agent="writer", address="/children[0]", **facts):
        """Return the events of a task that is under way."""
        created = {"agent": agent, "address": address, "depth": 0, "input_digest": None, "parent": None, **facts}
        return [("task_created", task, None, created), ("task_attempt_started", task, 1, {"agent": agent})]

    def passed(self, task="T-1", result="fine", **facts):
        """Return the events of a task that has passed."""
        end = {"result": result}
        return [
            *self.begun(task, **facts),
            ("task_attempt_completed", task, 1, {"ok": True, **end}),
            ("task_pass", task, 1, end),
        ]

    def asked(self, task="T-1", key="R-senior-T-1"):
        """Return the events of a task that waits for an answer."""
        return [
            *self.begun(task),
            ("senior_queried", task, 1, {"question": "which?", "key": key}),
            ("task_suspended", task, 1, {"key": key}),
        ]

    @staticmethod
    def ended(status="done", **facts):
        return [("run_ended", None, None, {"status": status, **facts})]

    @staticmethod
    def question(key="R-senior-T-1", run_id="RUN-a", task="T-1", **facts):
        return Question(
            key=key, run_id=run_id, task_id=task, address="/children[0]", agent="writer", question="which?",
            asked_at=1.0, **facts,
        )  # fmt: skip


@frozen
class Keeper:
    """Writes runs into a store."""

    history: History

    async def run(
        self,
        run_id="RUN-a",
        *happened,
        status=RunStatus.INTERRUPTED,
        at=1_000.0,
        result=None,
        questions=(),
        threshold=1e9,
        rows=1,
        **facts,
    ):
        """Keep a run whose events come a second after each other, in one commit or several."""
        store, outputs = self.history.store, self.history.outputs
        entries = [
            (kind, at + n, task, attempt, data)
            for n, (kind, task, attempt, data) in enumerate([Told.started, *happened])
        ]
        ctx, large = pack_text({}, threshold)
        launch = {"ctx": ctx, "bind": {}, "layer_set": "standard", "operator_id": "cli", "request": None,
                  "budget": None, "directory": None, "plugins": {}}  # fmt: skip
        over = status in FINAL_RUN_STATUSES
        run = StoredRun(
            id=run_id, blueprint_id="kept", blueprint_hash=HASH, launch=launch, status=status, created_at=at,
            updated_at=at + len(entries), ended_at=at + len(entries) if over else None, **facts
        )  # fmt: skip
        written, blobs, size = [], dict(large), -(-len(entries) // rows)
        for first in range(0, len(entries), size):
            part = entries[first : first + size]
            body, more = pack_entries(part, threshold)
            blobs |= more
            written.append(JournalRow(run_id=run_id, first_seq=first + 1, last_seq=first + len(part), body=body))
        text = None
        if result is not None:
            text, more = pack_text(result, threshold)
            blobs |= more
        if blobs:
            await outputs.keep(run_id, blobs)
        change = RunChange(updated_at=run.updated_at, result=text)
        write = RunWrite(run_id=run_id, epoch=run.epoch, create=run, blueprints={HASH: BLUEPRINT}, rows=tuple(written),
                         change=change, opened=tuple(questions))  # fmt: skip
        assert {} == await store.commit([write])
        return await store.get(run_id)

    async def append(self, run, seq, happened, **change):
        """Write more of a run, as its owner does."""
        entries = [(kind, 5.0, task, attempt, data) for kind, task, attempt, data in happened]
        row = JournalRow(run_id=run.id, first_seq=seq, last_seq=seq + len(entries) - 1, body=encode_entries(entries))
        facts = {"change": RunChange(updated_at=5.0, **change)} if change else {}
        return await self.history.store.commit([RunWrite(run_id=run.id, epoch=run.epoch, rows=(row,), **facts)])

    async def owner(self, name="E-1", **facts):
        """Enlist an owner that lives, unless `facts` say otherwise."""
        owner = evolve(this_owner(name, SystemClock()), **facts)
        await self.history.store.enlist(owner)
        return owner

    async def dead_owner(self, name="E-dead"):
        return await self.owner(name, boot="another boot of this machine")


@pytest.fixture(params=["memory", "sqlite"])
async def history(request, tmp_path):
    """An empty store, and what can be asked of it."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"
    async with open_history(Settings(), url) as opened:
        yield opened


@pytest.fixture
def keep(history):
    return Keeper(history)


@pytest.fixture
def told():
    return Told()
