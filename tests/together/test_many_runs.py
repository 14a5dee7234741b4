"""Many runs on one store: what waits costs no memory, and nothing is left of what has ended."""

import asyncio
import gc
import os
import threading
from pathlib import Path

import pytest

from swarm_core import Swarm
from swarm_core.model.run import RunFilter
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings, Settings

KIB = 1024
PAGE = os.sysconf("SC_PAGE_SIZE")

STEP = {"kind": "step", "ref": "worker", "in": {"op": "path", "at": "$"}, "out": {"op": "path", "at": "$.out"}}


def blueprint(kind, **spec):
    agent = {"name": "worker", "kind": kind, "spec": spec}
    return {"schema_version": "0.1.0", "id": "many", "flow": STEP, "agents": [agent]}


async def work(input):
    return "done"


def memory():
    """Return the bytes that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def zombies():
    me = str(os.getpid())
    stats = (path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat") if path.exists())
    return sum(1 for fields in stats if fields[0] == "Z" and fields[1] == me)


@pytest.fixture
def store(tmp_path):
    return f"sqlite:///{tmp_path / 'runs.db'}?durability=relaxed"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_p38_ten_thousand_runs_leave_nothing_behind(store, tmp_path):
    async def runs(swarm, prepared, count):
        for _ in range(count):
            result = await (await swarm.launch(prepared, init_ctx={})).wait()
            assert RunStatus.DONE == result.status

    settings = Settings(engine=EngineSettings(finished_runs_kept=10))
    async with Swarm.open(settings, plugins=(), functions={"work": work}, store=store) as swarm:
        prepared = swarm.prepare(blueprint("function", fn_id="work"))
        await runs(swarm, prepared, 2_000)
        before = (descriptors(), zombies(), len(asyncio.all_tasks()))
        held = memory()
        await runs(swarm, prepared, 10_000)
        after = (descriptors(), zombies(), len(asyncio.all_tasks()))
        threads = threading.active_count()
        grown = memory() - held

    assert before == after
    assert threads <= 2  # a slow disk lets the store start its one writer
    assert grown < 10_000 * KIB
    assert {"runs.db"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_p17_ten_thousand_runs_that_wait_cost_no_memory_and_go_on_once_each(store):
    document, count = blueprint("ask"), 10_000
    async with Swarm.open(plugins=(), store=store) as swarm:
        prepared = swarm.prepare(document)
        first = [await swarm.launch(prepared, init_ctx={"n": n}) for n in range(50)]
        await asyncio.gather(*(launched.wait(or_waiting=True) for launched in first))
        idle = memory()
        for begun in range(50, count, 500):
            more = [await swarm.launch(prepared, init_ctx={"n": n}) for n in range(begun, min(begun + 500, count))]
            await asyncio.gather(*(launched.wait(or_waiting=True) for launched in more))
        held = memory() - idle
        in_memory = len(swarm.engine.state.runs)

    async with Swarm.open(plugins=(), store=store) as swarm:
        restarted = len(swarm.engine.state.runs)
        for question in await swarm.store.questions(open_only=True):
            await swarm.store.answer(question.key, "yes", by="ann", at=1.0)
        done = 0
        waiting = [run.id for run in await swarm.store.runs(RunFilter(statuses=(RunStatus.WAITING,), limit=count))]
        for at in range(0, count, 500):
            resumed = [await swarm.resume(run_id) for run_id in waiting[at : at + 500]]
            results = await asyncio.gather(*(launched.wait() for launched in resumed))
            done += sum(1 for result in results if result.final_ctx["out"] == "yes")

    assert held < 60 * KIB * KIB
    assert (0, 0) == (in_memory, restarted)
    assert (count, count) == (len(waiting), done)
