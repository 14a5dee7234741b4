"""The pipes to a worker: nothing is lost, nothing grows, nothing hangs (P33, SP 127, 130, 132)."""

import asyncio
import hashlib
import signal
import sys
from pathlib import Path

import pytest


def resident() -> int:
    """Return this process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class TestReading:
    async def test_what_a_program_prints_arrives_in_order(self, processes, env, output_of):
        process = await processes.start(["seq", "1", "100000"], env=env)

        output = await output_of(process.read_stdout)

        assert output == b"".join(b"%d\n" % number for number in range(1, 100001))

    async def test_no_more_than_the_limit_is_returned(self, processes, env):
        process = await processes.start(["printf", "abcdef"], env=env)
        await process.wait()

        parts = [await process.read_stdout(4), await process.read_stdout(4), await process.read_stdout(4)]

        assert parts == [b"abcd", b"ef", b""]

    async def test_both_streams_are_kept_apart(self, processes, env, output_of):
        process = await processes.start(["sh", "-c", "echo out; echo err >&2"], env=env)

        out, err = await asyncio.gather(output_of(process.read_stdout), output_of(process.read_stderr))

        assert (out, err) == (b"out\n", b"err\n")

    async def test_a_cancelled_read_loses_nothing(self, processes, env, output_of):
        process = await processes.start(["cat"], env=env)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.read_stdout(10), 0.01)
        await process.write(b"after")
        process.close_stdin()

        assert await output_of(process.read_stdout) == b"after"

    async def test_one_stream_is_for_one_task_at_a_time(self, processes, env):
        process = await processes.start(["cat"], env=env)
        reading = asyncio.ensure_future(process.read_stdout(10))
        await asyncio.sleep(0.01)

        with pytest.raises(RuntimeError, match="another task"):
            await process.read_stdout(10)
        await process.write(b"x")

        assert await reading == b"x"

    async def test_a_limit_below_one_is_refused(self, processes, env):
        process = await processes.start(["true"], env=env)

        with pytest.raises(ValueError, match="at least 1"):
            await process.read_stdout(0)

    async def test_output_can_be_read_after_the_end(self, processes, env, output_of):
        process = await processes.start(["echo", "last words"], env=env)
        await process.wait()
        await asyncio.sleep(0.05)

        assert await output_of(process.read_stdout) == b"last words\n"

    async def test_a_kill_wakes_who_reads(self, processes, env):
        process = await processes.start(["sleep", "600"], env=env)
        reading = asyncio.ensure_future(process.read_stdout(10))
        await asyncio.sleep(0.01)

        await process.kill()

        assert await reading == b""

    async def test_a_fast_program_does_not_keep_the_others_waiting(self, processes, env):
        """Another task gets its turn again and again while one reads what is always there."""
        process = await processes.start(["head", "-c", "50000000", "/dev/zero"], env=env)
        turns = 0

        async def read_all() -> None:
            while await process.read_stdout(4096):
                pass

        reading = asyncio.ensure_future(read_all())
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)

        assert turns > 50_000_000 / 4096 / 32

    async def test_p33_sp127_a_gigabyte_costs_no_memory_when_it_is_read(self, processes, env):
        process = await processes.start(["head", "-c", "1000000000", "/dev/zero"], env=env)
        before, sizes, grown = resident(), [], [0]

        while part := await process.read_stdout(65536):
            sizes.append(len(part))
            if len(sizes) % 500 == 0:
                grown.append(resident() - before)

        assert sum(sizes) == 1_000_000_000
        assert max(grown) < 32 * 2**20

    async def test_p33_sp127_a_gigabyte_costs_no_memory_when_nobody_reads_it(self, processes, env):
        before = resident()
        process = await processes.start(["sh", "-c", "head -c 1000000000 /dev/zero | tee /dev/stderr"], env=env)

        await asyncio.sleep(0.3)
        grown = resident() - before
        await process.kill()

        assert grown < 32 * 2**20


class TestWriting:
    async def test_what_is_written_arrives(self, processes, env, output_of):
        process = await processes.start(["sha256sum"], env=env)

        await process.write(b"x" * 10_000_000)
        process.close_stdin()

        expected = hashlib.sha256(b"x" * 10_000_000).hexdigest()
        assert (await output_of(process.read_stdout)).decode().split()[0] == expected

    async def test_sp132_who_talks_while_it_is_told_causes_no_deadlock(self, processes, env, output_of):
        process = await processes.start(["cat"], env=env)

        async def tell() -> None:
            await process.write(b"y" * 5_000_000)
            process.close_stdin()

        _, told = await asyncio.gather(tell(), output_of(process.read_stdout))

        assert told == b"y" * 5_000_000

    async def test_sp132_who_does_not_read_breaks_the_pipe_and_nothing_else(self, processes, env):
        process = await processes.start(["sh", "-c", "exec <&-; exit 4"], env=env)

        with pytest.raises(BrokenPipeError):
            await process.write(b"x" * 10_000_000)

        assert await process.wait() == 4

    async def test_sp132_a_write_that_waits_can_be_cancelled(self, processes, env):
        process = await processes.start(["sleep", "600"], env=env)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.write(b"x" * 10_000_000), 0.05)
        await process.kill()

        assert await process.wait() == -signal.SIGKILL

    async def test_a_kill_wakes_who_writes(self, processes, env):
        process = await processes.start(["sleep", "600"], env=env)
        writing = asyncio.ensure_future(process.write(b"x" * 10_000_000))
        await asyncio.sleep(0.01)

        await process.kill()

        with pytest.raises(BrokenPipeError):
            await writing

    async def test_nothing_can_be_written_after_the_close(self, processes, env):
        process = await processes.start(["cat"], env=env)
        process.close_stdin()

        with pytest.raises(BrokenPipeError):
            await process.write(b"x")

        assert await process.wait() == 0


class TestWaiting:
    async def test_sp130_the_end_is_told_although_a_child_holds_the_output(self, processes, env):
        process = await processes.start(["sh", "-c", "sleep 600 & exit 3"], env=env)

        assert await process.wait() == 3

    async def test_sp130_a_closed_output_is_no_end(self, processes, env, output_of):
        process = await processes.start(["sh", "-c", "exec >&- 2>&-; read line; exit 5"], env=env)

        output = await output_of(process.read_stdout)
        await process.write(b"go\n")

        assert (output, await process.wait()) == (b"", 5)

    async def test_the_end_is_told_although_nobody_reads_the_output(self, processes, env):
        process = await processes.start([sys.executable, "-c", "print('x' * 60000)"], env=env)

        assert await process.wait() == 0

    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
    async def test_sp131_a_signal_is_told_as_its_negative_number(self, processes, env, number):
        process = await processes.start(["sh", "-c", f"kill -{int(number)} $$"], env=env)

        assert await process.wait() == -number
