"""What the SQLite store does when it is killed, when the disk fails, and when others hold its lock."""

import ast
import asyncio
import json
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from swarm_core.builtin.sqlite import open_sqlite_runs
from swarm_core.errors import StoreUnavailable
from swarm_core.model.run import JournalRow, RunWrite, StoredRun
from swarm_core.model.task import RunStatus

CHILD = Path(__file__).with_name("store_child.py")


def child(*arguments, before=(), **options):
    """Run the child and return what it said, line by line."""
    command = [*before, sys.executable, str(CHILD), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def strace_refuses():
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    done = subprocess.run(["strace", "-e", "trace=none", "true"], check=False, capture_output=True, text=True)
    return f"strace may not trace here: {done.stderr.strip()[:80]}" if done.returncode else ""


traced = pytest.mark.skipif(bool(strace_refuses()), reason=strace_refuses() or "-")


def a_write(number, run_id="RUN-1"):
    row = JournalRow(run_id=run_id, first_seq=number, last_seq=number, body=f"[{number}]")
    return RunWrite(run_id=run_id, epoch=1, rows=(row,), create=a_run(run_id) if number == 1 else None)


def a_run(run_id="RUN-1"):
    facts = {"blueprint_id": "b", "blueprint_hash": "0" * 64, "launch": {}, "status": RunStatus.RUNNING}
    return StoredRun(id=run_id, created_at=1.0, updated_at=1.0, **facts)


class TestAcknowledged:
    """P2: nothing is acknowledged before it is on disk."""

    @traced
    @pytest.mark.parametrize(("durability", "synced"), [("full", 20), ("relaxed", 0)])
    def test_p2_each_commit_is_synced_before_it_is_acknowledged(self, durability, synced, tmp_path):
        url = f"sqlite:///{tmp_path}/runs.db?durability={durability}"
        before = ["strace", "-f", "-y", "-e", "trace=fdatasync,fsync,pwrite64,write", "-o", str(tmp_path / "trace")]

        child("write", url, 20, before=before)

        assert synced == sum(self.acks(tmp_path / "trace"))

    @staticmethod
    def acks(trace):
        """Yield for each acknowledgement of a commit whether what it had written to the log was synced before it."""
        written = synced = False
        for line in trace.read_text().splitlines():
            if re.search(r"pwrite64\(\d+<[^>]*-wal>", line):
                written, synced = True, False
            elif re.search(r"(fdatasync|fsync)\(\d+<[^>]*-wal>", line) or "fdatasync resumed" in line:
                synced = True
            elif "write(1<" in line and '"ack' in line:
                assert written, "an acknowledgement of what was not even written"
                yield synced
                written = synced = False
            elif "reopened" in line:
                return


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What is left after a kill at each statement, the making of the file included."""
    return [json.loads(line) for line in child("kills", tmp_path_factory.mktemp("kills"))]


class TestKilled:
    """P6: result, event and status change are one transaction; P1 for the store: what was acknowledged stays."""

    def test_p6_all_statements_were_tried(self, ends):
        assert len(ends) > 50
        assert [0, 1, 2, 3, 4] == sorted({end["acked"] for end in ends})

    def test_p1_what_was_acknowledged_is_there(self, ends):
        assert [] == [end for end in ends if not end["acked"] <= end["steps"] <= end["acked"] + 1]

    def test_p6_each_write_is_there_as_a_whole_or_not_at_all(self, ends):
        for end in ends:
            steps = end["steps"]
            whole = {
                "rows": list(range(1, steps + 1)),
                "counts": steps,
                "result": steps,
                "questions": steps,
                "open": [f"R-{steps}"] if steps else [],
                "outputs": [1] * steps + [0] * (4 - steps),
            }
            assert whole == {name: end[name] for name in whole}, end

    def test_p6_the_store_is_sound_and_goes_on(self, ends):
        assert {4} == {end["whole"] for end in ends}
        assert [] == [problem for end in ends for problem in end["problems"]]


class TestDisk:
    """P8: a failure of the disk is loud and safe."""

    @staticmethod
    def ended(lines):
        """Return what was acknowledged, what failed, what was kept, and the rest."""
        at = lines.index("reopened")
        acked = [int(line.removeprefix("ack ")) for line in lines[:at] if line.startswith("ack ")]
        failed = [line for line in lines[:at] if line.startswith("failed ")]
        kept = ast.literal_eval(lines[at + 1].removeprefix("kept "))
        return acked, failed, kept, lines[at + 2 :]

    @traced
    @pytest.mark.parametrize("when", [1, *range(3, 11)])  # the second one syncs the folder, which may fail
    def test_p8_after_a_failed_sync_nothing_is_acknowledged_until_it_is_opened_anew(self, when, tmp_path):
        """The n-th sync of each thread fails: of 30 commits there are enough in one of them."""
        before = ["strace", "-f", "-o", "/dev/null", "-e", f"inject=fdatasync:error=EIO:when={when}"]

        lines = child("write", f"sqlite:///{tmp_path}/runs.db", 30, before=before)

        acked, failed, kept, after = self.ended(lines)
        assert len(acked) < 30
        assert acked == list(range(1, len(acked) + 1))
        assert kept in (acked, [*acked, len(acked) + 1])  # what was not acknowledged may be there all the same
        assert "SQLITE_IOERR_FSYNC" in failed[0]
        assert all("takes no more, because a commit failed" in line for line in failed[1:])
        assert len(acked) + len(failed) == 30
        assert "problems []" == after[0]
        assert after[1] == "ack 1" or after[1].startswith("failed StoreUnavailable")
        assert "files 0" == after[2]

    @traced
    def test_p8_a_disk_that_stays_broken_stays_told(self, tmp_path):
        child("write", f"sqlite:///{tmp_path}/runs.db", 1)
        before = ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO"]

        lines = child("write", f"sqlite:///{tmp_path}/runs.db", 3, before=before)

        acked, failed, kept, after = self.ended(lines)
        assert ([], 3) == (acked, len(failed))
        assert kept in ([1, 1], [1, 1, 1])
        assert "problems []" == after[0]
        assert after[1].startswith("failed StoreUnavailable")
        assert "files 0" == after[2]

    @traced
    @pytest.mark.parametrize("call", ["pwrite64", "pread64", "fdatasync", "openat"])
    @pytest.mark.parametrize("when", [1, 2, 6])
    def test_p8_a_call_that_fails_is_told_or_does_no_harm(self, call, when, tmp_path):
        child("write", f"sqlite:///{tmp_path}/runs.db", 2)
        at = f"inject={call}:error=EIO:when={when}"
        before = ["strace", "-f", "-o", "/dev/null", "-P", str(tmp_path / "runs.db-wal"), "-e", at]

        lines = child("write", f"sqlite:///{tmp_path}/runs.db", 6, before=before)

        acked, failed, kept, after = self.ended(lines)
        assert kept in ([1, 2, 1, *acked], [1, 2, 1, *acked, len(acked) + 1])
        assert 6 <= len(acked) + len(failed) or "cannot be opened" in failed[0]
        assert "problems []" == after[0]

    def test_p8_a_limit_on_the_size_of_files_is_told(self, tmp_path):
        child("write", f"sqlite:///{tmp_path}/runs.db", 2)

        lines = child(
            "write",
            f"sqlite:///{tmp_path}/runs.db",
            60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        )

        acked, failed, kept, after = self.ended(lines)
        assert 0 < len(acked) < 60
        assert "SQLITE_IOERR" in failed[0]
        assert kept in ([1, 2, 1, *acked], [1, 2, 1, *acked, len(acked) + 1])
        assert "problems []" == after[0]

    def test_p8_cl151_a_full_disk_is_told_and_may_be_emptied(self, tmp_path):
        """What did not fit is not there; when there is room again, the store goes on without being opened anew."""
        small = tmp_path / "small"
        small.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)],
            check=False,
            capture_output=True,
            text=True,
        )
        if mounted.returncode:
            pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
        try:
            asyncio.run(self.fill(small))
        finally:
            subprocess.run(["umount", str(small)], check=True)

    @staticmethod
    async def fill(folder):
        ballast = folder / "ballast"
        ballast.write_bytes(b"x" * 100_000)
        async with open_sqlite_runs(f"sqlite:///{folder}/runs.db") as store:
            acked = 0
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                for number in range(1, 1000):
                    assert {} == await store.commit([a_write(number)])
                    acked = number
            assert 0 < acked
            assert acked == (await store.get("RUN-1")).last_seq
            ballast.unlink()
            assert {} == await store.commit([a_write(acked + 1)])
        async with open_sqlite_runs(f"sqlite:///{folder}/runs.db") as store:
            assert acked + 1 == (await store.get("RUN-1")).last_seq
            assert not [problem for problem in await store.problems() if "Blueprint" not in problem]

    def test_p8_cl151_a_disk_too_full_for_a_store_is_told_and_left_clean(self, tmp_path):
        with pytest.raises(subprocess.CalledProcessError) as failed:
            subprocess.run(
                [sys.executable, str(CHILD), "write", f"sqlite:///{tmp_path}/runs.db", "1"],
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )

        assert "failed StoreUnavailable" in failed.value.stdout
        assert [] == list(tmp_path.iterdir())


class TestLocked:
    """P9: a lock that others hold is waited for."""

    @staticmethod
    def holder(path, seconds, times):
        return subprocess.Popen(
            [sys.executable, str(CHILD), "hold", str(path), str(seconds), str(times)],
            stdout=subprocess.PIPE,
            text=True,
        )

    async def test_p9_cl151_writes_wait_for_the_lock_of_a_live_process_and_none_fails(self, tmp_path):
        """Another process holds the write lock for 3 s, again and again; the event loop goes on meanwhile."""
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
            await asyncio.gather(*(store.commit([a_write(1, f"RUN-{lane}")]) for lane in range(4)))
            turns, holder = Counter(), self.holder(tmp_path / "runs.db", 3, 2)

            async def write(lane):
                for number in range(2, 30):
                    assert {} == await store.commit([a_write(number, f"RUN-{lane}")])

            async def turn():
                while True:
                    await asyncio.sleep(0.01)
                    turns["held" if store._writer.working else "free"] += 1

            turning = asyncio.create_task(turn())
            await asyncio.to_thread(holder.stdout.readline)
            await asyncio.gather(*map(write, range(4)))
            while holder.poll() is None:
                await asyncio.sleep(0.05)
            turning.cancel()
            holder.stdout.close()

            assert [29] * 4 == [(await store.get(f"RUN-{lane}")).last_seq for lane in range(4)]
            assert turns["held"] > 20

    async def test_p9_reading_goes_on_while_another_process_writes(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
            await store.commit([a_write(1)])
            holder = self.holder(tmp_path / "runs.db", 60, 1)
            try:
                await asyncio.to_thread(holder.stdout.readline)

                assert 1 == (await store.get("RUN-1")).last_seq
            finally:
                holder.kill()
                holder.wait()
                holder.stdout.close()

    async def test_a_lock_held_too_long_is_told_and_the_store_goes_on_afterwards(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db?lock_timeout=200ms") as store:
            await store.commit([a_write(1)])
            holder = self.holder(tmp_path / "runs.db", 60, 1)
            await asyncio.to_thread(holder.stdout.readline)

            ends = await asyncio.gather(*(store.commit([a_write(2)]) for _ in range(3)), return_exceptions=True)
            holder.kill()
            holder.wait()
            holder.stdout.close()

            assert [StoreUnavailable] * 3 == [type(end) for end in ends]
            assert "is locked by another process" in str(ends[0])
            assert {} == await store.commit([a_write(2)])

    async def test_cl151_the_lock_of_a_dead_process_holds_nobody_up(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db?lock_timeout=200ms") as store:
            await store.commit([a_write(1)])
        holder = self.holder(tmp_path / "runs.db", 60, 1)
        await asyncio.to_thread(holder.stdout.readline)
        holder.kill()
        holder.wait()
        holder.stdout.close()

        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db?lock_timeout=200ms") as store:
            assert {} == await store.commit([a_write(2)])

    async def test_what_waits_for_the_lock_is_refused_when_the_store_is_closed(self, tmp_path):
        async with open_sqlite_runs(f"sqlite:///{tmp_path}/runs.db") as store:
            await store.commit([a_write(1)])
            holder = self.holder(tmp_path / "runs.db", 60, 1)
            await asyncio.to_thread(holder.stdout.readline)
            waiting = asyncio.create_task(store.commit([a_write(2)]))
            await asyncio.sleep(0)
        try:
            with pytest.raises(StoreUnavailable, match="is closed"):
                await waiting
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
