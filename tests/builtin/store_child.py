"""What tests of the SQLite store run in a process of its own: one that is traced, limited, or killed.

`write URL COUNT` commits COUNT rows and says `ack N` after each; what fails is said as `failed CLASS: ...`. Then it
opens the store anew and says what is there. `hold PATH SECONDS TIMES` holds the write lock. `kills FOLDER` kills one
writer after another, each one statement later than the one before; `migrations FOLDER SQL` does so with
what opens an old store.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.builtin.sqlite.file import open_file
from swarm_core.builtin.sqlite.place import parse_url
from swarm_core.errors import RunNotFound, StoreError
from swarm_core.model.output import Final, Inline
from swarm_core.model.run import JournalRow, Question, RunChange, RunWrite, StoredRun
from swarm_core.model.task import RunStatus

STEPS = 4


def say(text):
    os.write(1, f"{text}\n".encode())


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def a_run(**facts):
    known = {"blueprint_id": "b", "blueprint_hash": "0" * 64, "launch": {}, "status": RunStatus.RUNNING}
    return StoredRun(id="RUN-1", created_at=1.0, updated_at=1.0, **{**known, **facts})


def a_step(number):
    """Return a write that touches everything that one write can touch."""
    row = JournalRow(run_id="RUN-1", first_seq=number, last_seq=number, body=f"[{number}]")
    question = Question(
        key=f"R-{number}", run_id="RUN-1", task_id="T", address="0", agent="a", question=number, asked_at=float(number)
    )
    return RunWrite(
        run_id="RUN-1",
        epoch=1,
        create=a_run() if number == 1 else None,
        blueprints={f"{number:064}": "{}"} if number > 1 else {"0" * 64: "{}"},
        rows=(row,),
        change=RunChange(updated_at=float(number), counts={"steps": number}, result=f"{number}"),
        opened=(question,),
        closed=(f"R-{number - 1}",),
    )


async def take_step(store, number):
    event = Final(Inline(number), ok=True)
    await store.outputs.append(run_id="RUN-1", task_id=f"T-{number}", attempt=1, producer_agent="a", event=event)
    refused = await store.commit([a_step(number)])
    assert not refused, refused


# write ---------------------------------------------------------------------------------------------------------


async def write(url, count):
    files = open_files()
    try:
        async with open_sqlite_runs(url) as store:
            await commit_rows(store, count)
    except StoreError as error:
        say(f"failed {type(error).__name__}: {error}")
    say("reopened")
    async with open_sqlite_runs(url) as store:
        await report(store)
    say(f"files {open_files() - files}")


async def commit_rows(store, count):
    for number in range(1, count + 1):
        try:
            seq = await last_event(store) + 1
            body = json.dumps(["x" * 400, number])
            row = JournalRow(run_id="RUN-1", first_seq=seq, last_seq=seq, body=body)
            created = {"create": a_run(), "blueprints": {"0" * 64: "{}"}} if seq == 1 else {}
            await store.commit([RunWrite(run_id="RUN-1", epoch=1, rows=(row,), **created)])
            say(f"ack {number}")
        except StoreError as error:
            say(f"failed {type(error).__name__}: {error}")


async def last_event(store):
    try:
        return (await store.get("RUN-1")).last_seq
    except RunNotFound:
        return 0


async def report(store):
    rows = await store.rows("RUN-1") if await last_event(store) else ()
    say(f"kept {[json.loads(row.body)[1] for row in rows]}")
    say(f"problems {list(await store.problems())}")
    await commit_rows(store, 1)


# hold ----------------------------------------------------------------------------------------------------------


def hold(path, seconds, times):
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    for _ in range(int(times)):
        connection.execute("BEGIN IMMEDIATE")
        say("held")
        time.sleep(float(seconds))
        connection.execute("COMMIT")
        say("free")
    connection.close()


# kills ---------------------------------------------------------------------------------------------------------


def kills(folder):
    """Kill a writer at its n-th statement, for n = 1, 2, 3 ... until one lives to its end; say what is left."""
    for number in range(1, 1000):
        url = f"sqlite:///{folder}/{number}/.swarm/runs.db?durability=relaxed"
        acked, killed = one_kill(url, number)
        asyncio.run(what_is_left(url, number, acked))
        if not killed:
            return
    raise AssertionError("no end")


def migrations(folder, script):
    """Kill what migrates a store at its n-th statement, for n = 1, 2, 3 ...; say which version is there each time."""
    for number in range(1, 1000):
        path = f"{folder}/{number}.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(Path(script).read_text(encoding="utf-8"))
        _, killed = one_kill(path, number, lambda path, acks: open_file(parse_url(f"sqlite:///{path}")).close())
        with closing(sqlite3.connect(path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        say(json.dumps({"path": path, "version": version}))
        if not killed:
            return
    raise AssertionError("no end")


def write_steps(url, acks):
    asyncio.run(all_steps(url, acks))


def one_kill(url, number, work=write_steps):
    """Return how many steps were acknowledged, and whether the worker was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        kill_at(number)
        work(url, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        acked = len(pipe.read())
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return acked, os.WIFSIGNALED(status)


def kill_at(number):
    left = [number]
    connect = sqlite3.connect

    def count(statement):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def connected(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = connected


async def all_steps(url, acks):
    async with open_sqlite_runs(url) as store:
        for number in range(1, STEPS + 1):
            await take_step(store, number)
            os.write(acks, b".")


async def what_is_left(url, number, acked):
    async with open_sqlite_runs(url) as store:
        try:
            run = await store.get("RUN-1")
            rows = [json.loads(row.body)[0] for row in await store.rows("RUN-1")]
        except RunNotFound:
            run, rows = a_run(counts={"steps": 0}), []
        steps = len(rows)
        facts = {
            "rows": rows,
            "counts": run.counts["steps"],
            "result": int(await store.result("RUN-1")) if steps else 0,
            "questions": len(await store.questions("RUN-1")),
            "open": [question.key for question in await store.questions("RUN-1", open_only=True)],
            "outputs": [len(await store.outputs.list_for_attempt(f"T-{step}", 1)) for step in range(1, STEPS + 1)],
            "problems": list(await store.problems()),
        }
        for step in range(steps + 1, STEPS + 1):  # and it goes on
            await take_step(store, step)
        whole = len(await store.rows("RUN-1"))
    say(json.dumps({"statement": number, "acked": acked, "steps": steps, "whole": whole, **facts}))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "write":
        asyncio.run(write(arguments[0], int(arguments[1])))
    elif command == "hold":
        hold(*arguments)
    elif command == "kills":
        kills(*arguments)
    elif command == "migrations":
        migrations(*arguments)
