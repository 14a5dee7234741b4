"""Off-loading changes nothing that a run computes: stopped, and resumed at another threshold, it ends alike."""

import asyncio
import json
from math import inf

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.engine.offload import references, unpack_text
from swarm_core.engine.rows import decode_row
from swarm_core.model.task import RunStatus
from swarm_core.settings import EngineSettings, Settings
from swarm_core.swarm import Swarm


def path(at):
    return {"op": "path", "at": at}


def step(ref, given, out):
    return {"kind": "step", "ref": ref, "in": given, "out": path(out)}


BLUEPRINT = {
    "schema_version": "0.1.0",
    "id": "off-loaded",
    "flow": {
        "kind": "seq",
        "children": [
            step("make", path("$.seed"), "$.made"),
            {
                "kind": "fanout",
                "items": path("$.items"),
                "bind": path("$.item"),
                "join": "all",
                "out": path("$.lanes"),
                "body": step("echo", path("$"), "$.echoed"),
            },
            step("gate", path("$.made"), "$.gate"),
            {
                "kind": "branch",
                "cond": {"op": "eq", "lhs": path("$.made"), "rhs": path("$.gate")},
                "then": step("echo", path("$.lanes"), "$.end"),
                "else": step("make", path("$.seed"), "$.end"),
            },
        ],
    },
    "agents": [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in ("make", "echo", "gate")],
}
LOG, NUMBERS = "a line of a log\n" * 300, list(range(300))
MARKS = {"$output": "0" * 64, "$literal": [{"$output": 1}]}

texts = st.text(max_size=5) | st.sampled_from([LOG, "$output", "größe" * 200])
values = st.recursive(
    st.none() | st.integers(-9, 9) | st.floats(-1, 1) | texts | st.sampled_from([NUMBERS, MARKS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
thresholds = st.sampled_from([0, 1, 100, 1000, 32 * 1024, inf]) | st.integers(0, 5000)


class Lives:
    """The swarms that drive one run, one after another; the worker `gate` keeps the first one from its end."""

    def __init__(self, made):
        self.made, self.store, self.calls = made, MemoryRunStore(), []
        self.is_open, self.reached = False, asyncio.Event()

    def open(self, threshold, *, store=True):
        engine = evolve(EngineSettings(), offload_threshold=threshold)
        functions = {"make": self.make, "echo": self.echo, "gate": self.gate}
        return Swarm.open(Settings(engine=engine), plugins=(), functions=functions, store=self.store if store else None)

    async def make(self, call):
        self.calls.append(call.address)
        return self.made

    async def echo(self, call):
        self.calls.append(call.address)
        return call.input

    async def gate(self, call):
        if not self.is_open:
            self.reached.set()
            await asyncio.Event().wait()
        self.calls.append(call.address)
        return call.input


async def in_memory(made, ctx):
    lives = Lives(made)
    lives.is_open = True
    async with lives.open(inf, store=False) as swarm:
        launched = await swarm.launch(BLUEPRINT, init_ctx=ctx)
        return (await launched.wait()).final_ctx


@settings(deadline=None, max_examples=60)
@given(made=values, seed=values, first=thresholds, second=thresholds)
async def test_a_run_computes_the_same_at_any_threshold(made, seed, first, second):
    ctx = {"seed": seed, "items": [seed, 1]}
    lives = Lives(made)

    async with lives.open(first) as swarm:
        launched = await swarm.launch(BLUEPRINT, init_ctx=ctx)
        await lives.reached.wait()
        await launched.interrupt("on to the next threshold")
    lives.is_open = True
    async with lives.open(second) as swarm:
        resumed = await swarm.resume(launched.id)
        result = await resumed.wait()

    expected = json.dumps(await in_memory(made, ctx))
    assert RunStatus.DONE == result.status
    assert expected == json.dumps(result.final_ctx)
    text = await lives.store.result(launched.id)
    assert expected == json.dumps(await unpack_text(text, lives.store.outputs.load))
    assert len(lives.calls) == len(set(lives.calls)) == 5


async def test_large_results_do_not_stand_in_the_journal():
    lives = Lives({"verdict": "ok", "log": "x" * 1_000_000})
    lives.is_open = True
    async with lives.open(32 * 1024) as swarm:
        launched = await swarm.launch(BLUEPRINT, init_ctx={"seed": 1, "items": [1, 2]})
        await launched.wait()

    rows = await lives.store.rows(launched.id)
    assert sum(len(row.body) for row in rows) < 20_000
    made = next(event.data["result"] for row in rows for event in decode_row(row) if event.kind == "task_pass")
    assert made["verdict"] == "ok"
    assert len(references(made)) == 1
