"""Apache Burr: actions on a state, joined by transitions; no tracker and no persister."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

REQUIRES = ["apache-burr[tracking]==0.43.0"]  # burr.core.parallelism imports what the extra brings
HOW = {
    "chain": "1,000 actions joined by default transitions, run(halt_after=the last)",
    "loop": "one action with a conditional transition back to itself",
    "fan_out": "MapStates: one sub-application per item, arun",
    "sleeping_fan_out": "MapStates over an action that sleeps",
    "growing_state": "300 actions, each State.append",
    "cold_start": "one action, run",
}


def application(actions, transitions, entry, state):
    from burr.core import ApplicationBuilder

    builder = ApplicationBuilder().with_actions(**actions).with_transitions(*transitions)
    return builder.with_entrypoint(entry).with_state(**state).build()


def runner(app, last, outcome):
    def run():
        *_, state = app.run(halt_after=[last])
        return outcome(state)

    return run


def advancing(job):
    from burr.core import action

    @action(reads=["count", "title", "labels", "last"], writes=["count", "last"])
    def step(state):
        new = job.advance(state.get_all())
        return state.update(count=new["count"], last=new["last"])

    return step


def chain(job):
    step = advancing(job)
    names = [f"step_{number}" for number in range(job.size)]
    transitions = list(pairwise(names))
    app = application(dict.fromkeys(names, step), transitions, names[0], job.start())
    return runner(app, names[-1], lambda state: state["count"])


cold_start = chain


def loop(job):
    from burr.core import Result, expr

    actions = {"step": advancing(job), "done": Result("count")}
    transitions = [("step", "step", expr(f"count < {job.size}")), ("step", "done")]
    app = application(actions, transitions, "step", job.start())
    return runner(app, "done", lambda state: state["count"])


@asynccontextmanager
async def fan(job, work):
    from burr.core import ApplicationBuilder, action
    from burr.core.parallelism import MapStates

    @action(reads=["number"], writes=["item"])
    async def one(state):
        return state.update(item=await work(state["number"]))

    class EachItem(MapStates):
        reads = ("size",)
        writes = ("items",)

        def is_async(self):
            return True

        def action(self, state, inputs):
            return one

        async def states(self, state, context, inputs):
            for number in range(state["size"]):
                yield state.update(number=number)

        async def reduce(self, state, states):
            return state.update(items=[lane["item"] async for lane in states])

    app = (
        await ApplicationBuilder()
        .with_actions(fan=EachItem())
        .with_entrypoint("fan")
        .with_state(size=job.size)
        .abuild()
    )

    async def run():
        *_, state = await app.arun(halt_after=["fan"])
        return state["items"]

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


def growing_state(job):
    from burr.core import action

    def make(number):
        @action(reads=["chunks"], writes=["chunks"])
        def step(state):
            return state.append(chunks=job.chunk(number))

        return step

    names = [f"step_{number}" for number in range(job.size)]
    actions = {name: make(number) for number, name in enumerate(names)}
    app = application(actions, list(pairwise(names)), names[0], {"chunks": []})
    return runner(app, names[-1], lambda state: len(state["chunks"]))
