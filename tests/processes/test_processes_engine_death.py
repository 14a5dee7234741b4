"""P15: no worker outlives its engine, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENGINE = Path(__file__).with_name("engine_program.py")
WAYS = ["fork", "double_fork", "setsid", "daemon", "nohup", "ignore_sigterm", "close_stdout", "hold_stdout", "stopped"]


@pytest.fixture
def engine(tmp_path):
    """Start an engine that runs a tree, and see to it that it ends with the test."""
    started = []

    def start(how: str, *argv: str) -> subprocess.Popen:
        program = subprocess.Popen(
            [sys.executable, str(ENGINE), how, *argv],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(program)
        assert program.stdout.readline() == b"on\n", program.communicate()[1]
        return program

    yield start
    for program in started:
        program.kill()
        program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            stream.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGABRT])
async def test_p15_nothing_outlives_an_engine_that_a_signal_ends(engine, tree, number):
    program = engine("stay", *tree.argv(*WAYS))
    await tree.grown(len(WAYS) + 1)

    program.send_signal(number)

    assert program.wait(20) != 0
    assert tree.gone_within(5)


@pytest.mark.parametrize("how", ["exit", "raise"])
async def test_p15_nothing_outlives_an_engine_that_leaves_by_itself(engine, tree, how):
    program = engine(how, *tree.argv(*WAYS))
    await tree.grown(len(WAYS) + 1)

    program.stdin.close()

    assert program.wait(20) == (0 if how == "exit" else 1)
    assert tree.gone_within(5)


async def test_p15_a_killed_engine_is_noticed_although_its_child_holds_the_socket(engine, tree, tmp_path):
    program = engine("heir", *tree.argv("daemon"))
    await tree.grown(2)

    program.kill()
    gone = tree.gone_within(5)
    heir = int((tmp_path / "heir").read_text())
    os.kill(heir, signal.SIGKILL)

    assert gone


def test_p15_no_worker_begins_anything_after_its_engines_death(engine, tmp_path):
    """Workers that were being started when the engine died must not begin once the reaper has seen its death."""
    log = tmp_path / "log"
    for moment in (0.0, 0.005, 0.01, 0.02, 0.03):
        log.write_text("")
        program = engine("flood")
        while len(log.read_text().splitlines()) < 5:
            time.sleep(0.001)
        time.sleep(moment)
        program.kill()
        program.wait()
        time.sleep(0.1)
        begun = log.read_text()

        time.sleep(0.1)

        assert log.read_text() == begun


LAST_LOOK = """
import os, socket, sys
from swarm_core.processes.reaper import Engine, Order, become

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
engine = Engine(theirs.detach(), os.getppid())
if sys.argv[1] == "dead":
    ours.close()
reading, writing = os.pipe()
order = Order(b"\\0".join([os.getcwdb(), b"", b"2 0", b"touch", b"begun", b"/usr/bin/touch", b"/bin/touch"]))
if os.fork() == 0:
    become(order, [0, 1, 2], os.getppid(), writing, engine)
os.wait()
"""


@pytest.mark.parametrize(("state", "begun"), [("alive", True), ("dead", False)])
def test_p15_a_worker_looks_for_its_engine_directly_before_it_begins(tmp_path, state, begun):
    subprocess.run([sys.executable, "-c", LAST_LOOK, state], cwd=tmp_path, check=True)

    assert (tmp_path / "begun").exists() is begun


def test_p15_the_reaper_ends_with_its_engine(engine, tree, children):
    program = engine("stay", *tree.argv())
    [reaper] = children(program.pid)

    program.kill()
    program.wait()

    deadline = time.monotonic() + 5
    while Path(f"/proc/{reaper}").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not Path(f"/proc/{reaper}").exists()
