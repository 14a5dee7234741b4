"""A server that is killed with runs under way, some of them at operators: nothing is lost, nothing is doubled."""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress

import pytest
import websockets

RUNS, KILLS = 50, 3
ROLES = ("desk", "gate")

SWARMFILE = """
import json, os, time
from swarm_core import function

@function
def effect(call):
    with open("ledger.jsonl", "a") as ledger:
        ledger.write(json.dumps({"run": call.run_id, "key": call.idempotency_key}) + "\\n")
        ledger.flush()
        os.fsync(ledger.fileno())
    time.sleep(0.02)
    return f"{call.input}>{call.agent}"
"""


def step(ref, read, out):
    return {"kind": "step", "ref": ref, "in": {"op": "path", "at": read}, "out": {"op": "path", "at": out}}


BLUEPRINT = {
    "id": "relay",
    "operators": [{"name": role} for role in ROLES],
    "agents": [
        {"name": "first", "kind": "function", "spec": {"fn_id": "effect"}},
        *({"name": role, "kind": "operator", "spec": {"operator_ref": role}} for role in ROLES),
        {"name": "last", "kind": "function", "spec": {"fn_id": "effect"}},
    ],
    "flow": {
        "kind": "seq",
        "children": [
            step("first", "$.value", "$.first"),
            {
                "kind": "branch",
                "cond": {"op": "path", "at": "$.asks"},
                "then": {
                    "kind": "seq",
                    "children": [step("desk", "$.first", "$.desk"), step("gate", "$.desk", "$.first")],
                },
                "else": {"kind": "seq", "children": []},
            },
            step("last", "$.first", "$.last"),
        ],
    },
}


class Worker:
    """An operator that connects again whenever the server is gone, and does what it is given; it keeps a ledger."""

    def __init__(self, server, http, role, rng):
        self.server, self.role, self.rng = server, role, rng
        self.joined = http.post("/v1/operators", json={"roles": [role]}).json()
        self.frames, self.given, self.stale = Counter(), Counter(), 0

    async def work(self):
        headers = {"authorization": f"Bearer {self.joined['token']}"}
        while True:
            url = f"{self.server.url.replace('http', 'ws', 1)}/v1/operators/{self.joined['sid']}/ws"
            with suppress(OSError, websockets.ConnectionClosed, websockets.InvalidHandshake):
                async with websockets.connect(url, additional_headers=headers) as socket:
                    async for message in socket:
                        await self.do(socket, json.loads(message))
            await asyncio.sleep(0.05)

    async def do(self, socket, frame):
        if frame["type"] == "error":
            assert frame["code"] == "stale_ack", frame
            self.stale += 1
        elif frame["type"] == "spawn":
            self.frames[frame["req_id"]] += 1
            await asyncio.sleep(self.rng.random() * 0.02)
            self.given[frame["task_id"]] += 1
            await socket.send(
                json.dumps({"type": "spawn_ack", "req_id": frame["req_id"], "value": f"{self.role} {frame['task_id']}"})
            )


@pytest.mark.slow
async def test_fifty_runs_survive_kills_of_the_server_and_operators_come_back(server_process, tmp_path):
    """P1, P3 and P4 with operators at WebSockets: all runs end, and no step that was recorded runs again."""
    (tmp_path / "swarmfile.py").write_text(SWARMFILE)
    rng = random.Random(11)
    server = await asyncio.to_thread(server_process)
    with server.client() as http:
        workers = [Worker(server, http, role, rng) for role in ROLES]
        runs = [await asyncio.to_thread(launch, http, number) for number in range(RUNS)]

    async with asyncio.TaskGroup() as group:
        working = [group.create_task(worker.work()) for worker in workers]
        for _ in range(KILLS):
            before = sum(worker.given.total() for worker in workers)
            async with asyncio.timeout(30):
                while sum(worker.given.total() for worker in workers) < before + 8:
                    await asyncio.sleep(0.005)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.restart)
        results = await asyncio.to_thread(ends, server, runs)
        for one in working:
            one.cancel()

    check(results, workers, tmp_path / "ledger.jsonl")


def launch(http, number):
    body = {
        "blueprint": {"kind": "inline", "value": BLUEPRINT},
        "init_ctx": {"value": str(number), "asks": number % 5 != 0},
        "detach": True,
    }
    reply = http.post("/v1/tasks", json=body)
    assert reply.status_code == 202, reply.text
    return reply.json()["run_id"]


def ends(server, runs):
    """Wait for all runs; return their steps and final ctx by id."""
    found = {}
    with server.client() as http:
        for run_id in runs:
            while (run := http.get(f"/v1/runs/{run_id}").json())["status"] not in ("done", "failed", "cancelled"):
                time.sleep(0.02)
            assert run["status"] == "done", run
            steps = http.get(f"/v1/runs/{run_id}/steps").json()["steps"]
            found[run_id] = steps, http.get(f"/v1/runs/{run_id}/result").json()["final_ctx"]
    return found


def check(results, workers, ledger):
    effects = Counter(json.loads(line)["key"] for line in ledger.read_text().splitlines())
    given = {worker.role: worker.given for worker in workers}

    for number, (run_id, (steps, ctx)) in enumerate(results.items()):
        asks = number % 5 != 0
        tasks = {each["agent"]: each["task_id"] for each in steps}
        middle = f"gate {tasks['gate']}" if asks else f"{number}>first"
        assert f"{middle}>last" == ctx["last"], run_id
        assert len(steps) == (4 if asks else 2)
        if asks:
            assert f"desk {tasks['desk']}" == ctx["desk"]
            assert all(given[role][tasks[role]] >= 1 for role in ROLES)
    assert RUNS * 2 == len(effects)
    assert max(effects.values()) <= 1 + KILLS
    assert all(worker.stale == 0 for worker in workers)
