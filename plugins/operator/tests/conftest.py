"""Operators that do what a test tells them, and `swarm` as a program of its own."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from attrs import frozen

from swarm_core.contracts import Operator
from swarm_core.model.call import Result


class Clerk(Operator):
    """Answers with a value, when it is let; keeps what it was given."""

    def __init__(self, value="done", *, ok=True, waits=False):
        self.value, self.ok = value, ok
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.given, self.cancelled = [], 0
        if not waits:
            self.may_end.set()

    async def execute(self, call, system):
        self.given.append((call.input, system))
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Result(self.value, self.ok)


@pytest.fixture
def clerk():
    return Clerk


@frozen
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def swarm(tmp_path):
    """Run `swarm ARGS` in a folder of its own."""

    def run(*args, stdin=None):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        done = subprocess.run(
            [sys.executable, "-m", "swarm_core", *map(str, args)],
            cwd=tmp_path,
            env=clean,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run
