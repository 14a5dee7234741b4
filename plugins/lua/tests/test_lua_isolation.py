"""What a Lua process is: how little it has, and what the kernel does when it wants more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from swarm_plugin_lua import process
from swarm_plugin_lua.job import Job
from swarm_plugin_lua.pool import LuaPool

from swarm_core.contracts import Processes

LOCKED = f"""
import sys, types
package = types.ModuleType("swarm_plugin_lua")
package.__path__ = [{str(Path(process.__file__).parent)!r}]
sys.modules["swarm_plugin_lua"] = package
import os, signal, socket, ctypes
from swarm_plugin_lua import seccomp
assert seccomp.lock() == "process+seccomp"
"""


def locked(statement: str) -> int:
    """Run a statement in a locked process and return its exit code."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LOCKED + statement], check=False, capture_output=True)
    return done.returncode


@pytest.fixture
async def pid(
    pool: LuaPool, processes: Processes, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> int:
    monkeypatch.setenv("SWARM_LUA_CANARY", "canary")
    await pool.run(make_job("return 1"), processes)
    [number] = pool.pids
    return number


class TestLock:
    @pytest.mark.parametrize(
        "statement",
        [
            "os.open('/etc/hostname', os.O_RDONLY)",
            "os.open('/tmp/x', os.O_CREAT | os.O_WRONLY)",
            "os.fork()",
            "os.posix_spawn('/bin/true', ['true'], {})",
            "os.execv('/bin/true', ['true'])",
            "socket.socket()",
            "os.kill(1, 0)",
            "os.kill(os.getpid(), signal.SIGTERM)",
            "os.listdir('/')",
            "os.stat('/')",
            "os.unlink('/tmp/nothing')",
            "os.setuid(0)",
            "os.pipe()",
            "ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
            "os.chdir('/')",
        ],
    )
    def test_p25_call_that_is_not_allowed_kills(self, statement: str) -> None:
        assert locked(statement) == -31

    def test_what_python_and_lua_need_goes_on(self) -> None:
        statement = """
import time, signal
data = bytearray(50_000_000)
del data
time.monotonic(), time.time(), os.urandom(8)
signal.setitimer(signal.ITIMER_REAL, 5)
signal.setitimer(signal.ITIMER_REAL, 0)
os.write(1, b"x")
os._exit(5)
"""
        assert locked(statement) == 5


class TestProcess:
    def test_p24_environment_is_empty(self, pid: int) -> None:
        assert Path(f"/proc/{pid}/environ").read_bytes() == b""

    def test_p24_only_pipes_are_open(self, pid: int) -> None:
        targets = {str(link.readlink()).partition(":")[0] for link in Path(f"/proc/{pid}/fd").iterdir()}

        assert targets == {"pipe", "/dev/null"}

    def test_p25_filter_is_on_and_privileges_cannot_grow(self, pid: int) -> None:
        status = Path(f"/proc/{pid}/status").read_text()

        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status

    def test_p25_limits_are_set(self, pid: int) -> None:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
        limits = {line[:25].strip(): line[26:46].strip() for line in lines}

        assert limits["Max file size"] == limits["Max core file size"] == limits["Max processes"] == "0"
        assert limits["Max open files"] == "16"
        assert int(limits["Max address space"]) == (384 + 2 * 64) * 1024 * 1024

    def test_p24_engines_modules_were_never_loaded(self) -> None:
        boot = process.BOOT.replace("main(*map(int, sys.argv[3:]))\n", "")
        command = [sys.executable, "-I", "-S", "-B", "-c", f"{boot}\nprint(*sorted(sys.modules), sys.path)"]

        folders = process.command(process.BOOT)[-2:]
        done = subprocess.run([*command, *folders], check=True, capture_output=True, text=True, env={})

        assert "swarm_core" not in done.stdout
        assert "attr" not in done.stdout.split()
        assert folders[1] not in done.stdout
        assert "swarm_plugin_lua.sandbox" in done.stdout

    def test_p25_process_ends_by_its_own_alarm_when_the_engine_does_not_end_it(self) -> None:
        job = {
            "label": "s", "source": "return string.find(('a'):rep(30000), ('.-'):rep(20) .. 'b')", "seconds": 0.1,
            "memory": 2**26, "functions": [], "input": None, "agent": "a", "task_id": "T-1", "attempt": 1, "key": "k",
            "meta": {},
        }  # fmt: skip
        payload = json.dumps(job).encode()
        running = subprocess.Popen(
            process.command(process.BOOT),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
        )
        with running:
            assert running.stdin is not None
            running.stdin.write(len(payload).to_bytes(4, "big") + payload)
            running.stdin.flush()

            assert running.wait(timeout=20) == -14

    def test_p15_process_ends_when_the_engine_closes_its_pipe(self) -> None:
        done = subprocess.run(
            process.command(process.BOOT), input=b"", capture_output=True, check=False, env={}, timeout=20
        )

        assert done.returncode == 0
