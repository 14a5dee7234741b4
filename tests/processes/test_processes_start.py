"""What a worker is given, and what is said when it cannot be started (P24, SP 133)."""

import asyncio
import errno
import json
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from swarm_core.errors import SpawnFailed
from swarm_core.processes import open_processes

INSIDE = """
import json, os, resource, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
names = {}
for name in os.listdir("/proc/self/fd"):
    try:
        names[int(name)] = os.readlink("/proc/self/fd/" + name).partition(":")[0]
    except OSError:
        pass  # the listing's own
print(json.dumps({
    "argv": sys.argv[1:], "environ": open("/proc/self/environ").read(), "fds": names, "cwd": os.getcwd(),
    "session": os.getsid(0) == os.getpid(), "no_new_privs": status["NoNewPrivs"],
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0], "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
}))
"""


@pytest.fixture
def look_inside(processes, output_of):
    """Run a program that tells what it was given."""

    async def look(*args, env, **options):
        process = await processes.start([sys.executable, "-I", "-S", "-c", INSIDE, *args], env=env, **options)
        told = json.loads(await output_of(process.read_stdout))
        assert await process.wait() == 0
        return told

    return look


class TestWhatAWorkerIsGiven:
    async def test_p24_it_has_three_pipes_and_no_other_descriptor(self, look_inside):
        inside = await look_inside(env={})

        assert inside["fds"] == {"0": "pipe", "1": "pipe", "2": "pipe"}

    async def test_p24_its_environment_is_exactly_what_was_said(self, look_inside):
        inside = await look_inside(env={"A": "1", "EMPTY": "", "EQUALS": "a=b"})

        assert sorted(inside["environ"].split("\0")) == ["", "A=1", "EMPTY=", "EQUALS=a=b"]

    async def test_its_arguments_arrive_as_they_are(self, look_inside):
        arguments = ["", " ", "a b", "$HOME", "`id`", "'", '"', "\\", "\n", "*", "日本", "\udcff"]

        inside = await look_inside(*arguments, env={})

        assert inside["argv"] == arguments

    async def test_it_leads_a_session_of_its_own(self, look_inside):
        inside = await look_inside(env={})

        assert inside["session"] is True

    async def test_it_ignores_and_blocks_no_signal(self, processes, env, output_of):
        process = await processes.start(["cat", "/proc/self/status"], env=env)

        status = dict(line.split(":\t", 1) for line in (await output_of(process.read_stdout)).decode().splitlines())

        # 32 and 33 are the C library's own; it lets nobody set them, so a worker has them as the tests themselves do
        settable = sum(1 << (number - 1) for number in signal.valid_signals() - {32, 33})
        assert {int(status[name], 16) & settable for name in ("SigIgn", "SigBlk", "SigCgt")} == {0}

    async def test_it_cannot_gain_rights_so_that_it_can_always_be_killed(self, look_inside):
        inside = await look_inside(env={})

        assert inside["no_new_privs"] == "1"

    async def test_it_leaves_no_core_dump(self, look_inside):
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        try:
            inside = await look_inside(env={})
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))

        assert inside["core"] == 0

    async def test_its_working_directory_is_the_engines_unless_said(self, look_inside, tmp_path):
        here, there = await look_inside(env={}), await look_inside(env={}, cwd=str(tmp_path))

        assert (here["cwd"], there["cwd"]) == (str(Path.cwd()), str(tmp_path))

    async def test_limits_hold(self, look_inside):
        inside = await look_inside(env={}, limits={"nofile": 64})

        assert inside["nofile"] == [64, 64]

    async def test_a_limit_of_cpu_seconds_ends_it(self, processes, env):
        process = await processes.start([sys.executable, "-c", "while True: pass"], env=env, limits={"cpu": 1})

        assert await process.wait() in (-signal.SIGXCPU, -signal.SIGKILL)

    async def test_the_program_is_looked_for_in_the_path_of_its_own_environment(self, processes, tmp_path, output_of):
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir()
        (tmp_path / "first" / "tool").write_text("not executable")
        (tmp_path / "second" / "tool").write_text("#!/bin/sh\necho found\n")
        (tmp_path / "second" / "tool").chmod(0o755)

        process = await processes.start(["tool"], env={"PATH": f"{tmp_path}/none::{tmp_path}/first:{tmp_path}/second"})

        assert await output_of(process.read_stdout) == b"found\n"

    async def test_a_program_with_a_slash_is_looked_for_from_its_working_directory(self, processes, tmp_path):
        (tmp_path / "tool").write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / "tool").chmod(0o755)

        process = await processes.start(["./tool"], env={}, cwd=str(tmp_path))

        assert await process.wait() == 9

    async def test_fifty_at_once(self, processes, env):
        async def one(code: int) -> int:
            process = await processes.start(["sh", "-c", f"exit {code}"], env=env)
            return await process.wait()

        codes = await asyncio.gather(*(one(code) for code in range(50)))

        assert codes == list(range(50))


