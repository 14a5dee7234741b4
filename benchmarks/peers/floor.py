"""The floor: plain asyncio, one task per step, which is the least that an engine with cancellable steps pays."""

import asyncio
from contextlib import asynccontextmanager

REQUIRES = []
COMMANDS = {"version": ["{bin}/python", "-c", "pass"]}
HOW = {
    "chain": "1,000 closures, each awaited as a task of its own",
    "loop": "a while loop that awaits one task per turn",
    "fan_out": "a TaskGroup with one task per item",
    "sleeping_fan_out": "the same, over asyncio.sleep",
    "growing_state": "a list that each task appends to",
    "cold_start": "asyncio.run with one task",
    "version": "`python -c pass`",
}


@asynccontextmanager
async def chain(job):
    def make():
        async def step(state):
            return job.advance(state)

        return step

    steps = [make() for _ in range(job.size)]

    async def run():
        state = job.start()
        for step in steps:
            state = await asyncio.create_task(step(state))
        return state["count"]

    yield run


cold_start = chain


@asynccontextmanager
async def loop(job):
    async def step(state):
        return job.advance(state)

    async def run():
        state = job.start()
        while state["count"] < job.size:
            state = await asyncio.create_task(step(state))
        return state["count"]

    yield run


@asynccontextmanager
async def fan(job, work):
    async def run():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(number)) for number in range(job.size)]
        return [task.result() for task in tasks]

    yield run


def fan_out(job):
    async def work(number):
        return job.item(number)

    return fan(job, work)


def sleeping_fan_out(job):
    async def work(number):
        await asyncio.sleep(job.pause_s)
        return job.item(number)

    return fan(job, work)


@asynccontextmanager
async def growing_state(job):
    async def step(state, number):
        return {"chunks": [*state["chunks"], job.chunk(number)]}

    async def run():
        state = {"chunks": []}
        for number in range(job.size):
            state = await asyncio.create_task(step(state, number))
        return len(state["chunks"])

    yield run
