"""The real engine in virtual time, killed before and after its commits, on a store that stays; one seed, one trace.

The turns of the loop are not shuffled here: that lanes get their results in recorded order rests on asyncio's promise
that callbacks are called in the order in which they became due.
"""

import asyncio
import random
from collections import defaultdict

import pytest

from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.offload import read_rows
from swarm_core.engine.program import Pinned, Program
from swarm_core.engine.recorded import read_events
from swarm_core.errors import RunNotFound
from swarm_core.flow import compile_flow
from swarm_core.model.call import Result
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.run import Owner
from swarm_core.model.task import FINAL_RUN_STATUSES, RunStatus
from swarm_core.settings import EngineSettings
from swarm_core.testing import SimulatedClock, simulate

SEEDS = range(60)
MOST_LIVES = 40
EPOCH = 1_800_000_000.0
DAY = 86_400.0


def path(at):
    return {"op": "path", "at": at}


def step(ref, out, value=None):
    return {"kind": "step", "ref": ref, "in": value or path("$.item"), "out": path(out)}


def lanes(join, body, out):
    return {"kind": "fanout", "items": path("$.items"), "bind": path("$.item"), "join": join, "out": path(out),
            "max_concurrency": 3, "body": body}  # fmt: skip


def caught(body, at):
    return {"kind": "try", "body": body, "catch": {"kind": "let", "at": at, "value": {"op": "lit", "value": "?"}}}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


FLOW = seq(
    step("chained", "$.a", path("$")),
    lanes("all_settled", seq(caught(step("flaky", "$.b"), "$.b"), step("parent", "$.c")), "$.lanes"),
    {"kind": "loop", "counter": path("$.n"), "max": 3, "cond": {"op": "lit", "value": True},
     "body": step("chained", "$.a", path("$.a"))},
    lanes("race", step("slow", "$.b"), "$.first"),
    lanes("any", step("flaky", "$.b"), "$.some"),
    caught(step("asking", "$.e"), "$.e"),
    step("chained", "$.end", path("$.a")),
)  # fmt: skip


