"""What is left behind: nothing (P38)."""

import asyncio
import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

from swarm_core.errors import SpawnFailed
from swarm_core.processes import open_processes


def descriptors() -> dict[str, str]:
    """Return what this process has open."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own is gone by now
            found[entry.name] = str(entry.readlink())
    return found


async def test_no_reaper_runs_until_there_is_a_worker(children):
    before = children(os.getpid())

    async with open_processes():
        during = children(os.getpid())

    assert during == before


async def test_closing_kills_what_is_left_and_leaves_no_zombie(tree, env, children):
    before = children(os.getpid())

    async with open_processes() as processes:
        for _ in range(3):
            await processes.start(tree.argv("daemon", "ignore_sigterm"), env=env)
        await tree.grown(9)

    assert (tree.alive(), children(os.getpid())) == ([], before)


async def test_closing_ends_who_waits_and_who_reads(env):
    async with open_processes() as processes:
        process = await processes.start(["sleep", "600"], env=env)
        waiting = asyncio.ensure_future(process.wait())
        reading = asyncio.ensure_future(process.read_stdout(10))
        await asyncio.sleep(0.01)

    assert (await waiting, await reading) == (-9, b"")


async def test_nothing_starts_after_closing(env):
    async with open_processes() as processes:
        await processes.start(["true"], env=env)

    with pytest.raises(SpawnFailed, match="closed"):
        await processes.start(["true"], env=env)


async def test_closing_during_starts_leaves_nothing(tree, env, children):
    before = children(os.getpid())

    async with open_processes() as processes:
        starts = [asyncio.ensure_future(processes.start(tree.argv("daemon"), env=env)) for _ in range(20)]
        await asyncio.sleep(0.03)
    await asyncio.wait(starts)

    assert (tree.alive(), children(os.getpid())) == ([], before)
    assert all(isinstance(start.exception(), SpawnFailed) for start in starts if start.exception())


async def test_p38_no_descriptor_is_left_after_a_hundred_workers(processes, env, children, eventually):
    async def one() -> None:
        process = await processes.start(["echo", "x"], env=env)
        await process.wait()
        await process.kill()

    await one()
    [reaper] = children(os.getpid())
    reapers = Path(f"/proc/{reaper}/fd")
    before, reapers_before = descriptors(), sorted(reapers.iterdir())

    await asyncio.gather(*(one() for _ in range(100)))

    assert descriptors() == before
    assert sorted(reapers.iterdir()) == reapers_before
    await eventually(lambda: children(reaper) == [])


async def test_p38_no_descriptor_is_left_after_refusals(processes, env):
    await (await processes.start(["true"], env=env)).kill()
    before = descriptors()

    for _ in range(20):
        with pytest.raises(SpawnFailed):
            await processes.start(["no-such-program"], env=env)

    assert descriptors() == before


async def test_p38_no_descriptor_is_left_when_there_is_no_room_for_another_worker(processes, env):
    await (await processes.start(["true"], env=env)).kill()
    before = descriptors()
    started = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, before)) + 20, hard))
    try:
        with pytest.raises(SpawnFailed, match="ulimit -n") as caught:
            while True:
                started.append(await processes.start(["sleep", "600"], env=env))
        for process in started:
            await process.kill()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert (caught.value.errno_name, descriptors()) == ("EMFILE", before)


async def test_p38_no_descriptor_is_left_after_closing(env):
    before = descriptors()

    async with open_processes() as processes:
        await processes.start(["sleep", "600"], env=env)
        await processes.start(["true"], env=env)

    assert descriptors() == before
