"""The pool: processes started when needed, kept, replaced, and gone at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import swarm_plugin_lua
from swarm_plugin_lua.job import Job, Reply
from swarm_plugin_lua.pool import LuaPool, open_pool
from swarm_plugin_lua.process import LuaProcess

from swarm_core.contracts import Process, Processes
from swarm_core.errors import SpawnFailed
from swarm_core.settings import Settings

MakeJob = Callable[..., Job]
MEMORY = 64 * 1024 * 1024

HANG = "return string.find(('a'):rep(30000), ('.-'):rep(20) .. 'b')"


class Instead:
    """Starts a Python program of the test's in place of whatever is asked for; counts what was asked."""

    def __init__(self, real: Processes, program: str) -> None:
        self.real, self.program, self.started = real, program, 0

    async def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Process:
        self.started += 1
        return await self.real.start([sys.executable, "-I", "-S", "-c", self.program], env=env)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def started(pool: LuaPool) -> int:
    """Wait until a process runs, and return its id."""
    while not pool.pids:
        await asyncio.sleep(0.005)
    [pid] = pool.pids
    return pid


class TestProcesses:
    async def test_nothing_is_started_before_a_job(self, processes: Processes) -> None:
        counting = Instead(processes, "")

        async with open_pool(size=2, memory_limit=MEMORY) as pool:
            assert (pool.pids, pool.level, counting.started) == (frozenset(), None, 0)

    async def test_one_process_serves_job_after_job(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        await pool.run(make_job("return 1"), processes)
        first = pool.pids

        for number in range(20):
            assert (await pool.run(make_job(f"return {number}"), processes)).value == number

        assert pool.pids == first

    async def test_process_outlives_scripts_that_fail(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        await pool.run(make_job("return 1"), processes)
        first = pool.pids

        for source in ("error('x')", "return print", "local x = = 1", "return ('x'):rep(1 << 30)"):
            assert (await pool.run(make_job(source), processes)).status != "done"
        await pool.run(make_job("while true do end", time_limit=0.1), processes)

        assert pool.pids == first

    async def test_as_many_processes_as_jobs_at_once_up_to_the_size(
        self, processes: Processes, make_job: MakeJob
    ) -> None:
        async with open_pool(size=2, memory_limit=MEMORY) as pool:
            replies = await asyncio.gather(*(pool.run(make_job("return _CTX", input=n), processes) for n in range(10)))

            assert [reply.value for reply in replies] == list(range(10))
            assert len(pool.pids) == 2

    async def test_all_are_gone_when_the_pool_closes(self, processes: Processes, make_job: MakeJob) -> None:
        async with open_pool(size=2, memory_limit=MEMORY) as pool:
            await asyncio.gather(*(pool.run(make_job("return 1"), processes) for _ in range(4)))
            pids = pool.pids

        assert [pid for pid in pids if alive(pid)] == []

    async def test_level_is_told_while_a_process_runs(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        await pool.run(make_job("return 1"), processes)

        assert pool.level in ("process", "process+seccomp")


class TestEnds:
    async def test_hanging_c_call_is_killed_at_its_limit_and_the_next_call_works(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        await pool.run(make_job("return 1"), processes)
        [hung] = pool.pids

        reply = await pool.run(make_job(HANG, time_limit=0.2), processes)

        assert reply == Reply(status="timeout")
        assert not alive(hung)
        assert (await pool.run(make_job("return 2"), processes)).value == 2

    async def test_process_that_dies_in_a_script_is_a_crash_and_the_next_call_works(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        running = asyncio.ensure_future(pool.run(make_job("while true do end"), processes))
        pid = await started(pool)
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

        assert await running == Reply(status="crashed", text="it was ended by SIGKILL")
        assert (await pool.run(make_job("return 2"), processes)).value == 2

    async def test_process_that_died_while_it_was_idle_is_replaced_unnoticed(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        await pool.run(make_job("return 1"), processes)
        [pid] = pool.pids
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            await asyncio.sleep(0.005)

        reply = await pool.run(make_job("return 2"), processes)

        assert (reply.status, reply.value) == ("done", 2)

    async def test_cancelling_a_running_job_kills_its_process_only(
        self, processes: Processes, make_job: MakeJob
    ) -> None:
        async with open_pool(size=2, memory_limit=MEMORY) as pool:
            doomed = asyncio.ensure_future(pool.run(make_job("while true do end"), processes))
            pid = await started(pool)
            kept = asyncio.ensure_future(pool.run(make_job("for i = 1, 20000000 do end return 'kept'"), processes))
            await asyncio.sleep(0.2)

            doomed.cancel()

            with pytest.raises(asyncio.CancelledError):
                await doomed
            assert not alive(pid)
            assert (await kept).value == "kept"

    async def test_cancelling_a_waiting_job_disturbs_nobody(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        first = asyncio.ensure_future(pool.run(make_job("for i = 1, 20000000 do end return 1"), processes))
        await started(pool)
        waiting = asyncio.ensure_future(pool.run(make_job("return 2"), processes))
        await asyncio.sleep(0)

        waiting.cancel()

        assert (await first).value == 1
        assert waiting.cancelled()
        assert (await pool.run(make_job("return 3"), processes)).value == 3

    async def test_places_are_given_back_however_jobs_end(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        for _ in range(3):
            task = asyncio.ensure_future(pool.run(make_job("while true do end"), processes))
            await started(pool)
            task.cancel()
            await asyncio.wait([task])
            await pool.run(make_job(HANG, time_limit=0.05), processes)

        assert (await pool.run(make_job("return 1"), processes)).value == 1
        assert len(pool.pids) == 1


class TestLiars:
    """Processes that are not what they should be: each is ended, and no reply of theirs is believed."""

    HELLO = r"""
import os, struct
def send(text): os.write(1, struct.pack(">I", len(text)) + text)
send(b'{"level":"process"}')
os.read(0, 4)
"""

    @pytest.mark.parametrize(
        ("lie", "text"),
        [
            ("os.write(1, b'\\xff\\xff\\xff\\xff')", "it announced a frame of 4294967295 bytes"),
            ("os.write(1, b'\\0\\0\\0\\0')", "it announced a frame of 0 bytes"),
            ("send(b'garbage')", "it wrote what is no JSON (JSONDecodeError)"),
            ("send(b'\\xff\\xfe')", "it wrote what is no JSON (UnicodeDecodeError)"),
            ("send(b'[' * 100000)", "it wrote what is no JSON (ValueError)"),
            ('send(b\'{"status":"done","ok":true,"value":NaN}\')', "it wrote what is no JSON (ValueError)"),
            ("send(b'5')", "it wrote what is no reply"),
            ('send(b\'{"status":"won"}\')', "it wrote what is no reply"),
            ('send(b\'{"status":"done","ok":"yes","value":1}\')', "it wrote what is no reply"),
            ('send(b\'{"host":"echo"}\')', "it wrote what is no reply"),
            ("os.write(1, b'\\0\\0'); os._exit(3)", "it ended with exit code 3"),
            ("os.kill(os.getpid(), 11)", "it was ended by SIGSEGV"),
        ],
    )
    async def test_what_is_no_reply_is_a_crash(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob, lie: str, text: str
    ) -> None:
        liar = Instead(processes, f"{self.HELLO}\n{lie}\nimport time; time.sleep(60)")

        reply = await pool.run(make_job("return 1"), liar)

        assert reply == Reply(status="crashed", text=text)
        assert pool.pids == frozenset()

    async def test_process_that_only_closes_its_pipe_is_ended(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        silent = Instead(processes, f"{self.HELLO}\nos.close(1)\nimport time; time.sleep(60)")

        reply = await pool.run(make_job("return 1"), silent)

        assert reply == Reply(status="crashed", text="it closed its pipe")
        assert pool.pids == frozenset()

    @pytest.mark.parametrize(
        ("program", "text"),
        [
            ("raise SystemExit(7)", "it ended with exit code 7"),
            ("import os; os.write(1, b'\\0\\0\\0\\5hello'); os.read(0, 1)", "it wrote what is no JSON"),
            ("import os; os.write(1, b'\\0\\0\\0\\2{}'); os.read(0, 1)", "level"),
        ],
    )
    async def test_process_that_does_not_start_is_told(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob, program: str, text: str
    ) -> None:
        with pytest.raises(SpawnFailed, match=f"the Lua process did not start: .*{text}"):
            await pool.run(make_job("return 1"), Instead(processes, program))

        assert (await pool.run(make_job("return 1"), processes)).value == 1

    async def test_processes_that_never_take_a_job_are_not_tried_for_ever(
        self, pool: LuaPool, processes: Processes, make_job: MakeJob
    ) -> None:
        deaf = Instead(processes, 'import os; os.write(1, b\'\\0\\0\\0\\20{"level":"deaf"}\'); os.close(0)')
        large = make_job("return 1", input="x" * 1_000_000)

        with pytest.raises(SpawnFailed, match="the Lua process ended before it took the job"):
            await pool.run(large, deaf)

        assert deaf.started == 2


class TestLifespan:
    async def test_pool_lives_as_long_as_the_swarm(self, processes: Processes, make_job: MakeJob) -> None:
        class Opened:
            settings = Settings(sections={"lua": {"pool_size": 3, "memory_limit": "8MiB"}})
            services: dict[type, Any]

        swarm = Opened()
        swarm.services = {}

        async with swarm_plugin_lua.swarm_lifespan(swarm):
            pool = swarm.services[LuaPool]
            assert (pool.size, pool.memory_limit) == (3, 8 * 1024 * 1024)
            await pool.run(make_job("return 1"), processes)
            [pid] = pool.pids

        assert swarm.services == {}
        assert not alive(pid)


async def test_process_without_lupa_says_what_to_install(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(SpawnFailed, match="lupa is not installed, so there is no Lua; pip install swarm-plugin-lua"):
        await LuaProcess.start(processes, memory_limit=MEMORY)
