"""Whoever listens hears every event of every run, and disturbs nothing."""

from __future__ import annotations

import asyncio

import pytest

from swarm_core import Attachments, Swarm
from swarm_core.contracts import EventListener

BLUEPRINT = {
    "id": "heard",
    "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.x"}},
    "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "a"}}],
}


class Ear(EventListener):
    def __init__(self, fails=False):
        self.heard, self.fails = [], fails

    def hear(self, event):
        self.heard.append((event.run_id, event.seq, event.kind))
        if self.fails:
            raise RuntimeError("deaf")


@pytest.mark.parametrize("store", [None, "memory://"])
async def test_a_listener_hears_all_events_of_all_runs_in_their_order(store):
    ear = Ear()
    async with Swarm.open(plugins=(), functions={"a": lambda given: 1}, store=store) as swarm:
        swarm.services[Attachments].listeners.append(ear)
        runs = [await swarm.launch(BLUEPRINT) for _ in range(2)]
        for run in runs:
            await run.wait()
        told = {run.id: [(run.id, event.seq, event.kind) async for event in run.events()] for run in runs}

    for run_id, events in told.items():
        assert events == [one for one in ear.heard if one[0] == run_id]
    assert "run_ended" in {kind for _, _, kind in ear.heard}


async def test_one_that_fails_is_reported_and_the_run_and_the_others_go_on():
    deaf, ear, reported = Ear(fails=True), Ear(), []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))
    async with Swarm.open(plugins=(), functions={"a": lambda given: 1}) as swarm:
        swarm.services[Attachments].listeners += [deaf, ear]
        result = await (await swarm.launch(BLUEPRINT)).wait()

    assert ("done", deaf.heard) == (str(result.status), ear.heard)
    assert len(reported) == len(ear.heard) > 0
    assert all(isinstance(told["exception"], RuntimeError) for told in reported)
