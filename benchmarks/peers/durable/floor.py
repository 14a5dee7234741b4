"""The floor on disk: what SQLite and asyncio cost alone, write-ahead log, one row for each step and no more."""

import asyncio
import json
import queue
import threading
import time
from contextlib import asynccontextmanager, contextmanager

REQUIRES = []
COMMANDS = {
    "run_command": [
        "{bin}/python",
        "-c",
        "import sqlite3; db = sqlite3.connect('floor.db'); db.execute('CREATE TABLE steps (state)'); db.commit()",
    ]
}
HOW = {
    "durable_chain": "a task and one INSERT and COMMIT per step, synchronous=FULL",
    "relaxed_chain": "the same, synchronous=NORMAL",
    "durable_fan_out": "a task per item; one thread commits in one transaction all that wait, synchronous=FULL",
    "chains_20": "20 chains of tasks; the same thread",
    "chains_200": "200 chains of tasks; the same thread",
    "durable_growing_state": "one 10 KB row per step, synchronous=FULL",
    "untouched_state": "the 50 KB once, then a row with the small state per step",
    "answers": "a row for each question and one for each answer, synchronous=FULL",
    "resume": "read the rows back and parse them",
    "durable_cold_start": "a new file, one row",
    "run_command": "`python -c` that makes a file with one table",
}


@contextmanager
def database(job, synchronous="FULL"):
    import sqlite3

    db = sqlite3.connect(job.file("floor.db"), isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={synchronous}")
    db.execute("CREATE TABLE steps (run INTEGER, number INTEGER, state TEXT, PRIMARY KEY (run, number)) WITHOUT ROWID")
    yield db
    db.close()


def put(db, rows):
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO steps VALUES (?, ?, ?)", rows)
    db.execute("COMMIT")


@asynccontextmanager
async def storing_chain(job, synchronous="FULL", ballast=None):
    async def step(state):
        return job.advance(state)

    with database(job, synchronous) as db:
        if ballast:
            put(db, [(0, 0, json.dumps(ballast))])

        async def run():
            state = job.start()
            while state["count"] < job.size:
                state = await asyncio.create_task(step(state))
                put(db, [(1, state["count"], json.dumps(state))])
            return state["count"]

        yield run


def durable_chain(job):
    return storing_chain(job)


durable_cold_start = durable_chain


def relaxed_chain(job):
    return storing_chain(job, "NORMAL")


def untouched_state(job):
    return storing_chain(job, ballast=job.ballast())


class Writer(threading.Thread):
    """Commits together whatever has come in while it wrote."""

    def __init__(self, db):
        super().__init__()
        self.db, self.waiting, self.loop = db, queue.SimpleQueue(), asyncio.get_running_loop()

    def run(self):
        while batch := self.take():
            put(self.db, [row for row, _ in batch])
            self.loop.call_soon_threadsafe(self.tell, [written for _, written in batch])

    def take(self):
        batch = [self.waiting.get()]
        while not self.waiting.empty():
            batch.append(self.waiting.get())
        return [entry for entry in batch if entry]

    def tell(self, futures):
        for future in futures:
            future.set_result(None)

    async def write(self, row):
        written = self.loop.create_future()
        self.waiting.put((row, written))
        await written


@asynccontextmanager
async def writing(job):
    with database(job) as db:
        writer = Writer(db)
        writer.start()
        yield writer
        writer.waiting.put(None)
        writer.join()


@asynccontextmanager
async def durable_fan_out(job):
    async with writing(job) as writer:

        async def lane(number):
            item = job.item(number)
            await writer.write((1, number, json.dumps(item)))
            return item

        async def run():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(lane(number)) for number in range(job.size)]
            return [task.result() for task in tasks]

        yield run


@asynccontextmanager
async def chains(job, count):
    async def step(state):
        return job.advance(state)

    async with writing(job) as writer:

        async def one(number, length):
            state = job.start()
            while state["count"] < length:
                state = await asyncio.create_task(step(state))
                await writer.write((number, state["count"], json.dumps(state)))
            return state["count"]

        async def run():
            return sum(await asyncio.gather(*(one(number, length) for number, length in enumerate(job.split(count)))))

        yield run


def chains_20(job):
    return chains(job, 20)


def chains_200(job):
    return chains(job, 200)


@asynccontextmanager
async def durable_growing_state(job):
    async def step(number):
        return job.chunk(number)

    with database(job) as db:

        async def run():
            chunks = []
            for number in range(job.size):
                chunks.append(await asyncio.create_task(step(number)))
                put(db, [(1, number, json.dumps(chunks[-1]))])
            return len(chunks)

        yield run


@contextmanager
def answers(job):
    with database(job) as db:

        def run():
            for number in range(job.size):
                begin = time.perf_counter()
                put(db, [(2, number, json.dumps(1))])
                put(db, [(1, number, json.dumps({"question": number}))])
                job.trip(begin)
            return job.size

        yield run


@asynccontextmanager
async def resume(job):
    with database(job, "NORMAL") as db:
        put(db, [(1, number, json.dumps(job.start())) for number in range(job.size)])

        async def run():
            return len([json.loads(text) for (text,) in db.execute("SELECT state FROM steps ORDER BY run, number")])

        yield run
