"""Whoever writes to a run's journal goes on with its chain: engines, their successors, sweeps, reruns, cancels."""

import asyncio

import pytest

from swarm_core import Swarm
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.codec.row_text import parted
from swarm_core.errors import RunLost
from swarm_core.history import History
from swarm_core.model.run import RunChange, RunWrite
from swarm_core.model.task import RunStatus


def step(ref, n):
    return {"kind": "step", "ref": ref, "in": {"op": "lit", "value": n}, "out": {"op": "path", "at": f"$.s{n}"}}


def blueprint(*refs):
    agents = [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in dict.fromkeys(refs)]
    flow = {"kind": "seq", "children": [step(ref, n) for n, ref in enumerate(refs)]}
    return {"schema_version": "0.1.0", "id": "chained", "flow": flow, "agents": agents}


class Team:
    """A worker that works, one that stays until it is let go, one that asks, one that says much."""

    def __init__(self):
        self.go, self.here = asyncio.Event(), asyncio.Event()

    @property
    def functions(self):
        return {"work": self.work, "stays": self.stays, "asks": self.asks, "much": self.much}

    async def work(self, n):
        return n

    async def stays(self, n):
        self.here.set()
        await self.go.wait()
        return n

    async def asks(self, call):
        return await call.context.ask("well?")

    async def much(self, n):
        return "x" * 100_000


@pytest.fixture
def team():
    return Team()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request, tmp_path, team):
    """Open a swarm on a store that stays when it is closed."""
    store = MemoryRunStore() if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"

    def open_swarm(**options):
        return Swarm.open(plugins=(), functions=team.functions, store=store, **options)

    return open_swarm


def history_of(swarm):
    return History(swarm.store, swarm.outputs)


async def chain_of(opened, run_id, **options):
    async with opened() as swarm:
        return await history_of(swarm).chain(run_id, **options)


async def stopped(opened, team):
    """Return the id of a run that was stopped at its second step, and went on twice, without an end."""
    async with opened() as swarm:
        launched = await swarm.launch(blueprint("work", "stays", "work"))
        await asyncio.wait_for(team.here.wait(), 10)
    team.here.clear()
    async with opened() as swarm:
        await swarm.resume(launched.id)
        await asyncio.wait_for(team.here.wait(), 10)
    return launched.id


async def test_a_run_that_was_stopped_and_resumed_twice_has_one_chain(opened, team):
    run_id = await stopped(opened, team)
    between = await chain_of(opened, run_id)
    team.go.set()
    async with opened() as swarm:
        result = await (await swarm.resume(run_id)).wait()

    chain = await chain_of(opened, run_id, head=between.link)

    assert ("done", True, True) == (result.status, between.whole, chain.whole), chain.findings


async def test_each_row_has_a_link(opened, team):
    team.go.set()
    async with opened() as swarm:
        launched = await swarm.launch(blueprint("work", "stays", "much"))
        await launched.wait()
        rows = await swarm.store.rows(launched.id)

    assert None not in {parted(row.body)[1] for row in rows}


async def test_a_rerun_has_a_chain_of_its_own_over_what_it_shares(opened, team):
    async with opened() as swarm:
        first = await swarm.launch(blueprint("much", "work"))
        await first.wait()
        second = await swarm.rerun(first.id, ["/1"])
        await second.wait()

    one, two = await chain_of(opened, first.id), await chain_of(opened, second.id)

    assert (True, True) == (one.whole, two.whole), two.findings
    assert one.link != two.link


async def test_a_migrated_run_goes_on_with_its_chain(opened, team):
    run_id = await stopped(opened, team)
    async with opened() as swarm:
        plan = await swarm.plan_migration(run_id, blueprint("work", "work"))
        await swarm.migrate(plan)
    between = await chain_of(opened, run_id)
    async with opened() as swarm:
        await (await swarm.resume(run_id)).wait()

    chain = await chain_of(opened, run_id)

    assert (True, True) == (between.whole, chain.whole), (between.findings, chain.findings)


async def test_a_migration_that_came_too_late_is_in_the_chain(opened, team):
    run_id = await stopped(opened, team)
    async with opened() as swarm:
        plan = await swarm.plan_migration(run_id, blueprint("work", "work"))
    team.here.clear()
    async with opened() as swarm:
        await swarm.resume(run_id)
        await asyncio.wait_for(team.here.wait(), 10)
    async with opened() as swarm:
        with pytest.raises(RunLost):
            await swarm.migrate(plan)

    chain = await chain_of(opened, run_id)

    assert chain.whole, chain.findings


async def test_a_run_that_waited_for_its_answer_goes_on_with_its_chain(opened, team):
    async with opened() as swarm:
        launched = await swarm.launch(blueprint("work", "asks"))
        await asyncio.wait_for(launched.wait(or_waiting=True), 10)
    async with opened() as swarm:
        (question,) = await swarm.store.questions(launched.id)
        await swarm.answer(question.key, "yes")
        await (await swarm.resume(launched.id)).wait()

    chain = await chain_of(opened, launched.id)

    assert ("done", True) == (chain.status, chain.whole), chain.findings


async def test_a_run_that_was_cancelled_while_nobody_held_it_ends_with_its_chain(opened, team):
    run_id = await stopped(opened, team)
    async with opened() as swarm:
        await history_of(swarm).ask_cancel(run_id, "somebody")

    chain = await chain_of(opened, run_id)

    assert ("cancelled", True) == (chain.status, chain.whole), chain.findings


async def test_a_run_whose_engine_is_gone_is_marked_in_its_chain(opened, team):
    run_id = await stopped(opened, team)
    async with opened() as swarm:  # as a kill leaves it
        run = await swarm.store.get(run_id)
        change = RunChange(updated_at=1.0, status=RunStatus.RUNNING)
        await swarm.store.commit([RunWrite(run_id=run_id, epoch=run.epoch, change=change)])
    async with opened() as swarm:
        events = [event.kind for event in await history_of(swarm).events(run_id)]

    chain = await chain_of(opened, run_id)

    assert ["run_interrupted", "run_interrupted"] == events[-2:]
    assert (RunStatus.INTERRUPTED, True) == (chain.status, chain.whole), chain.findings


async def test_a_run_keeps_its_chain_when_it_is_carried_elsewhere(opened, team):
    async with opened() as swarm:
        launched = await swarm.launch(blueprint("work", "much"))
        await launched.wait()
        history = history_of(swarm)
        lines = [line.encode() async for line in history.export(launched.id)]
        before = await history.chain(launched.id)
    async with Swarm.open(plugins=(), store=MemoryRunStore()) as swarm:
        elsewhere = history_of(swarm)
        await elsewhere.import_(lines)

        chain = await elsewhere.chain(launched.id, head=before.link)

    assert chain.whole, chain.findings


async def test_a_large_value_that_is_another_now_is_found(tmp_path, team):
    file = tmp_path / "runs.db"
    async with Swarm.open(plugins=(), functions=team.functions, store=f"sqlite:///{file}") as swarm:
        launched = await swarm.launch(blueprint("work", "much"))
        await launched.wait()
        history = history_of(swarm)
        whole = await history.chain(launched.id)
        await swarm.outputs.forget_run(launched.id)

        chain = await history.chain(launched.id)

    assert whole.whole
    assert ["value"] == [finding.code for finding in chain.findings]
