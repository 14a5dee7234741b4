"""Whether the server is there, whether it takes work, what it counts, and what it is made of."""

import asyncio
import threading

from prometheus_client.parser import text_string_to_metric_families

STEP = {"kind": "assign", "at": {"op": "path", "at": "$.out"}, "value": {"op": "lit", "value": 1}}
BLUEPRINT = {"schema_version": "0.1.0", "id": "b", "flow": STEP, "agents": []}


def working(name):
    """Return a Blueprint of one step that a function carries out."""
    step = {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.out"}}
    return {"id": name, "flow": step, "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": name}}]}


class TestHealth:
    async def test_anybody_hears_ok(self, served):
        async with served.client() as anybody:
            answer = await anybody.get("/v1/healthz")

        assert (answer.status_code, answer.text) == (200, "ok")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"

    async def test_p19_it_is_told_while_workers_block_a_thread_and_sleep(self, serve, eventually):
        blocking, go_on, sleeping = threading.Event(), threading.Event(), asyncio.Event()

        def blocks(input):
            blocking.set()
            go_on.wait()

        async def sleeps(input):
            sleeping.set()
            await asyncio.Event().wait()

        served = await serve(functions={"blocks": blocks, "sleeps": sleeps})
        runs = [await served.swarm.launch(working(name)) for name in ("blocks", "sleeps")]
        try:
            await eventually(lambda: blocking.is_set() and sleeping.is_set())
            async with served.client() as anybody:
                told = [(await anybody.get("/v1/healthz")).text for _ in range(20)]
            listed = (await served.http.get("/v1/runs?status=running")).json()["runs"]
        finally:
            go_on.set()

        assert told == ["ok"] * 20
        assert {run["id"] for run in listed} == {run.id for run in runs}

    async def test_ready_is_whoever_takes_work(self, served):
        async with served.client() as anybody:
            ready = await anybody.get("/v1/readyz")
            served.serving.stopping.set()
            stopping = await anybody.get("/v1/readyz")

        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert (stopping.status_code, stopping.json()) == (503, {"ready": False, "why": "it is stopping"})

    async def test_a_server_that_stops_begins_nothing_and_still_tells_what_there_is(self, served):
        served.serving.stopping.set()

        refused = await served.http.post("/v1/tasks", json={"blueprint": BLUEPRINT})

        assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
        assert int(refused.headers["retry-after"]) > 0
        assert (await served.http.get("/v1/runs")).status_code == 200


class TestMetrics:
    async def test_requests_are_counted_by_endpoint_and_status_and_runs_by_status(self, served):
        await (await served.swarm.launch(BLUEPRINT)).wait()
        await served.http.get("/v1/runs")
        await served.http.get("/v1/runs?limit=none")

        answer = await served.http.get("/v1/metrics")

        assert answer.headers["content-type"].startswith("text/plain; version=")
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
        assert samples["swarm_http_requests_total", "list_runs", "200"] == 1
        assert samples["swarm_http_requests_total", "list_runs", "400"] == 1
        assert samples["swarm_runs", "done"] == 1
        assert (samples["swarm_ready",], samples["swarm_http_requests_in_flight",]) == (1, 1)

    async def test_two_servers_in_one_process_count_apart(self, serve, tmp_path):
        one, other = await serve(), await serve(store=f"sqlite:///{tmp_path}/other.db")
        await one.http.get("/v1/runs")

        assert 'endpoint="list_runs"' in (await one.http.get("/v1/metrics")).text
        assert 'endpoint="list_runs"' not in (await other.http.get("/v1/metrics")).text


class TestInstallation:
    async def test_plugins_are_told_as_the_command_tells_them(self, served):
        told = (await served.http.get("/v1/plugins")).json()

        assert set(told) == {"plugins", "problems"}
        known = {plugin["name"]: plugin for plugin in told["plugins"]}
        assert known["server"]["distribution"] == "swarm-plugin-server"
        assert set(known["server"]) == {
            "name", "state", "distribution", "version", "module", "hash", "hooks", "provides", "error",
        }  # fmt: skip

    async def test_the_doctor_tells_the_originals_facts_and_the_stores(self, served):
        told = (await served.http.get("/v1/doctor")).json()

        assert list(told)[:8] == [
            "bind",
            "blueprint_backend",
            "blueprint_store_root",
            "blueprint_ref_base",
            "enhance_flow_enabled",
            "seed_blueprint_id",
            "registered_blueprint_ids",
            "registered_blueprint_count",
        ]
        assert told["bind"] == served.base_url.removeprefix("http://")
        assert told["store"]["problems"] == []
        assert told["ready"] is True
        assert served.token not in str(told)
