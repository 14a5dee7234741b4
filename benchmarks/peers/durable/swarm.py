"""swarm with its SQLite store: full durability unless said otherwise."""

import asyncio
import time
from contextlib import asynccontextmanager

from peers import swarm as memory
from peers.durable import swarm_killed
from peers.durable.swarm_opened import RELAXED, URL, opened

REQUIRES = memory.REQUIRES
COMMANDS = {"run_command": ["{bin}/swarm", "run", "--quiet", "{here}/step.yaml"]}
HOW = {
    "durable_chain": "the same Blueprint, a store in a new file",
    "relaxed_chain": "the same with ?durability=relaxed",
    "durable_fan_out": "the same Blueprint, a store in a new file",
    "chains_20": "20 runs at once, a loop of one step each",
    "chains_200": "200 runs at once",
    "durable_growing_state": "the same Blueprint, a store in a new file",
    "untouched_state": "the chain with 50 KB in the initial ctx",
    "answers": "a loop of one step that asks (`context.ask`), answered with `Swarm.answer`",
    "resume": "a chain whose last step never ends, its process killed; open, resume, until the last step runs again",
    "start_up": "runs whose process was killed; open, until the swarm takes work",
    "suspended": "a step of kind `ask` and one that takes the answer, killed; all answered, then resumed 32 at a time",
    "durable_cold_start": "import, open a new file, check, compile, one step",
    "run_command": "`swarm run` where no store is yet",
}


def durable_chain(job):
    return memory.chain(job, URL)


durable_cold_start = durable_chain


def relaxed_chain(job):
    return memory.chain(job, RELAXED)


def untouched_state(job):
    return memory.chain(job, URL, ballast=job.ballast())


def durable_fan_out(job):
    return memory.fan_out(job, URL)


def durable_growing_state(job):
    return memory.growing_state(job, URL)


@asynccontextmanager
async def chains(job, count):
    async def advance(state):
        return job.advance(state)

    body = memory.step("work", memory.path("$.state"), "$.state")
    async with opened(advance, memory.loop_flow(body, memory.path("$.length"))) as (swarm, prepared):

        async def one(length):
            launched = await swarm.launch(prepared, init_ctx={"state": job.start(), "length": length})
            return (await launched.wait()).final_ctx["state"]["count"]

        async def run():
            return sum(await asyncio.gather(*map(one, job.split(count))))

        yield run


def chains_20(job):
    return chains(job, 20)


def chains_200(job):
    return chains(job, 200)


async def ask(call):
    return await call.context.ask(call.input)


@asynccontextmanager
async def answers(job):
    cond = {"op": "lt", "lhs": memory.path("$.turn"), "rhs": {"op": "lit", "value": job.size}}
    asking = memory.step("work", {"op": "lit", "value": "how many more?"}, "$.taken")
    flow = {"kind": "loop", "counter": memory.path("$.turn"), "cond": cond, "body": asking, "max": 1_000_000}
    async with opened(ask, flow) as (swarm, prepared):
        launched = await swarm.launch(prepared, init_ctx={"turn": 0})
        keys = (event.data["key"] async for event in launched.events() if event.kind == "task_suspended")
        key = await anext(keys)

        async def run():
            nonlocal key
            for _ in range(job.size):
                begin = time.perf_counter()
                await swarm.answer(key, 1)
                key = await anext(keys, None)
                job.trip(begin)
            return (await launched.wait()).final_ctx["turn"]

        yield run


resume, start_up, suspended = swarm_killed.resume, swarm_killed.start_up, swarm_killed.suspended
