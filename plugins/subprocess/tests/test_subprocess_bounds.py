"""What a program cannot do: outlive its attempt, flood the engine, hold up the flow (P15, P33, SP 127, 130, 136)."""

import asyncio
import sys
from pathlib import Path

import pytest

from swarm_core.errors import WorkerFailed
from swarm_core.testing import check_spawner, make_call

# Begins descendants in every way to escape, notes their ids in the file `pids`, and waits.
TREE = """
note() { echo $$ >> pids; exec sleep 600; }
sh -c 'echo $$ >> pids; exec sleep 600' &
(sh -c 'echo $$ >> pids; exec sleep 600' &)
setsid sh -c 'echo $$ >> pids; exec sleep 600' &
(setsid sh -c 'echo $$ >> pids; exec sleep 600' >/dev/null 2>&1 </dev/null &)
nohup sh -c 'echo $$ >> pids; exec sleep 600' &
sh -c 'trap "" TERM INT HUP; echo $$ >> pids; while :; do sleep 1; done' &
env -i setsid /bin/sh -c 'echo $$ >> pids; exec /bin/sleep 600' &
echo $$ >> pids
while [ $(wc -l < pids) -lt 8 ]; do sleep 0.01; done
echo grown > grown
"""


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def grown(folder: Path) -> None:
    while not (folder / "grown").exists():
        await asyncio.sleep(0.01)


class TestEnd:
    async def test_p15_sp136_cancelling_an_attempt_ends_the_whole_tree(self, bench, tmp_path, alive):
        spawner = bench.build({"program": "sh", "args": ["-c", TREE + "sleep 600"]})
        running = asyncio.ensure_future(spawner.run(make_call(input="")))
        await grown(tmp_path)

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        assert len((tmp_path / "pids").read_text().split()) == 8
        assert alive(tmp_path / "pids") == []

    async def test_p15_a_timeout_ends_the_whole_tree(self, bench, tmp_path, alive):
        spawner = bench.build({"program": "sh", "args": ["-c", TREE + "sleep 600"]})
        limit = asyncio.timeout(None)

        async def attempt() -> None:
            async with limit:
                await spawner.run(make_call(input=""))

        running = asyncio.ensure_future(attempt())
        await grown(tmp_path)
        limit.reschedule(asyncio.get_running_loop().time())
        with pytest.raises(TimeoutError):
            await running

        assert alive(tmp_path / "pids") == []

    async def test_p15_sp130_what_a_program_leaves_behind_ends_with_the_attempt(self, bench, tmp_path, alive):
        result = await bench.shell(TREE + "echo 5")

        assert (result.value, result.ok) == (5, True)
        assert alive(tmp_path / "pids") == []

    async def test_sp130_what_a_child_prints_within_the_grace_counts(self, bench):
        result = await bench.shell("(sleep 0.2; echo late) & echo early", output="text")

        assert result.value == "early\nlate"

    async def test_sp130_a_child_that_holds_the_output_for_ever_is_ended(self, bench):
        result = await bench.shell("(while :; do echo x; sleep 0.1; done) & echo early", output="text")

        assert result.ok
        assert result.value.startswith(("early", "x"))

    async def test_sp130_a_program_that_closes_its_output_is_waited_for(self, bench):
        result = await bench.shell("echo 1; exec >&- 2>&-; sleep 0.3; exit 4")

        assert (result.value, result.facts) == (1, {"exit_code": 4})

    async def test_p15_a_program_that_is_cancelled_may_tidy_up(self, bench, tmp_path):
        on = """echo '{"type":"partial","chunk":"on"}'"""
        script = f"trap 'echo tidy > tidied; exit 0' TERM; {on}; while :; do sleep 0.01; done"
        spawner = bench.build({"program": "sh", "args": ["-c", script], "stream_mode": "ndjson_lines"})
        running = asyncio.ensure_future(spawner.run(make_call(input="", context=bench.context)))
        while not bench.context.outputs:
            await asyncio.sleep(0.01)

        running.cancel()
        await asyncio.wait([running])

        assert (tmp_path / "tidied").read_text() == "tidy\n"

    async def test_an_output_that_the_engine_refuses_ends_the_program(self, bench, tmp_path, alive):
        """The attempt's context raises when the attempt has ended; that must reach the engine, not the void."""
        script = """echo $$ > pids; while :; do echo '{"type":"partial","chunk":"x"}'; sleep 0.01; done"""
        spawner = bench.build({"program": "sh", "args": ["-c", script], "stream_mode": "ndjson_lines"})
        running = asyncio.ensure_future(spawner.run(make_call(input="", context=bench.context)))
        while not bench.context.outputs:
            await asyncio.sleep(0.01)

        bench.context.end()
        with pytest.raises(Exception, match="token revoked"):
            await running

        assert alive(tmp_path / "pids") == []

    async def test_sp136_a_bounded_fork_bomb_ends_with_its_attempt(self, bench, tmp_path, alive):
        code = (
            "import os, time\n"
            "for _ in range(7):\n"
            "    if os.fork() == 0: os.setsid()\n"
            "os.write(os.open('pids', os.O_WRONLY | os.O_APPEND | os.O_CREAT), b'%d\\n' % os.getpid())\n"
            "time.sleep(600)"
        )
        spawner = bench.build({"program": sys.executable, "args": ["-I", "-S", "-c", code]})
        running = asyncio.ensure_future(spawner.run(make_call(input="")))
        while not (tmp_path / "pids").exists() or len((tmp_path / "pids").read_text().split()) < 128:
            await asyncio.sleep(0.01)

        running.cancel()
        await asyncio.wait([running])

        assert alive(tmp_path / "pids") == []
        assert (await bench.run({"program": "echo", "args": ["1"]})).value == 1


