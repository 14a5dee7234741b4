"""Runs over HTTP: listed, shown, and what is done with them; the same as the local commands tell."""

import asyncio
import json
import subprocess
import sys

import pytest

from swarm_core import Swarm
from swarm_core.errors import SettingsError
from swarm_core.settings import Settings


def path(at):
    return {"op": "path", "at": at}


def step(ref, out):
    return {"kind": "step", "ref": ref, "in": path("$"), "out": path(out)}


TWO = {
    "id": "two",
    "flow": {"kind": "seq", "children": [step("first", "$.a"), step("second", "$.b")]},
    "agents": [
        {"name": "first", "kind": "function", "spec": {"fn_id": "first"}},
        {"name": "second", "kind": "function", "spec": {"fn_id": "second"}},
    ],
}
ASKING = {
    "id": "asking",
    "flow": step("asker", "$.out"),
    "agents": [{"name": "asker", "kind": "ask", "spec": {"question": "May it go?"}}],
}


def task(blueprint, **more):
    return {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": {}, **more}


class Workers:
    """Two workers, of which the second waits until it is let go, or fails."""

    def __init__(self):
        self.first_begun = 0
        self.wrong = None
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def first(self, input):
        self.first_begun += 1
        return self.first_begun

    async def second(self, input):
        self.begun.set()
        await self.open.wait()
        if self.wrong:
            raise ValueError(self.wrong)
        return "done"

    @property
    def functions(self):
        return {"first": self.first, "second": self.second}


@pytest.fixture
def workers():
    return Workers()


@pytest.fixture
async def served(serve, workers):
    return await serve(functions=workers.functions)


@pytest.fixture
def begin(served):
    """Launch a run without waiting for it, and return its id."""

    async def launched(blueprint=TWO, **more):
        answer = await served.http.post("/v1/tasks", json=task(blueprint, detach=True, **more))
        assert answer.status_code == 202
        return answer.json()["run_id"]

    return launched


@pytest.fixture
def ended(served):
    """Wait for the end of a run."""

    async def result(run_id):
        answer = await served.http.get(f"/v1/runs/{run_id}/result?wait=20")
        assert answer.status_code == 200
        return answer.json()

    return result


@pytest.fixture
def waiting(served, eventually):
    """Wait until a run waits for answers and has left the engine's memory."""

    async def parked(run_id):
        await eventually(lambda: run_id in served.swarm.engine.state.parked)

    return parked


def local(tmp_path, *arguments):
    """Return what a local command prints with --json on the same store."""
    command = [sys.executable, "-m", "swarm_core", *arguments, "--json", "--store", f"sqlite:///{tmp_path}/swarm.db"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout)


class TestShown:
    async def test_a_run_is_told_as_the_local_command_tells_it(self, served, workers, begin, ended, tmp_path):
        workers.open.set()
        run_id = await begin()
        await ended(run_id)

        run = (await served.http.get(f"/v1/runs/{run_id}")).json()
        steps = (await served.http.get(f"/v1/runs/{run_id}/steps")).json()["steps"]

        shown = await asyncio.to_thread(local, tmp_path, "show", run_id)
        assert (run, steps) == (shown["run"], shown["steps"])
        assert [each["address"] for each in steps] == ["/0", "/1"]

    async def test_a_run_under_way_is_told_with_the_counts_of_now(self, served, workers, begin):
        run_id = await begin()
        await workers.begun.wait()

        run = (await served.http.get(f"/v1/runs/{run_id}")).json()

        assert (run["status"], run["counts"]["tasks"], run["counts"]["pass"]) == ("running", 2, 1)

    async def test_the_beginning_of_an_id_will_do(self, served, begin):
        run_id = await begin(ASKING)

        assert (await served.http.get(f"/v1/runs/{run_id[4:12]}")).json()["id"] == run_id

    @pytest.mark.parametrize("rest", ["", "/steps", "/result", "/events"])
    async def test_row_100_what_is_no_run_is_404(self, served, rest):
        wrong = ["RUN-0000000000000000", "R-*", "' OR 1=1 --", "x" * 500, "RUN-1%0A2", "abc", "%2e%2e"]

        told = [await served.http.get(f"/v1/runs/{run_id}{rest}") for run_id in wrong]

        assert [answer.status_code for answer in told] == [404] * len(wrong)
        assert max(len(answer.json()["error"]) for answer in told) < 600

    async def test_the_result_of_a_run_that_has_not_ended_says_where_it_stands(self, served, begin, waiting):
        run_id = await begin(ASKING)
        await waiting(run_id)

        answer = await served.http.get(f"/v1/runs/{run_id}/result?wait=0.05")

        assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
        assert len(answer.json()["questions"]) == 1

    async def test_the_result_of_a_run_that_failed_has_its_error(self, served, workers, begin, ended):
        workers.wrong = "no paper"
        workers.open.set()

        result = await ended(await begin())

        assert result["status"] == "failed"
        assert "no paper" in result["error"]["message"]


class TestListed:
    async def test_the_newest_first_page_by_page(self, served, begin):
        ids = [await begin(ASKING) for _ in range(5)]

        first = (await served.http.get("/v1/runs?limit=2")).json()
        second = (await served.http.get(f"/v1/runs?limit=2&before={first['next']}")).json()
        third = (await served.http.get(f"/v1/runs?limit=2&before={second['next']}")).json()

        pages = [[run["id"] for run in page["runs"]] for page in (first, second, third)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
        assert third["next"] is None

    async def test_by_status_and_blueprint(self, served, workers, begin, ended, waiting):
        workers.open.set()
        done, asking = await begin(), await begin(ASKING)
        await ended(done)
        await waiting(asking)

        async def ids(query):
            return [run["id"] for run in (await served.http.get(f"/v1/runs?{query}")).json()["runs"]]

        assert await ids("status=done") == [done]
        assert await ids("status=done&status=waiting") == [asking, done]
        assert await ids("blueprint_id=asking") == [asking]
        assert await ids("blueprint_id=nothing") == []

    async def test_rows_101_and_102_a_filter_that_is_none_is_400(self, served):
        wrong = ["limit=-1", "limit=1000000000", "limit=abc", "status=gone", "statsu=done", "x') OR '1'='1=2"]

        told = [await served.http.get(f"/v1/runs?{query}") for query in wrong]

        assert [(answer.status_code, answer.json()["code"]) for answer in told] == [(400, "bad_query")] * len(wrong)

    async def test_without_a_store_of_runs_it_is_503_and_says_so(self, served):
        served.swarm.store = None

        answer = await served.http.get("/v1/runs")

        assert (answer.status_code, answer.json()["code"]) == (503, SettingsError.code)

    async def test_a_page_before_a_run_that_is_not_there_is_404(self, served):
        assert (await served.http.get("/v1/runs?before=RUN-0000000000000000")).status_code == 404


class TestCancel:
    async def test_a_run_under_way_is_ended(self, served, workers, begin):
        run_id = await begin()
        await workers.begun.wait()

        answer = await served.http.post(f"/v1/runs/{run_id}/cancel")

        assert (answer.status_code, answer.json()["status"], answer.json()["owner"]) == (200, "cancelled", None)

    async def test_one_that_waits_for_an_answer_is_ended(self, served, begin, waiting):
        run_id = await begin(ASKING)
        await waiting(run_id)

        answer = await served.http.post(f"/v1/runs/{run_id}/cancel")

        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
        assert (await served.http.get("/v1/questions?open=true")).json() == {"questions": []}

    async def test_one_that_nobody_holds_is_ended(self, served, workers, begin):
        run_id = await _interrupted(served, workers, begin)

        answer = await served.http.post(f"/v1/runs/{run_id}/cancel")

        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")

    async def test_one_that_another_process_holds_is_ended_by_it(self, served, workers, tmp_path):
        async with Swarm.open(Settings(), store=f"sqlite:///{tmp_path}/swarm.db", functions=workers.functions) as other:
            launched = await other.launch(TWO)
            await workers.begun.wait()

            answer = await served.http.post(f"/v1/runs/{launched.id}/cancel")

            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
            assert (await launched.wait()).status == "cancelled"

    async def test_cancelling_twice_is_once_and_what_ended_otherwise_stays(self, served, workers, begin, ended):
        cancelled = await begin(ASKING)
        workers.open.set()
        done = await begin()
        await ended(done)

        twice = [(await served.http.post(f"/v1/runs/{cancelled}/cancel")).status_code for _ in range(2)]
        late = await served.http.post(f"/v1/runs/{done}/cancel")

        assert twice == [200, 200]
        assert (late.status_code, late.json()["code"]) == (409, "run_ended")


async def _interrupted(served, workers, begin):
    """Return a run that was stopped in its second step, and that nobody holds."""
    run_id = await begin()
    await workers.begun.wait()
    record = served.swarm.engine.state.runs[run_id]
    await served.swarm.engine.stop(record, "the test says so")
    return run_id


class TestGoingOn:
    async def test_resume_runs_no_recorded_step_again(self, served, workers, begin, ended):
        run_id = await _interrupted(served, workers, begin)
        workers.open.set()

        answer = await served.http.post(f"/v1/runs/{run_id}/resume")

        assert (answer.status_code, answer.json()["id"]) == (202, run_id)
        assert (await ended(run_id))["final_ctx"] == {"a": 1, "b": "done"}
        assert workers.first_begun == 1

    async def test_what_runs_or_has_ended_cannot_be_resumed(self, served, workers, begin, ended):
        run_id = await begin()
        running = await served.http.post(f"/v1/runs/{run_id}/resume")
        workers.open.set()
        await ended(run_id)
        over = await served.http.post(f"/v1/runs/{run_id}/resume")

        assert (running.status_code, running.json()["code"]) == (409, "run_owned")
        assert (over.status_code, over.json()["code"]) == (409, "run_ended")

    async def test_rerun_begins_a_new_run_that_shares_what_does_not_depend(self, served, workers, begin, ended):
        workers.wrong = "no paper"
        workers.open.set()
        run_id = await begin()
        await ended(run_id)
        workers.wrong = None

        failed = await served.http.post(f"/v1/runs/{run_id}/rerun")
        whole = await served.http.post(f"/v1/runs/{run_id}/rerun", json={"from": ["/0"]})

        assert (failed.status_code, failed.json()["parent"]) == (201, run_id)
        assert failed.headers["location"] == f"/v1/runs/{failed.json()['id']}"
        assert (await ended(failed.json()["id"]))["final_ctx"] == {"a": 1, "b": "done"}
        assert (await ended(whole.json()["id"]))["final_ctx"] == {"a": 2, "b": "done"}

    async def test_how_much_was_known_before_is_told_with_the_end_whoever_carried_it_out(
        self, served, serve, workers, begin, ended
    ):
        resumed = await _interrupted(served, workers, begin)
        workers.open.set()
        await served.http.post(f"/v1/runs/{resumed}/resume")
        here = await ended(resumed)
        rerun = (await served.http.post(f"/v1/runs/{resumed}/rerun", json={"from": ["/1"]})).json()["id"]
        new = await begin()
        here_too = [await ended(each) for each in (rerun, new)]

        elsewhere = await serve()
        there = [(await elsewhere.http.get(f"/v1/runs/{each}/result")).json() for each in (resumed, rerun, new)]

        assert [here, *here_too] == there
        assert [(told.get("reused"), told.get("again")) for told in there] == [(1, 1), (1, None), (None, None)]

    async def test_rerun_from_nowhere_is_refused(self, served, workers, begin, ended):
        workers.open.set()
        run_id = await begin()
        await ended(run_id)

        nowhere = await served.http.post(f"/v1/runs/{run_id}/rerun", json={"from": ["/9"]})
        nothing = await served.http.post(f"/v1/runs/{run_id}/rerun", json={"from": []})

        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "step_not_found")
        assert (nothing.status_code, nothing.json()["code"]) == (409, "invalid_transition")

    async def test_migrate_tells_first_and_does_it_when_confirmed(self, served, workers, begin, ended):
        run_id = await _interrupted(served, workers, begin)
        other = {**TWO, "flow": {"kind": "seq", "children": [step("first", "$.a"), step("first", "$.b")]}}
        to = {"kind": "inline", "value": other}

        told = (await served.http.post(f"/v1/runs/{run_id}/migrate", json={"blueprint": to})).json()
        before = (await served.http.get(f"/v1/runs/{run_id}")).json()["blueprint_hash"]
        done = (await served.http.post(f"/v1/runs/{run_id}/migrate", json={"blueprint": to, "confirm": True})).json()
        await served.http.post(f"/v1/runs/{run_id}/resume")

        assert [note["address"] for note in told["kept"]] == ["/0"]
        assert (told["migrated"], told["from"], done["migrated"]) == (False, before, True)
        assert (await ended(run_id))["final_ctx"] == {"a": 1, "b": 2}

    async def test_a_run_that_is_held_cannot_be_migrated(self, served, workers, begin):
        run_id = await begin()
        await workers.begun.wait()

        body = {"blueprint": {"kind": "inline", "value": TWO}, "confirm": True}
        answer = await served.http.post(f"/v1/runs/{run_id}/migrate", json=body)

        assert (answer.status_code, answer.json()["code"]) == (409, "run_owned")
