"""Operators that do what a test tells them, and `swarm` as a program of its own."""

import asyncio

import pytest

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


@pytest.fixture
def swarm(swarm_command):
    """Run `swarm ARGS` in a folder of its own."""
    return swarm_command
