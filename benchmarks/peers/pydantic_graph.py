"""pydantic-graph: typed steps joined by edges, instrumentation off."""

import asyncio
from contextlib import asynccontextmanager

REQUIRES = ["pydantic-graph==2.68.0"]
HOW = {
    "chain": "1,000 steps joined by edges, the state handed on as each step's output",
    "loop": "one step and a decision that leads back to it",
    "fan_out": "an edge with .map() to one step, joined by reduce_list_append",
    "sleeping_fan_out": "the same over a step that sleeps",
    "growing_state": "300 steps that append to the run's mutable state",
    "cold_start": "one step",
}


def graph_builder(**types):
    from pydantic_graph import GraphBuilder

    return GraphBuilder(auto_instrument=False, **({"input_type": object, "output_type": object} | types))


def chained(job, make, **types):
    builder = graph_builder(**types)
    steps = [builder.step(node_id=f"step_{number}")(make(number)) for number in range(job.size)]
    for before, after in zip([builder.start_node, *steps], [*steps, builder.end_node], strict=True):
        builder.add(builder.edge_from(before).to(after))
    return builder.build(validate_graph_structure=False)


def advancing(job):
    async def step(context):
        return job.advance(context.inputs)

    return step


@asynccontextmanager
async def chain(job):
    graph = chained(job, lambda number: advancing(job))

    async def run():
        return (await graph.run(inputs=job.start()))["count"]

    yield run


cold_start = chain


@asynccontextmanager
async def loop(job):
    from pydantic_graph import TypeExpression

    builder = graph_builder()
    step = builder.step(node_id="step")(advancing(job))
    state = TypeExpression[dict]
    again = builder.match(state, matches=lambda value: value["count"] < job.size).to(step)
    leave = builder.match(state).to(builder.end_node)
    decision = builder.decision().branch(again).branch(leave)
    builder.add(builder.edge_from(builder.start_node).to(step), builder.edge_from(step).to(decision))
    graph = builder.build(validate_graph_structure=False)

    async def run():
        return (await graph.run(inputs=job.start()))["count"]

    yield run


@asynccontextmanager
async def fan(job, work):
    from pydantic_graph import reduce_list_append

    async def one(context):
        return await work(context.inputs)

    builder = graph_builder(input_type=list, output_type=list)
    step = builder.step(node_id="one")(one)
    join = builder.join(reduce_list_append, initial_factory=list)
    builder.add(
        builder.edge_from(builder.start_node).map().to(step),
        builder.edge_from(step).to(join),
        builder.edge_from(join).to(builder.end_node),
    )
    graph = builder.build(validate_graph_structure=False)

    async def run():
        return await graph.run(inputs=list(range(job.size)))

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
    def make(number):
        async def step(context):
            context.state.append(job.chunk(number))

        return step

    graph = chained(job, make, state_type=object)

    async def run():
        chunks = []
        await graph.run(state=chunks, inputs=None)
        return len(chunks)

    yield run
