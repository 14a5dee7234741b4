"""DBOS with SQLite: each step's output is kept before the workflow goes on. As shipped: rollback journal, FULL."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager, contextmanager

REQUIRES = ["dbos==3.4.0"]
SCALE = {"durable_chain": 0.5, "durable_fan_out": 0.5, "chains_20": 0.1}
HOW = {
    "durable_chain": "a workflow that calls a step, 500 times",
    "durable_fan_out": "an async workflow that gathers 500 steps",
    "chains_20": "20 async workflows at once, 400 steps in all",
    "durable_growing_state": "a workflow over 300 steps; what is kept of each is the 10 KB that it returns",
    "untouched_state": "the chain, whose workflow got the 50 KB as an argument",
    "answers": "DBOS.recv in the workflow, DBOS.send from outside; it polls every 1 ms (default 1 s)",
    "durable_cold_start": "DBOS.launch on a new file, one workflow of one step",
}
JOURNAL_MODE = "DELETE"


@contextmanager
def launched(job, define):
    """Set DBOS up on a new file, let `define` register its functions, launch, and yield what it returned."""
    import sqlite3

    from dbos import DBOS

    with sqlite3.connect(job.file("dbos.db")) as db:
        db.execute(f"PRAGMA journal_mode={JOURNAL_MODE}")
    settings = {"name": "benchmark", "system_database_url": f"sqlite:///{job.file('dbos.db')}", "log_level": "ERROR"}
    DBOS(config=settings | {"notification_listener_polling_interval_sec": 0.001})
    defined = define(DBOS)
    DBOS.launch()
    yield defined
    DBOS.destroy()


@contextmanager
def durable_chain(job, *more):
    def define(dbos):
        @dbos.step()
        def step(state):
            return job.advance(state)

        @dbos.workflow()
        def chain(state, *beside):
            while state["count"] < job.size:
                state = step(state)
            return state["count"]

        return chain

    with launched(job, define) as chain:
        yield lambda: chain(job.start(), *more)


durable_cold_start = durable_chain


def untouched_state(job):
    return durable_chain(job, job.ballast())


@asynccontextmanager
async def durable_fan_out(job):
    def define(dbos):
        @dbos.step()
        async def one(number):
            return job.item(number)

        @dbos.workflow()
        async def fan(size):
            return await asyncio.gather(*(one(number) for number in range(size)))

        return fan

    with launched(job, define) as fan:
        yield lambda: fan(job.size)


@asynccontextmanager
async def chains_20(job):
    def define(dbos):
        @dbos.step()
        async def step(state):
            return job.advance(state)

        @dbos.workflow()
        async def chain(state, length):
            while state["count"] < length:
                state = await step(state)
            return state["count"]

        return chain

    with launched(job, define) as chain:

        async def run():
            return sum(await asyncio.gather(*(chain(job.start(), length) for length in job.split(20))))

        yield run


@contextmanager
def durable_growing_state(job):
    def define(dbos):
        @dbos.step()
        def step(number):
            return job.chunk(number)

        @dbos.workflow()
        def grow(size):
            return len([step(number) for number in range(size)])

        return grow

    with launched(job, define) as grow:
        yield lambda: grow(job.size)


@contextmanager
def answers(job):
    suspended = threading.Semaphore(0)

    def define(dbos):
        @dbos.workflow()
        def ask(size):
            taken = 0
            while taken < size:
                suspended.release()
                taken += dbos.recv("answers", timeout_seconds=60)
            suspended.release()
            return taken

        return dbos, ask

    with launched(job, define) as (dbos, ask):
        handle = dbos.start_workflow(ask, job.size)
        suspended.acquire()

        def run():
            for _ in range(job.size):
                begin = time.perf_counter()
                dbos.send(handle.workflow_id, 1, "answers")
                suspended.acquire()
                job.trip(begin)
            return handle.get_result()

        yield run
