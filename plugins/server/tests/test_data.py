"""Outputs over HTTP: a worker's own, kept as its own agent's, and read within its own run."""

import attrs
import pytest

from swarm_core.model.access import Role
from swarm_core.tokens import encode_token

EMIT, DATA = "/v1/data/emit", "/v1/data"
NOTE = {"type": "progress", "stage": "reading", "note": None}


def artifact(value, name="report"):
    return {"type": "artifact", "name": name, "content": {"kind": "inline", "value": value}}


def final(value, *, ok=True, **more):
    return {"type": "final", "content": {"kind": "inline", "value": value}, "ok": ok, **more}


@attrs.define
class Bench:
    """Two steps: the work of the first lies on the desk, and a client has its handle."""

    served: object
    desk: object
    run: object
    piece: object
    http: object

    async def emit(self, event, **more):
        body = {"task_id": self.piece.task, "attempt": 1, "producer_agent": "scout", "event": event, **more}
        return await self.http.post(EMIT, json=body)

    async def put(self, key, event, **more):
        body = {"task_id": self.piece.task, "attempt": 1, "event": event, **more}
        return await self.http.post(f"{DATA}/{key}", json=body)


@pytest.fixture
async def bench(served, desk, outside):
    run = await outside(served, "scout", "planner")
    piece = await desk.next()
    async with served.client(piece.handle) as http:
        yield Bench(served, desk, run, piece, http)


class TestEmit:
    async def test_what_a_worker_emits_is_an_event_and_an_output_at_once(self, bench):
        out_id = (await bench.emit(artifact({"n": 1}))).json()["out_id"]
        read = (await bench.http.get(f"{DATA}/{out_id}")).json()

        assert artifact({"n": 1}) == read.pop("event")
        assert {
            "id": out_id,
            "run_id": bench.run.id,
            "task_id": bench.piece.task,
            "attempt": 1,
            "producer_agent": "scout",
            "parent_refs": [],
        } == read
        events = [event async for event in _until_output(bench.run)]
        assert artifact({"n": 1}) == events[-1].data["output"]

    async def test_nothing_is_kept_twice_when_the_attempt_ends(self, bench):
        for event in (NOTE, {"type": "partial", "chunk": "a"}, artifact(1), final("done")):
            assert 200 == (await bench.emit(event)).status_code
        bench.piece.acknowledge()
        await bench.desk.next()

        kept = await bench.served.swarm.outputs.list_for_attempt(bench.piece.task, 1)
        assert ["progress", "partial", "artifact", "final"] == [record.event.type for record in kept]

    async def test_a_final_is_the_result(self, bench):
        await bench.emit(final("done"))
        again, other = await bench.emit(final("done")), await bench.emit(final("other"))
        bench.piece.acknowledge()
        second = await bench.desk.next()
        second.acknowledge()

        assert (200, 409, "result_conflict") == (again.status_code, other.status_code, other.json()["code"])
        assert "done" == (await bench.run.wait()).final_ctx["scout"]

    async def test_a_final_cannot_pose_as_a_layers(self, bench):
        assert 422 == (await bench.emit(final("x", by="senior_escalation"))).status_code

    async def test_outputs_tell_what_they_come_from(self, bench):
        first = (await bench.emit(artifact(1))).json()["out_id"]
        second = (await bench.emit(artifact(2), parent_refs=[first])).json()["out_id"]

        assert [first] == (await bench.http.get(f"{DATA}/{second}")).json()["parent_refs"]

    @pytest.mark.parametrize("ref", ["out-0000000000000000", "nonsense", ""])
    async def test_what_is_no_output_is_nobodys_parent(self, bench, ref):
        assert 404 == (await bench.emit(artifact(1), parent_refs=[ref])).status_code

    @pytest.mark.parametrize(
        "event",
        [
            {},
            {"type": "final"},
            {"type": "verdict"},
            {**NOTE, "x": 1},
            artifact(1) | {"content": {"kind": "url"}},
            None,
        ],
    )
    async def test_what_is_no_output_is_refused(self, bench, event):
        assert 422 == (await bench.emit(event)).status_code

    async def test_sp135_a_path_to_a_file_is_data_and_nothing_is_opened(self, bench):
        event = {"type": "artifact", "name": "x", "content": {"kind": "file_ref", "path": "/etc/shadow"}}
        out_id = (await bench.emit(event)).json()["out_id"]

        content = (await bench.http.get(f"{DATA}/{out_id}")).json()["event"]["content"]
        assert {"kind": "file_ref", "path": "/etc/shadow", "mime": None, "size_hint": None} == content

    async def test_row_95_nobody_posts_without_a_credential(self, bench):
        body = {"task_id": bench.piece.task, "attempt": 1, "event": NOTE}
        async with bench.served.client() as stranger:
            replies = [await stranger.post(EMIT, json=body), await stranger.post(f"{DATA}/scout", json=body)]

        assert [400, 400] == [reply.status_code for reply in replies]

    async def test_tk92_a_token_in_the_address_is_refused(self, bench):
        body = {"task_id": bench.piece.task, "attempt": 1, "event": NOTE}
        async with bench.served.client() as http:
            reply = await http.post(EMIT, json=body, params={"token": bench.piece.handle})

        assert (400, "token_in_query") == (reply.status_code, reply.json()["code"])


