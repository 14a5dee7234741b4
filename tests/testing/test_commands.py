"""Commands carried out in forks of one process: as programs of their own, and none knows of another."""

import os
import subprocess
import sys
import time

import pytest

from swarm_core.testing import Commands

GREETS = """
id: greets
agents: [{name: said, kind: function, spec: {fn_id: say}}]
flow: {kind: step, ref: said, in: {op: path, at: $.name}, out: {op: path, at: $.said}}
"""
ANSWERS = """
from swarm_core import function

@function
def say(name):
    return {answer!r} + name
"""
SLEEPS = """
import os, time
from swarm_core import function

@function
def say(name):
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def commands():
    made = Commands()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    """Make a folder with a Blueprint whose function answers with a word of that folder."""

    def make(name, answer=None):
        path = tmp_path / name
        path.mkdir()
        (path / "greets.yaml").write_text(GREETS)
        (path / "swarmfile.py").write_text(SLEEPS if answer is None else ANSWERS.format(answer=answer))
        return path

    return make


def started(*args, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "swarm_core", *args], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_they_end_as_programs_that_were_just_started(commands, folder):
    here = folder("here", "Hello, ")
    (here / "wrong.yaml").write_text("id: wrong\nflow: {kind: stp}\n")

    for args in (
        ["check", "greets.yaml"],
        ["check", "wrong.yaml"],
        ["run", "nowhere.yaml"],
        ["nonsense"],
        ["--version"],
    ):
        ended = commands.run(*args, cwd=here)
        assert started(*args, cwd=here) == (ended.code, ended.out, ended.err)


def test_each_has_its_folder_and_none_knows_of_another(commands, folder):
    one, two = folder("one", "Hello, "), folder("two", "Good day, ")

    said = [
        commands.run("run", "greets.yaml", "--set", "name=Ada", "--quiet", cwd=cwd).json["said"]
        for cwd in (one, two, one)
    ]

    assert ["Hello, Ada", "Good day, Ada", "Hello, Ada"] == said
    assert [2, 1] == [len(commands.run("runs", "--json", cwd=cwd).json) for cwd in (one, two)]


def test_the_environment_is_this_process_s_without_swarm_s_and_what_is_given(commands, folder, monkeypatch):
    here = folder("here", "Hello, ")
    monkeypatch.setenv("SWARM_STORE", "nonsense://")

    assert 0 == commands.run("runs", cwd=here).code
    assert "memory:" in commands.run("runs", cwd=here, env={"SWARM_STORE": "memory://"}).out
    assert 0 == commands.run("runs", cwd=here).code


def test_stdin_is_what_is_given(commands, tmp_path):
    ended = commands.run("check", "-", cwd=tmp_path, stdin="id: piped\nflow: {kind: seq, children: []}\n")

    assert (0, "") == (ended.code, ended.err)


def test_another_python_path_is_a_process_of_its_own(commands, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "sitecustomize.py").write_text("print('another Python')")

    ended = commands.run("--version", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "elsewhere")})

    assert "another Python" == ended.out.splitlines()[0]


def test_one_that_takes_too_long_is_killed_and_the_next_is_carried_out(commands, folder):
    here = folder("here")

    with pytest.raises(subprocess.TimeoutExpired):
        commands.run("run", "greets.yaml", "--set", "name=Ada", cwd=here, timeout=5)

    assert 0 == commands.run("--version", cwd=here).code
    until = time.monotonic() + 10
    while lives(int((here / "pid").read_text())) and time.monotonic() < until:
        time.sleep(0.02)
    assert not lives(int((here / "pid").read_text()))


def test_a_process_that_is_gone_is_told(tmp_path):
    commands = Commands()
    commands.run("--version", cwd=tmp_path)
    commands._server.kill()

    with pytest.raises((ChildProcessError, BrokenPipeError)):
        commands.run("--version", cwd=tmp_path)
    commands.close()
    commands.close()
    assert 0 == commands.run("--version", cwd=tmp_path).code
    commands.close()
