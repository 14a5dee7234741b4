"""The real engine in virtual time: shuffled turns, failing, late, deaf and asking workers; one seed, one trace."""

import asyncio
import random
from collections import defaultdict

import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.flow import compile_flow
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.task import FINAL_STATUSES, RunStatus
from swarm_core.settings import EngineSettings
from swarm_core.testing import SimulatedClock, simulate

SEEDS = range(60)
MOST_ATTEMPTS = 3


def path(at):
    return {"op": "path", "at": at}


def step(ref, out):
    return {"kind": "step", "ref": ref, "in": path("$.item"), "out": path(out)}


def noted(at):
    return {"kind": "let", "at": at, "value": {"op": "lit", "value": "caught"}}


FLOW = {
    "kind": "seq",
    "children": [
        {"kind": "fanout", "items": path("$.items"), "bind": path("$.item"), "join": "all_settled",
         "out": path("$.lanes"), "max_concurrency": 4, "body": {"kind": "seq", "children": [
             step("flaky", "$.a"),
             {"kind": "loop", "counter": path("$.n"), "max": 2, "cond": {"op": "lit", "value": True},
              "body": {"kind": "try", "body": step("slow", "$.b"), "catch": noted("$.b")}},
             step("parent", "$.c"),
         ]}},
        {"kind": "fanout", "items": path("$.items"), "bind": path("$.item"), "join": "race", "out": path("$.first"),
         "body": {"kind": "try", "body": step("slow", "$.b"), "catch": noted("$.b")}},
        {"kind": "try", "body": step("deaf", "$.d"), "catch": noted("$.d")},
        {"kind": "try", "body": step("asking", "$.e"), "catch": noted("$.e")},
    ],
}  # fmt: skip


class World:
    """Workers that misbehave by chance, and a count of the attempts of each task that are alive."""

    def __init__(self, chance):
        self.chance = chance
        self.alive = defaultdict(int)
        self.doubled = []

    async def run(self, call):
        self.alive[call.task_id] += 1
        if self.alive[call.task_id] > 1:
            self.doubled.append(call.task_id)
        try:
            return await getattr(self, call.agent)(call)
        finally:
            self.alive[call.task_id] -= 1

    async def flaky(self, call):
        await asyncio.sleep(self.chance.choice([0, 0.1, 1]))
        if self.chance.random() < 0.4:
            raise RuntimeError("by chance")
        return Result(call.input, ok=self.chance.random() < 0.9)

    async def slow(self, call):
        await asyncio.sleep(self.chance.choice([0, 1, 4, 6, 100]))
        return Result(call.input)

    async def parent(self, call):
        done = [await call.context.start_child("flaky", n) for n in range(self.chance.randint(0, 2))]
        return Result([result.value for result in done])

    async def deaf(self, call):
        for _ in range(self.chance.randint(1, 5)):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                call.context.latest  # noqa: B018 - it looks busy and goes on
        return Result("late")

    async def asking(self, call):
        return Result(await call.context.ask("well?", timeout=self.chance.choice([None, 1, 50])))


async def whole_run(seed):
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    world = World(chance)
    retry = Retry(max_attempts=MOST_ATTEMPTS, backoff=0.5, max_backoff=2.0, on=frozenset({"failed", "timeout"}))
    policies = {
        "flaky": AgentPolicy(retry=retry, concurrency=2),
        "slow": AgentPolicy(timeout=5.0),
        "deaf": AgentPolicy(timeout=3.0),
    }
    engine = Engine(
        outputs=MemoryOutputStore(random.Random(seed).getrandbits),
        settings=EngineSettings(cancel_grace=1.0),
        clock=SimulatedClock(loop),
        rng=random.Random(seed),
        random_bytes=random.Random(seed).randbytes,
    )
    async with engine:
        program = Program(blueprint_id="sim", flow=compile_flow(FLOW), run=world.run, policies=policies)
        run = engine.launch(program, {"items": list(range(6)), "item": 0})
        around = [
            asyncio.ensure_future(_answer(engine, run, chance)),
            asyncio.ensure_future(_interfere(engine, run, chance)),
        ]
        result = await engine.wait(run.id)
        for task in around:
            task.cancel()
        await asyncio.gather(*around, return_exceptions=True)
        events = run.events.read()
        tasks = engine.tasks_of(run.id)
    return world, result, events, tasks