class TestProducer:
    async def test_the_address_can_name_the_own_agent_only(self, bench):
        own, others = await bench.put("scout", artifact(1)), await bench.put("planner", artifact(2))

        assert (200, 403) == (own.status_code, others.status_code)
        assert 404 == (await bench.served.http.get(f"{DATA}/planner")).status_code

    async def test_so_can_the_body(self, bench):
        assert 403 == (await bench.emit(artifact(1), producer_agent="planner")).status_code
        assert 200 == (await bench.emit(artifact(1), producer_agent=None)).status_code

    async def test_row_95_the_newest_of_an_agent_is_found_by_its_name(self, bench):
        for number in range(3):
            await bench.put("scout", artifact(number))

        by_name = (await bench.served.http.get(f"{DATA}/scout")).json()
        by_id = (await bench.served.http.get(f"{DATA}/{by_name['id']}")).json()

        assert artifact(2) == by_name["event"]
        assert by_id == by_name

    async def test_an_answer_that_has_just_come_is_found(self, bench):
        await bench.http.post("/v1/worker/submit", content="the plan")
        bench.piece.acknowledge()
        second = await bench.desk.next()
        async with bench.served.client(second.handle) as http:
            found = (await http.get(f"{DATA}/scout")).json()

        assert final("the plan") == found["event"]


class TestReading:
    async def test_a_worker_reads_its_own_run_and_no_other(self, bench, served, desk, outside):
        out_id = (await bench.put("scout", artifact("secret"))).json()["out_id"]
        await outside(served, "scout", "planner")
        async with served.client((await desk.next()).handle) as thief:
            replies = [await thief.get(f"{DATA}/{key}") for key in (out_id, "scout")]

        assert [404, 404] == [reply.status_code for reply in replies]
        assert "secret" not in "".join(reply.text for reply in replies)

    async def test_by_name_a_worker_finds_its_own_runs_output_beside_a_newer_one_elsewhere(
        self, bench, served, desk, outside
    ):
        await bench.put("scout", artifact("mine"))
        await outside(served, "scout", "planner")
        other = await desk.next()
        async with served.client(other.handle) as http:
            body = {"task_id": other.task, "attempt": 1, "event": artifact("theirs")}
            await http.post(f"{DATA}/scout", json=body)

        assert artifact("theirs") == (await served.http.get(f"{DATA}/scout")).json()["event"]
        assert artifact("mine") == (await bench.http.get(f"{DATA}/scout")).json()["event"]

    @pytest.mark.parametrize(
        ("role", "status"), [("observer", 200), ("operator", 200), ("worker", 404), ("senior", 403)]
    )
    async def test_a_capability_token_reads_as_its_role_says(self, bench, role, status):
        await bench.put("scout", artifact(1))
        token = encode_token(bench.served.swarm.engine.attach("somebody", Role(role)))
        async with bench.served.client(token) as http:
            assert status == (await http.get(f"{DATA}/scout")).status_code

    async def test_nobody_reads_without_a_credential(self, bench):
        async with bench.served.client() as http:
            assert 401 == (await http.get(f"{DATA}/scout")).status_code

    @pytest.mark.parametrize("key", ["out-0000000000000000", "out-", "nobody", "x' OR 1=1 --"])
    async def test_what_is_not_there_is_not_found(self, bench, key):
        assert 404 == (await bench.served.http.get(f"{DATA}/{key}")).status_code


async def _until_output(run):
    async for event in run.events():
        yield event
        if event.kind == "worker_output":
            return
