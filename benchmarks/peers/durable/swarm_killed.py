"""swarm after its process was killed: what a start, a resume and many suspended runs cost."""

import asyncio
import gc
import os
import time
import traceback
from contextlib import asynccontextmanager
from pathlib import Path

from peers import swarm as memory
from peers.durable.swarm_opened import ASKS, RELAXED, URL, opened

AT_ONCE = 32  # as `swarm resume --all` does


def kill_after(preparing):
    """Enter an async context manager in a process of its own, which then is gone at once, as if it had been killed."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(within(preparing))
        finally:  # only when it failed
            traceback.print_exc()
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("the process that was to prepare the store failed")


async def within(preparing):
    async with preparing:
        os._exit(0)


def resume(job):
    last_runs = asyncio.Event()

    async def work(number):
        if number == job.size:
            last_runs.set()
            await asyncio.Event().wait()
        return number

    cond = {"op": "lt", "lhs": memory.path("$.turn"), "rhs": {"op": "lit", "value": job.size}}
    body = memory.step("work", memory.path("$.turn"), "$.done")
    turns = {"kind": "loop", "counter": memory.path("$.turn"), "cond": cond, "body": body, "max": 1_000_000}
    flow = {"kind": "seq", "children": [turns, memory.step("work", {"op": "lit", "value": job.size}, "$.last")]}

    @asynccontextmanager
    async def preparing():
        async with opened(work, flow, RELAXED) as (swarm, prepared):
            await swarm.launch(prepared, init_ctx={"turn": 0})
            await last_runs.wait()
            yield

    @asynccontextmanager
    async def measuring():
        async with opened(work, flow) as (swarm, _):
            (stored,) = await runs_in(swarm)

            async def run():
                launched = await swarm.resume(stored.id)
                await last_runs.wait()
                return launched.reused

            yield run

    kill_after(preparing())
    last_runs = asyncio.Event()
    return measuring()


async def runs_in(swarm):
    from swarm_core.model.run import RunFilter

    return await swarm.store.runs(RunFilter(limit=1_000_000))


def start_up(job):
    async def work(number):
        await asyncio.Event().wait()

    flow = memory.step("work", {"op": "lit", "value": 0}, "$.done")

    @asynccontextmanager
    async def preparing():
        async with opened(work, flow, RELAXED) as (swarm, prepared):
            await asyncio.gather(*(swarm.launch(prepared, init_ctx={}) for _ in range(job.size)))
            yield

    @asynccontextmanager
    async def measuring():
        from swarm_core import Swarm
        from swarm_core.model.task import RunStatus

        async def run():
            begin = time.perf_counter()
            async with Swarm.open(plugins=(), functions={"work": work}, store=URL) as swarm:
                job.note(ready_s=time.perf_counter() - begin)
                return sum(run.status is RunStatus.INTERRUPTED for run in await runs_in(swarm))

        yield run

    kill_after(preparing())
    return measuring()


def suspended(job):
    taken = []

    async def work(answer):
        taken.append(answer)
        return answer

    asking = memory.step("person", {"op": "lit", "value": "how many more?"}, "$.answer")
    flow = {"kind": "seq", "children": [asking, memory.step("work", memory.path("$.answer"), "$.taken")]}

    @asynccontextmanager
    async def preparing():
        async with opened(work, flow, RELAXED, ASKS) as (swarm, prepared):
            idle = settled_rss()

            async def one():
                launched = await swarm.launch(prepared, init_ctx={})
                await launched.wait(or_waiting=True)

            for begin in range(0, job.size, 1_000):
                await asyncio.gather(*(one() for _ in range(begin, min(begin + 1_000, job.size))))
            keep_rss(job, settled_rss() - idle)
            yield

    @asynccontextmanager
    async def measuring():
        from swarm_core import Swarm
        from swarm_core.model.task import RunStatus

        async def run():
            begin = time.perf_counter()
            async with Swarm.open(plugins=(), functions={"work": work}, store=URL) as swarm:
                opened_at = time.perf_counter()
                questions = await swarm.store.questions(open_only=True)
                await asyncio.gather(*(swarm.answer(question.key, 1) for question in questions))
                results = await gone_on(swarm, [question.run_id for question in questions])
                resumed_at = time.perf_counter()
            job.note(
                rss_mib=kept_rss(job),
                restart_s=opened_at - begin,
                resume_all_s=resumed_at - opened_at,
            )
            done = [result for result in results if result.status is RunStatus.DONE]
            return len(done) if len(taken) == len(done) else f"{len(taken)} answers taken by {len(done)} runs"

        yield run

    kill_after(preparing())
    taken.clear()
    return measuring()


async def gone_on(swarm, run_ids):
    """Resume runs, some at a time, and return how they ended."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(run_id):
        async with room:
            launched = await swarm.resume(run_id)
            return await launched.wait()

    return await asyncio.gather(*map(one, run_ids))


def keep_rss(job, size):
    Path(job.file("rss")).write_text(str(size))


def kept_rss(job):
    return float(Path(job.file("rss")).read_text())


def settled_rss():
    """Return the memory in MiB that the process holds when nothing is left to collect."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
