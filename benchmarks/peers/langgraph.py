"""LangGraph: a state graph, no checkpointer."""

import asyncio
import operator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

REQUIRES = ["langgraph==1.2.22"]
HOW = {
    "chain": "StateGraph with 1,000 nodes and static edges, invoke",
    "loop": "one node and a conditional edge back to it, invoke",
    "fan_out": "a conditional edge that returns 1,000 Send, a list with a reducer, ainvoke",
    "sleeping_fan_out": "the same over a node that sleeps",
    "growing_state": "300 nodes that write to a list with the operator.add reducer",
    "cold_start": "one node, invoke",
}
CONFIG = {"recursion_limit": 10_000}


class Carried(TypedDict, total=False):
    count: int
    title: str
    labels: list[str]
    last: Any


class Fan(TypedDict, total=False):
    size: int
    items: Annotated[list[Any], operator.add]


class Growing(TypedDict):
    chunks: Annotated[list[str], operator.add]


def chained(job, schema, make, checkpointer=None):
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(schema)
    names = [f"step_{number}" for number in range(job.size)]
    for number, name in enumerate(names):
        graph.add_node(name, make(number))
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=checkpointer)


def chain(job):
    graph = chained(job, Carried, lambda number: job.advance)
    return lambda: graph.invoke(job.start(), CONFIG)["count"]


cold_start = chain


def loop(job):
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(Carried)
    graph.add_node("step", job.advance)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["count"] < job.size else END)
    compiled = graph.compile()
    return lambda: compiled.invoke(job.start(), CONFIG)["count"]


def fan_graph(work, checkpointer=None):
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def one(number):
        return {"items": [await work(number)]}

    graph = StateGraph(Fan)
    graph.add_node("one", one)
    graph.add_node("joined", lambda state: {})
    graph.add_conditional_edges(START, lambda state: [Send("one", number) for number in range(state["size"])], ["one"])
    graph.add_edge("one", "joined")
    graph.add_edge("joined", END)
    return graph.compile(checkpointer=checkpointer)


@asynccontextmanager
async def fan(job, work):
    compiled = fan_graph(work)

    async def run():
        return (await compiled.ainvoke({"size": job.size, "items": []}, CONFIG))["items"]

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


def growing(job):
    return lambda number: lambda state: {"chunks": [job.chunk(number)]}


def growing_state(job):
    graph = chained(job, Growing, growing(job))
    return lambda: len(graph.invoke({"chunks": []}, CONFIG)["chunks"])
