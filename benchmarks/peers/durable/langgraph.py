"""LangGraph with its SQLite checkpointer, durability "sync": a checkpoint is written before the next step starts."""

import asyncio
import time
from contextlib import asynccontextmanager

from peers import langgraph as memory

REQUIRES = ["langgraph==1.2.22", "langgraph-checkpoint-sqlite==3.1.2"]
SCALE = {"chains_20": 0.25}
HOW = {
    "durable_chain": "the same graph with SqliteSaver (write-ahead log, synchronous=FULL), durability sync",
    "durable_fan_out": "the same Sends with AsyncSqliteSaver, ainvoke",
    "chains_20": "a loop of one node, 20 threads of conversation at once, AsyncSqliteSaver, ainvoke; 1,000 steps",
    "durable_growing_state": "the same nodes with SqliteSaver",
    "untouched_state": "a loop of one node beside a channel of 50 KB; with 1,000 nodes it is 75 KB a step more",
    "answers": "interrupt() in a node that leads back to itself, Command(resume=...)",
    "durable_cold_start": "one node, a new file",
}
SYNC = {"durability": "sync"}


def config(number=0):
    return memory.CONFIG | {"configurable": {"thread_id": str(number)}}


def saver(job):
    import sqlite3

    from langgraph.checkpoint.sqlite import SqliteSaver

    found = SqliteSaver(sqlite3.connect(job.file("langgraph.db"), check_same_thread=False))
    found.setup()
    return found


@asynccontextmanager
async def async_saver(job):
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(job.file("langgraph.db")) as found:
        await found.setup()
        yield found


def durable_chain(job):
    graph = memory.chained(job, memory.Carried, lambda number: job.advance, checkpointer=saver(job))
    return lambda: graph.invoke(job.start(), config(), **SYNC)["count"]


durable_cold_start = durable_chain


class Turning(memory.Carried, total=False):
    length: int
    ballast: str


def turning(job, checkpointer):
    from langgraph.graph import END, START, StateGraph

    def step(state):
        new = job.advance(state)
        return {"count": new["count"], "last": new["last"]}

    graph = StateGraph(Turning)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["count"] < state["length"] else END)
    return graph.compile(checkpointer=checkpointer)


def untouched_state(job):
    graph = turning(job, saver(job))
    beside = {"length": job.size, "ballast": job.ballast()}
    return lambda: graph.invoke(job.start() | beside, config(), **SYNC)["count"]


@asynccontextmanager
async def durable_fan_out(job):
    async def work(number):
        return job.item(number)

    async with async_saver(job) as found:
        graph = memory.fan_graph(work, checkpointer=found)

        async def run():
            return (await graph.ainvoke({"size": job.size, "items": []}, config(), **SYNC))["items"]

        yield run


@asynccontextmanager
async def chains_20(job):
    async with async_saver(job) as found:
        graph = turning(job, found)

        async def one(number, length):
            return (await graph.ainvoke(job.start() | {"length": length}, config(number), **SYNC))["count"]

        async def run():
            return sum(await asyncio.gather(*(one(number, length) for number, length in enumerate(job.split(20)))))

        yield run


def durable_growing_state(job):
    make = memory.growing(job)
    graph = memory.chained(job, memory.Growing, make, checkpointer=saver(job))
    return lambda: len(graph.invoke({"chunks": []}, config(), **SYNC)["chunks"])


def answers(job):
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, interrupt

    def ask(state):
        return {"count": state["count"] + interrupt("how many more?")}

    graph = StateGraph(memory.Carried)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", lambda state: "ask" if state["count"] < job.size else END)
    compiled = graph.compile(checkpointer=saver(job))
    compiled.invoke({"count": 0}, config(), **SYNC)

    def run():
        state = {}
        for _ in range(job.size):
            begin = time.perf_counter()
            state = compiled.invoke(Command(resume=1), config(), **SYNC)
            job.trip(begin)
        return state["count"]

    return run