class TestRefusals:
    """SP 133: what cannot be started says why, in the words of the system."""

    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda folder: ["no-such-program"], "ENOENT"),
            (lambda folder: [f"{folder}/no-such-program"], "ENOENT"),
            (lambda folder: [f"{folder}/text"], "EACCES"),
            (lambda folder: [str(folder)], "EISDIR"),
            (lambda folder: [f"{folder}/text/below"], "ENOENT"),
            (lambda folder: [f"{folder}/garbage"], "ENOEXEC"),
            (lambda folder: [f"{folder}/orphan"], "ENOENT"),
            (lambda folder: ["true", "x" * 3_000_000], "E2BIG"),
            (lambda folder: ["true", *["x" * 1000] * 9000], "E2BIG"),
        ],
        ids=[
            *("missing", "missing path", "not executable", "folder", "below a file", "no program", "no interpreter"),
            *("argument too long", "arguments too many"),
        ],
    )
    async def test_sp133_the_reason_is_told(self, processes, env, tmp_path, make, name):
        (tmp_path / "text").write_text("text")
        for file, content in (("garbage", b"\0\1\2"), ("orphan", b"#!/no/such/interpreter\n")):
            (tmp_path / file).write_bytes(content)
            (tmp_path / file).chmod(0o755)
        argv = make(tmp_path)

        with pytest.raises(SpawnFailed) as caught:
            await processes.start(argv, env=env)

        assert caught.value.errno_name == name
        assert os.strerror(getattr(errno, name)) in str(caught.value)

    @pytest.mark.parametrize("folder", ["/no/such/folder", "/etc/passwd"])
    async def test_sp133_a_missing_working_directory_is_told_from_a_missing_program(self, processes, env, folder):
        with pytest.raises(SpawnFailed, match=f"in folder '{folder}'"):
            await processes.start(["true"], env=env, cwd=folder)

    @pytest.mark.parametrize("argv", [["tr\0ue"], ["true", "a\0b"], ["true", "\0"]])
    async def test_sp133_a_nul_character_is_refused(self, processes, env, argv):
        with pytest.raises(SpawnFailed, match="NUL"):
            await processes.start(argv, env=env)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"env": {"A": "\0"}},
            {"env": {"A\0": ""}},
            {"env": {"A=B": ""}},
            {"env": {"": ""}},
            {"env": {}, "cwd": "\0"},
            {"env": {}, "limits": {"memory": 1}},
            {"env": {"A": "\ud800"}},
            {"env": {}, "limits": {"as": -1}},
            {"env": {}, "limits": {"cpu": True}},
            {"env": {}, "limits": {"as": "1G"}},
            {"env": {}, "limits": {"nofile": 2**40}},
        ],
        ids=ascii,
    )
    async def test_what_no_process_can_have_is_refused(self, processes, wrong):
        with pytest.raises(SpawnFailed):
            await processes.start(["/bin/true"], **wrong)

    async def test_a_value_that_may_be_a_secret_is_not_shown(self, processes):
        with pytest.raises(SpawnFailed, match="variable 'KEY' holds a NUL") as caught:
            await processes.start(["/bin/true"], env={"KEY": "canary\0"})

        assert "canary" not in str(caught.value)

    @pytest.mark.parametrize("argv", [[], [""]])
    async def test_no_program_at_all_is_refused(self, processes, argv):
        with pytest.raises(SpawnFailed, match="empty"):
            await processes.start(argv, env={})

    async def test_a_refusal_does_not_hurt_the_next_start(self, processes, env):
        with pytest.raises(SpawnFailed):
            await processes.start(["no-such-program"], env=env)

        assert await (await processes.start(["true"], env=env)).wait() == 0

    async def test_without_an_interpreter_there_is_no_reaper(self, env):
        async with open_processes(python="/no/such/python") as processes:
            with pytest.raises(SpawnFailed, match="/no/such/python"):
                await processes.start(["true"], env=env)

    async def test_a_reaper_that_cannot_run_is_reported_and_nothing_hangs(self, env):
        async with open_processes(python="/bin/true") as processes:
            with pytest.raises(SpawnFailed, match="reaper ended"):
                await processes.start(["true"], env=env)
