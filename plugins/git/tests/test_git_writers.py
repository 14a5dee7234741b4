"""Several writers, killed writers, locks that were left, and an event loop that goes on meanwhile."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from swarm_plugin_git import open_git_blueprints
from swarm_plugin_git.locks import MARK

from swarm_core.errors import StoreUnavailable
from swarm_core.model.version import CommitMetadata

CHILD = Path(__file__).with_name("git_child.py")


@pytest.fixture
def child():
    """Start a process of the child module, which does not outlive the test."""
    started = []

    def start(*arguments):
        process = subprocess.Popen([sys.executable, CHILD, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def acknowledged(process):
    """Return what a process acknowledged until its end."""
    said, _ = process.communicate(timeout=100)
    return [line.split()[1] for line in said.split("\n") if line.startswith("ack ")]


async def test_row_84_eight_processes_lose_no_version(url, child, git):
    writers = [child("write", url, f"w{number}", 50) for number in range(8)]

    told = [set(acknowledged(writer)) for writer in writers]

    assert [50] * 8 == [len(versions) for versions in told]
    async with open_git_blueprints(url) as store:
        entries = await store.history("review")
        assert list(range(400, 0, -1)) == [entry.number for entry in entries]
        assert set().union(*told) == {entry.version for entry in entries}
        assert [(entry.version,) for entry in entries[1:]] == [entry.parents for entry in entries[:-1]]
        assert [] == list(await store.problems())
    assert "400\n" == git("rev-list", "--count", "review")
    assert "" == git("fsck", "--strict")


def test_a_writer_may_be_killed_at_any_file_operation(memory_path, child, git):
    kills = [json.loads(line) for line in child("kills", memory_path).communicate(timeout=110)[0].splitlines()]

    assert len(kills) > 100
    for told in kills:
        kept = told["kept"]
        assert [*range(len(kept) - kept.count("archived"), 0, -1), *["archived"] * kept.count("archived")] == kept, told
        assert told["acked"] <= len(kept) <= told["acked"] + 1, told
        assert ([], [], min(len(kept), 2) + 1) == (told["problems"], told["locks"], told["added"]), told
    assert [2, 1, "archived"] == kills[-1]["kept"]
    for number in range(1, len(kills), 10):
        assert "" == git("fsck", "--strict", "--no-dangling", at=memory_path / f"{number}.git")


async def test_a_writer_that_is_killed_loses_nothing_it_acknowledged(url, child, git):
    told: list[str] = []
    for kill in range(5):
        writer = child("forever", url, f"w{kill}")
        for _ in range(1 + kill % 5):
            told.append(writer.stdout.readline().split()[1])
        # Anywhere in the next write: the kill comes at no particular instruction of it.
        threading.Event().wait(kill % 7 * 0.0007)
        writer.send_signal(signal.SIGKILL)
        told += acknowledged(writer)

    async with open_git_blueprints(url) as store:
        entries = await store.history("review")
        assert set(told) <= {entry.version for entry in entries}
        assert list(range(len(entries), 0, -1)) == [entry.number for entry in entries]
        assert [] == list(await store.problems())
        await store.write_new("review", "{}", parent=entries[0].version, metadata=CommitMetadata())
    assert "" == git("fsck", "--strict", "--no-dangling")


async def test_a_write_for_which_there_is_no_room_leaves_nothing_and_the_next_one_goes_on(url, path, child, git):
    said, _ = child("limited", url).communicate(timeout=60)

    assert ["ack 1", "StoreUnavailable: cannot be read or written: File too large", "ack 2"] == said.splitlines()
    assert "" == git("fsck", "--strict", "--no-dangling")
    assert not [*path.glob("objects/tmp_obj_*"), *path.glob("refs/heads/*.lock"), *path.glob("swarm/*_*")]


class TestLocks:
    async def test_the_lock_of_a_killed_writer_is_removed(self, url, path, child, write):
        async with open_git_blueprints(url) as store:
            await write(store, id="other")
            holder = child("hold", url)
            assert "held\n" == holder.stdout.readline()
            holder.kill()
            holder.wait()
            assert (path / "refs/heads/review.lock").exists()

            await write(store)

        assert not list((path / "refs/heads").glob("*.lock"))

    async def test_the_lock_of_a_writer_that_lives_is_waited_for_and_never_removed(self, url, path, child, write, text):
        async with open_git_blueprints(f"{url}?lock_timeout=300ms") as store:
            (entry,) = await write(store)
            holder = child("hold", url)
            assert "held\n" == holder.stdout.readline()
            lock = path / "refs/heads/review.lock"
            os.utime(lock, (0, 0))

            with pytest.raises(StoreUnavailable, match="'review' is locked by another writer"):
                await store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())

            assert lock.exists()
            assert (text(1), entry) == await store.read_head("review")
            await write(store, id="other")

    async def test_who_waits_goes_on_when_the_lock_is_given_up(self, url, child, write, text):
        async with open_git_blueprints(url) as store:
            (entry,) = await write(store)
            holder = child("hold", url)
            assert "held\n" == holder.stdout.readline()

            writing = asyncio.create_task(
                store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())
            )
            assert text(1) == (await store.read_head("review"))[0]
            assert not writing.done()
            holder.kill()

            assert 2 == (await writing).number

    async def test_closing_ends_a_wait_for_a_lock(self, url, child, write, text):
        async with open_git_blueprints(url) as store:
            (entry,) = await write(store)
            holder = child("hold", url)
            assert "held\n" == holder.stdout.readline()
            writing = asyncio.create_task(
                store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())
            )
            await store.read_head("review")

        with pytest.raises(StoreUnavailable, match="is closed"):
            await writing

    @pytest.mark.parametrize("content", ["", "0" * 40, MARK.decode()[:10]])
    async def test_the_lock_of_another_program_is_never_removed_but_told(self, url, path, write, text, content):
        lock = path / "refs/heads/review.lock"
        async with open_git_blueprints(f"{url}?lock_timeout=100ms") as store:
            (entry,) = await write(store)
            lock.write_text(content)
            os.utime(lock, (0, 0))

            with pytest.raises(StoreUnavailable, match="another program") as caught:
                await store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())

            assert str(lock) in caught.value.hint
            assert lock.exists()
            (problem,) = await store.problems()
            assert str(lock) in problem
            assert (text(1), entry) == await store.read_head("review")

    async def test_a_lock_that_changed_hands_is_not_taken_for_the_dead_one(self, url, path, write, text):
        """A dead lock that is gone from its place is not there to be removed, whoever has the place now."""
        from swarm_plugin_git.locks import is_left_behind

        async with open_git_blueprints(url) as store:
            await write(store)
        lock = path / "refs/heads/review.lock"
        lock.write_bytes(MARK)
        assert is_left_behind(lock)

        with lock.open("rb") as living:
            fcntl.flock(living, fcntl.LOCK_EX)
            assert is_left_behind(lock) is False

    async def test_what_killed_writers_left_is_swept_away(self, url, path, write):
        async with open_git_blueprints(url) as store:
            await write(store)
        old, young = path / "swarm/lock_1_old", path / "swarm/lock_1_young"
        for file in (old, young):
            file.write_bytes(MARK)
        os.utime(old, (0, 0))

        async with open_git_blueprints(url) as store:
            await write(store, id="other")

        assert (False, True) == (old.exists(), young.exists())


async def test_the_event_loop_goes_on_while_a_write_waits(url, child, write, text):
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with open_git_blueprints(f"{url}?lock_timeout=200ms") as store:
        (entry,) = await write(store)
        holder = child("hold", url)
        assert "held\n" == holder.stdout.readline()
        counting = asyncio.create_task(count())
        with pytest.raises(StoreUnavailable):
            await store.write_new("review", text(2), parent=entry.version, metadata=CommitMetadata())
        counting.cancel()

    assert turns > 100
