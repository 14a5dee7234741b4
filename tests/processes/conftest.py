"""Real process trees: each member leaves a note of itself in a folder, so that a test can ask which still live."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from swarm_core.processes import open_processes

PROGRAM = Path(__file__).with_name("tree_program.py")


class Tree:
    """The members of the trees whose programs were given this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def argv(self, *ways: str, end: str = "stay") -> list[str]:
        """Return a program that begins one descendant for each way, notes them, and then does `end`."""
        return [sys.executable, "-I", "-S", str(PROGRAM), str(self.folder), end, *ways]

    def members(self) -> dict[int, str]:
        """Return the members that have left their note: pid and start time."""
        return {int(note.name): note.read_text() for note in self.folder.iterdir() if note.name.isdigit()}

    def alive(self) -> list[int]:
        """Return the members that still live."""
        return [pid for pid, began in self.members().items() if stat_of(pid)[1] == began and stat_of(pid)[0] != "Z"]

    async def grown(self, count: int) -> None:
        """Wait until `count` members have left their note."""
        await until(lambda: len(self.members()) >= count)

    def gone_within(self, seconds: float) -> bool:
        """Tell whether all members have ended by then."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        if left := {pid: stat_of(pid)[0] for pid in self.alive()}:
            print(f"still alive, with their states: {left}")
        return not left


def stat_of(pid: int) -> tuple[str, str]:
    """Return state and start time of a process; blanks when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


async def until(condition, seconds: float = 20.0) -> None:
    """Wait for something that is bound to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "members"
    folder.mkdir()
    return Tree(folder)


@pytest.fixture
def env():
    return {"PATH": os.environ["PATH"]}


@pytest.fixture
async def processes():
    async with open_processes() as opened:
        yield opened


@pytest.fixture
def children():
    return children_of


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def output_of():
    """Read a stream to its end."""

    async def read(stream) -> bytes:
        parts = []
        while part := await stream(65536):
            parts.append(part)
        return b"".join(parts)

    return read
