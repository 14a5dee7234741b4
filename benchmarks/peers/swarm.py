"""swarm: Blueprints whose agents are async Python functions; in memory, no plugins beyond the core's own."""

import asyncio
from contextlib import asynccontextmanager

REQUIRES = ["."]
COMMANDS = {"version": ["{bin}/swarm", "--version"]}
HOW = {
    "chain": "a seq of 1,000 steps that read and write $.state",
    "loop": "a loop whose condition reads $.state.count",
    "fan_out": "a fanout with join all, one step per lane",
    "sleeping_fan_out": "the same over an agent that sleeps",
    "growing_state": "a seq of 300 steps, each writes a new key of $.chunks",
    "cold_start": "import, open, check, compile, one step",
    "version": "`swarm --version`",
}


def path(text):
    return {"op": "path", "at": text}


def step(agent, read, write):
    return {"kind": "step", "ref": agent, "in": read, "out": path(write)}


def blueprint(agent, flow):
    return {
        "schema_version": "0.1.0",
        "id": "benchmark",
        "agents": [{"name": agent, "kind": "function", "spec": {"fn_id": agent}}],
        "flow": flow,
    }


@asynccontextmanager
async def running(agent, work, flow, init_ctx, outcome, store=None):
    """Open an engine, prepare the Blueprint, and yield what runs it."""
    from swarm_core import Swarm

    async with Swarm.open(plugins=(), functions={agent: work}, store=store) as swarm:
        prepared = swarm.prepare(blueprint(agent, flow))

        async def run():
            launched = await swarm.launch(prepared, init_ctx=init_ctx)
            return outcome((await launched.wait()).final_ctx)

        yield run


def advancing(job, flow, store=None, **beside):
    async def advance(state):
        return job.advance(state)

    ctx = {"state": job.start(), **beside}
    return running("advance", advance, flow, ctx, lambda ctx: ctx["state"]["count"], store)


def chain_flow(size):
    return {"kind": "seq", "children": [step("advance", path("$.state"), "$.state")] * size}


def chain(job, store=None, **beside):
    return advancing(job, chain_flow(job.size), store, **beside)


cold_start = chain


def loop_flow(body, limit):
    cond = {"op": "lt", "lhs": path("$.state.count"), "rhs": limit}
    return {"kind": "loop", "counter": path("$.turn"), "cond": cond, "body": body, "max": 1_000_000}


def loop(job):
    body = step("advance", path("$.state"), "$.state")
    return advancing(job, loop_flow(body, {"op": "lit", "value": job.size}))


def fan(job, work, store=None):
    flow = {
        "kind": "fanout",
        "items": path("$.numbers"),
        "bind": path("$.number"),
        "body": step("work", path("$.number"), "$.item"),
        "join": "all",
        "out": path("$.lanes"),
    }
    init_ctx = {"numbers": list(range(job.size))}
    return running("work", work, flow, init_ctx, lambda ctx: [lane["item"] for lane in ctx["lanes"]], store)


def fan_out(job, store=None):
    async def work(number):
        return job.item(number)

    return fan(job, work, store)


def sleeping_fan_out(job):
    async def work(number):
        await asyncio.sleep(job.pause_s)
        return job.item(number)

    return fan(job, work)


def growing_state(job, store=None):
    async def grow(number):
        return job.chunk(number)

    children = [step("grow", {"op": "lit", "value": number}, f"$.chunks.c{number}") for number in range(job.size)]
    flow = {"kind": "seq", "children": children}
    return running("grow", grow, flow, {"chunks": {}}, lambda ctx: len(ctx["chunks"]), store)