async def _answer(engine, run, chance):
    senior = engine.attach("senior", Role.SENIOR)
    while True:
        await asyncio.sleep(chance.choice([0.5, 5, 60]))
        for task in list(run.live.values()):
            if task.suspended_on is not None:
                await engine.door.resume(senior, task.suspended_on, "yes")


async def _interfere(engine, run, chance):
    operator = engine.attach("operator")
    await asyncio.sleep(chance.choice([0, 1, 7, 1_000]))
    if run.live and chance.random() < 0.5:
        engine.door.cancel_task(operator, chance.choice(list(run.live)))
    await asyncio.sleep(chance.choice([1, 20, 1_000]))
    if chance.random() < 0.4:
        engine.cancel_run(run.id)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_ends_in_order_whatever_its_workers_do(seed):
    world, result, events, tasks = simulate(lambda: whole_run(seed), seed=seed)

    assert result.status in (RunStatus.DONE, RunStatus.FAILED, RunStatus.CANCELLED)
    assert list(range(1, len(events) + 1)) == [event.seq for event in events]
    own = [event.kind for event in events if event.kind.startswith("run_")]
    assert ["run_started", "run_ended"] == [kind for kind in own if kind != "run_waiting"]
    assert ("run_started", "run_ended") == (events[0].kind, events[-1].kind)
    assert "run_ended" == events[-1].kind
    assert {task.status for task in tasks} <= FINAL_STATUSES
    assert all(task.attempt <= MOST_ATTEMPTS for task in tasks)
    assert result.counts["tasks"] == sum(result.counts[status] for status in ("pass", "blocked", "cancelled"))
    assert _ended_once(events)
    abandoned = {event.task_id for event in events if event.kind == "worker_abandoned"}
    assert set(world.doubled) <= abandoned


def _ended_once(events):
    ends = defaultdict(int)
    for event in events:
        if event.kind in ("task_pass", "task_blocked", "task_cancelled"):
            ends[event.task_id] += 1
    begun = {event.task_id for event in events if event.kind == "task_created"}
    return set(ends) == begun and set(ends.values()) <= {1}


@pytest.mark.parametrize("seed", [1, 17, 42])
def test_the_same_seed_gives_the_same_trace(seed):
    first = simulate(lambda: whole_run(seed), seed=seed)
    second = simulate(lambda: whole_run(seed), seed=seed)

    assert [event.as_json() for event in first[2]] == [event.as_json() for event in second[2]]
    assert first[1].as_json() == second[1].as_json()


def test_other_seeds_give_other_traces():
    traces = {str([event.as_json() for event in simulate(lambda: whole_run(seed), seed=seed)[2]]) for seed in range(5)}  # noqa: B023

    assert 5 == len(traces)


def test_p16_a_jump_of_the_wall_clock_ends_no_attempt_and_revives_no_token():
    async def jumping():
        clock = SimulatedClock(asyncio.get_running_loop())
        async with Engine(outputs=MemoryOutputStore(), clock=clock) as engine:
            token = engine.attach("ada", ttl=60)

            async def patient(call):
                await asyncio.sleep(20)
                return Result("done")

            policies = {"worker": AgentPolicy(timeout=30.0)}
            flow = compile_flow({"kind": "step", "ref": "worker", "in": path("$"), "out": path("$.out")})
            run = engine.launch(Program(blueprint_id="jump", flow=flow, run=patient, policies=policies), {})
            for jump in (3600, -86400, 10 * 365 * 86400):
                await asyncio.sleep(1)
                clock.jump(jump)
            engine.door.heartbeat(token)
            result = await engine.wait(run.id)
            await asyncio.sleep(60)
            clock.jump(-7200)
            with pytest.raises(Exception, match="token expired"):
                engine.door.heartbeat(token)
            return result, [event.seq for event in run.events.read()]

    result, seqs = simulate(jumping)

    assert RunStatus.DONE == result.status
    assert sorted(seqs) == seqs