class World:
    """What outlives every engine: the store, what workers did, and what was seen of the run."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.store = MemoryRunStore()
        self.run_id = None
        self.starts = defaultdict(int)
        self.recorded = set()
        self.repeated = []
        self.seen = []
        self.keys = defaultdict(set)
        self.lives = 0
        self.now = EPOCH

    async def work(self, call):
        self.starts[call.address] += 1
        self.keys[call.address].add(call.idempotency_key)
        if call.address in self.recorded:
            self.repeated.append(call.address)
        return await getattr(self, call.agent)(call)

    async def chained(self, call):
        await asyncio.sleep(self.chance.choice([0, 0, 0.5]))
        return Result({"of": call.input, "at": call.address})

    async def flaky(self, call):
        await asyncio.sleep(self.chance.choice([0, 0.1, 1]))
        if self.chance.random() < 0.3:
            raise RuntimeError("by chance")
        return Result(call.input, ok=self.chance.random() < 0.9)

    async def slow(self, call):
        await asyncio.sleep(self.chance.choice([0, 1, 4]))
        return Result(call.input)

    async def parent(self, call):
        done = [await call.context.start_child("chained", n) for n in range(2)]
        return Result([result.value["at"] for result in done])

    async def asking(self, call):
        first = await call.context.ask("well?", timeout=500)
        return Result([first, await call.context.ask("really?", timeout=5, default="no")])


class Killed:
    """A store whose engine dies before or after the n-th commit: what it does then is never heard of again."""

    def __init__(self, inner, at, after):
        self._inner, self._left, self._after = inner, at, after
        self.dead = asyncio.get_running_loop().create_future()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def commit(self, writes):
        self._left -= 1
        if self._left > 0:
            return await self._inner.commit(writes)
        if self._left == 0 and self._after:
            await self._inner.commit(writes)
        if not self.dead.done():
            self.dead.set_result(None)
        return await asyncio.get_running_loop().create_future()


async def one_life(world):
    """Open an engine on the store, begin or resume the run, and go on until it ends or the engine is killed."""
    world.lives += 1
    loop, life = asyncio.get_running_loop(), world.lives
    clock = SimulatedClock(loop, epoch=world.now)
    last = life >= MOST_LIVES
    kills_at = 10**9 if last else world.chance.randint(1, 12)
    store = Killed(world.store, kills_at, world.chance.random() < 0.5)
    me = f"E-{life}"
    owner = Owner(id=me, host=f"host-{life}", pid=1, boot=None, started=None, seen_at=world.now, seen_mono=0.0)
    chance = random.Random(world.chance.random())
    engine = Engine(
        outputs=world.store.outputs,
        runs=store,
        owner=owner,
        settings=EngineSettings(cancel_grace=1.0, lease=30.0, offload_threshold=200),
        clock=clock,
        rng=chance,
        random_bytes=chance.randbytes,
    )
    retry = Retry(max_attempts=2, backoff=0.5, max_backoff=2.0, on=frozenset({"failed"}))
    program = Program(
        blueprint_id="sim", flow=compile_flow(FLOW), run=world.work, policies={"flaky": AgentPolicy(retry=retry)}
    )
    alive = asyncio.ensure_future(_live(world, engine, program, chance))
    await asyncio.wait([alive, store.dead], return_when=asyncio.FIRST_COMPLETED)
    world.now = clock.time() + DAY  # by then its lease is over
    if not store.dead.done():
        alive.result()
        await engine.close()


async def _live(world, engine, program, chance):
    if world.run_id is None or not await _is_there(world):
        pinned = Pinned(blueprint="{}", digest="0" * 64, launch={})
        run = engine.launch(program, {"items": [1, 2, 3, 4], "item": 0}, pinned=pinned)
        world.run_id = run.id
        await engine.committed(run)
    else:
        await engine.holding.sweep()
        claimed, events = await engine.holding.claim(world.run_id)
        world.seen = [facts(event) for event in events]
        run = engine.go_on(await engine.holding.past_of(claimed, events), program, {"items": [1, 2, 3, 4], "item": 0})
    following = asyncio.ensure_future(_follow(world, engine, run))
    answering = asyncio.ensure_future(_answer(engine, world.store, chance))
    await engine.wait(run.id)
    await following
    answering.cancel()


def facts(event):
    return (event.seq, event.kind, event.task_id, event.time)


async def _is_there(world):
    try:
        await world.store.get(world.run_id)
    except RunNotFound:
        return False
    return True


async def _follow(world, engine, run):
    async for event in engine.follow(run.id, len(world.seen) + 1):
        world.seen.append(facts(event))


async def _answer(engine, store, chance):
    while True:
        await asyncio.sleep(chance.choice([0.5, 5, 60]))
        for question in await store.questions(open_only=True):
            await engine.answer(question.key, "yes")


@pytest.mark.parametrize("seed", SEEDS)
def test_p1_p3_a_run_that_is_killed_at_any_commit_goes_on_where_it_was(seed):
    world = World(seed)
    stored = None
    while stored is None or stored.status not in FINAL_RUN_STATUSES:
        simulate(lambda: one_life(world), seed=seed + world.lives, shuffled=False)
        stored, events = simulate(lambda: what_is_stored(world))
        if stored is not None:
            check_journal(world, events, ended=stored.status in FINAL_RUN_STATUSES)
        assert world.lives <= MOST_LIVES, (stored, events[-3:])

    assert RunStatus.DONE == stored.status
    assert [] == world.repeated
    assert all(1 == len(keys) for keys in world.keys.values())


async def what_is_stored(world):
    try:
        stored, rows = await world.store.get(world.run_id), await world.store.rows(world.run_id)
    except RunNotFound:
        return None, []
    return stored, list(await read_rows(rows, world.store.outputs.load))


def check_journal(world, events, *, ended):
    """P5: no hole, no second end, and what was seen before is a prefix of what is there now."""
    assert list(range(1, len(events) + 1)) == [event.seq for event in events]
    now = [facts(event) for event in events]
    assert world.seen == now[: len(world.seen)]
    ends = [event.seq for event in events if event.kind == "run_ended"]
    assert ends == ([len(events)] if ended else [])
    recorded = read_events(events)
    world.recorded = {task.address for task in recorded.tasks.values() if task.outcome is not None}
