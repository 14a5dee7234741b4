"""An engine on the memory store, and short ways to say what a worker does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from attrs import frozen

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.flow import compile_flow
from swarm_core.model.access import Role
from swarm_core.model.call import Call, Result
from swarm_core.settings import EngineSettings


@frozen
class Desk:
    """An engine with an operator's token at hand."""

    engine: Engine
    token: object

    @property
    def door(self):
        return self.engine.door

    def kinds(self, run_id=None):
        log = self.engine.events if run_id is None else self.engine.state.run(run_id).events
        return [event.kind for event in log.read()]

    def token_for(self, role: Role):
        return self.engine.attach(f"a-{role}", role)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Engine(outputs=MemoryOutputStore(), settings=EngineSettings(cancel_grace=0.2)) as engine:
        yield Desk(engine, engine.attach("tester"))


@pytest.fixture
def program():
    """Make a program out of a flow and one function for all agents."""

    def make(flow, run, **facts) -> Program:
        return Program(blueprint_id="test", flow=compile_flow(flow), run=run, **facts)

    return make


def step(ref="worker", value=None, out="$.out"):
    return {"kind": "step", "ref": ref, "in": {"op": "lit", "value": value}, "out": {"op": "path", "at": out}}


@pytest.fixture
def one_step():
    return step


async def echo(call: Call) -> Result:
    """Answer with the input."""
    result = Result(call.input)
    call.context.record_final(result)
    return result


async def forever(call: Call) -> Result:
    """Work until cancelled."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
def workers():
    """The workers that several tests share, by name."""
    return {"echo": echo, "forever": forever}