class TestFloods:
    async def test_p33_sp127_a_gigabyte_on_stdout_ends_the_program_and_costs_little_memory(self, bench):
        before = resident()

        with pytest.raises(WorkerFailed, match="more than 16777216 bytes") as caught:
            await bench.run({"program": "head", "args": ["-c", "1000000000", "/dev/zero"]})

        assert caught.value.kind == "output_too_large"
        assert resident() - before < 32 * 2**20

    async def test_p33_sp127_a_gigabyte_on_stderr_is_kept_to_its_end(self, bench):
        before = resident()

        result = await bench.shell("head -c 1000000000 /dev/zero >&2; echo the end >&2; echo 5")

        assert (result.value, result.facts["stderr"][-8:]) == (5, "the end\n")
        assert (len(result.facts["stderr"]), result.facts["stderr_dropped"]) == (65536, 1_000_000_008 - 65536)
        assert resident() - before < 32 * 2**20

    async def test_p33_sp127_both_at_once(self, bench):
        with pytest.raises(WorkerFailed) as caught:
            await bench.shell("head -c 1000000000 /dev/zero | tee /dev/stderr")

        assert caught.value.kind == "output_too_large"

    async def test_p33_the_bound_can_be_set(self, bench):
        spec = {"program": "head", "args": ["-c", "1025", "/dev/zero"], "output": "text"}

        kept = await bench.run(spec, section={"max_stdout": 1025})
        with pytest.raises(WorkerFailed, match="more than 1024 bytes"):
            await bench.run(spec, section={"max_stdout": "1KiB"})

        assert len(kept.value) == 1025

    async def test_sp127_one_byte_at_a_time_for_ever_is_a_matter_for_the_timeout(self, bench):
        spawner = bench.build({"program": "sh", "args": ["-c", "while :; do printf x; sleep 0.05; done"]})

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await spawner.run(make_call(input=""))

    async def test_sp136_limits_reach_the_program(self, bench):
        result = await bench.shell("ulimit -n; ulimit -t", output="text", section={"limits": {"nofile": 77, "cpu": 9}})

        assert result.value == "77\n9"


class TestContract:
    async def test_the_kind_keeps_the_contract_of_workers(self, bench):
        result = await check_spawner(bench.build({"program": "cat"}))

        assert result.value == {"topic": "tea", "n": 3}

    async def test_fifty_attempts_at_once_do_not_disturb_each_other(self, bench):
        spawner = bench.build({"program": "cat"})

        results = await asyncio.gather(*(spawner.run(make_call(input=number)) for number in range(50)))

        assert [result.value for result in results] == list(range(50))
