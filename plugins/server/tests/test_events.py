"""The events of runs over HTTP: in pages, and as they come."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from swarm_plugin_server import following
from swarm_plugin_server.following import Feed, encoded

from swarm_core import Swarm
from swarm_core.model.event import Event
from swarm_core.settings import Settings

STREAM = {"accept": "text/event-stream"}


def path(at):
    return {"op": "path", "at": at}


def step(ref, out):
    return {"kind": "step", "ref": ref, "in": path("$"), "out": path(out)}


LOOP = {
    "id": "loop",
    "flow": {
        "kind": "loop",
        "counter": path("$.n"),
        "cond": {"op": "lit", "value": True},
        "max": 8,
        "body": step("worker", "$.out"),
    },
    "agents": [{"name": "worker", "kind": "function", "spec": {"fn_id": "work"}}],
}
ASKING = {
    "id": "asking",
    "flow": {"kind": "seq", "children": [step("asker", "$.a"), step("asker", "$.b")]},
    "agents": [{"name": "asker", "kind": "ask", "spec": {"question": "May it go?"}}],
}


class Steps:
    """A worker that ends one step whenever it is let."""

    def __init__(self):
        self.room = asyncio.Semaphore(0)

    async def work(self, input):
        await self.room.acquire()
        return "x" * 100

    def let(self, count):
        for _ in range(count):
            self.room.release()


@pytest.fixture
def steps():
    return Steps()


@pytest.fixture
async def served(serve, steps):
    return await serve(functions={"work": steps.work})


async def launch(served, blueprint=LOOP):
    body = {"blueprint": {"kind": "inline", "value": blueprint}, "init_ctx": {}, "detach": True}
    return (await served.http.post("/v1/tasks", json=body)).json()["run_id"]


def parsed(lines):
    """Yield (id, kind, data) for each event that a stream's lines tell; comments are left out."""
    found = {}
    for line in lines:
        if not line and found:
            yield found.get("id"), found["event"], json.loads(found["data"])
            found = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


@asynccontextmanager
async def streamed(served, run_id, **headers):
    async with served.http.stream("GET", f"/v1/runs/{run_id}/events", headers={**STREAM, **headers}) as response:
        assert response.status_code == 200
        yield response


async def heard(served, run_id, **headers):
    """Return everything that a stream tells until its end."""
    async with streamed(served, run_id, **headers) as response:
        return list(parsed([line async for line in response.aiter_lines()]))


async def recorded(served, run_id):
    return [event.as_json() for event in await served.swarm.history.events(run_id)]


class TestPages:
    async def test_a_page_tells_where_the_next_one_begins(self, served, steps):
        steps.let(8)
        run_id = await launch(served)
        await served.http.get(f"/v1/runs/{run_id}/result?wait=20")

        after, told, sizes = 0, [], []
        while after is not None:
            page = (await served.http.get(f"/v1/runs/{run_id}/events?after={after}&limit=7")).json()
            told += page["events"]
            sizes.append(len(page["events"]))
            after = page["next"]

        assert told == await recorded(served, run_id)
        assert set(sizes[:-1]) == {7}

    async def test_row_118_a_position_beyond_the_newest_event_is_refused(self, served):
        run_id = await launch(served)

        page = await served.http.get(f"/v1/runs/{run_id}/events?after=99")
        stream = await served.http.get(f"/v1/runs/{run_id}/events", headers={**STREAM, "last-event-id": "99"})

        assert [(each.status_code, each.json()["code"]) for each in (page, stream)] == [(400, "bad_position")] * 2

    @pytest.mark.parametrize("said", ["-1", "abc", "1.5", "9" * 30])
    async def test_row_118_a_position_that_is_none_is_refused(self, served, said):
        run_id = await launch(served)

        answer = await served.http.get(f"/v1/runs/{run_id}/events", headers={**STREAM, "last-event-id": said})

        assert answer.status_code == 400


class TestStream:
    async def test_each_event_has_its_number_its_kind_and_its_facts(self, served, steps):
        steps.let(8)
        run_id = await launch(served)

        told = await heard(served, run_id)

        assert [data for _, _, data in told[:-1]] == await recorded(served, run_id)
        assert all((id, kind) == (str(data["seq"]), data["kind"]) for id, kind, data in told[:-1])
        assert told[-1] == (None, "end", {"run_id": run_id, "status": "done"})

    async def test_events_come_while_the_run_goes(self, served, steps):
        run_id = await launch(served)
        kinds = []
        async with streamed(served, run_id) as response:
            async for line in response.aiter_lines():
                kinds += [line[7:]] if line.startswith("event: ") else []
                if kinds.count("task_attempt_started") > kinds.count("task_pass") and line.startswith("event: task_at"):
                    steps.let(1)

        assert (kinds.count("task_pass"), kinds[-2:]) == (8, ["run_ended", "end"])

    @pytest.mark.parametrize("at", [0, 1, 5])
    async def test_nothing_is_lost_or_doubled_over_a_reconnect(self, served, steps, at):
        run_id = await launch(served)
        steps.let(4)
        first = []
        async with streamed(served, run_id) as response:
            async for line in response.aiter_lines():
                first += [int(line[4:])] if line.startswith("id: ") else []
                if len(first) > at:
                    break
        steps.let(4)

        rest = await heard(served, run_id, **{"last-event-id": str(first[-1])})

        numbers = first + [int(id) for id, _, _ in rest[:-1]]
        assert numbers == list(range(1, len(await recorded(served, run_id)) + 1))

    async def test_a_run_that_ended_long_ago_is_told_from_the_store(self, served, steps):
        steps.let(8)
        run_id = await launch(served)
        await served.http.get(f"/v1/runs/{run_id}/result?wait=20")
        served.swarm.engine.state.drop(served.swarm.engine.state.runs[run_id])

        told = await heard(served, run_id, **{"last-event-id": "3"})

        assert [data for _, _, data in told[:-1]] == (await recorded(served, run_id))[3:]
        assert told[-1][1:] == ("end", {"run_id": run_id, "status": "done"})

    async def test_a_run_that_waits_is_followed_through_its_answers(self, served, eventually):
        run_id = await launch(served, ASKING)
        await eventually(lambda: run_id in served.swarm.engine.state.parked)
        lines, answered = [], 0
        async with streamed(served, run_id) as response:
            async for line in response.aiter_lines():
                lines.append(line)
                if line == "event: run_waiting":
                    questions = (await served.http.get("/v1/questions?open=true")).json()["questions"]
                    await served.http.post(f"/v1/questions/{questions[0]['key']}/answer", json={"answer": "yes"})
                    answered += 1

        told = list(parsed(lines))
        assert [data for _, _, data in told[:-1]] == await recorded(served, run_id)
        assert (answered, told[-1][2]["status"]) == (2, "done")

    async def test_a_run_that_another_process_holds_is_followed_through_the_store(self, served, steps, tmp_path):
        opening = Swarm.open(Settings(), store=f"sqlite:///{tmp_path}/swarm.db", functions={"work": steps.work})
        async with opening as other:
            launched = await other.launch(LOOP)
            listening = asyncio.ensure_future(heard(served, launched.id))
            steps.let(8)
            told = await listening

        assert [data for _, _, data in told[:-1]] == await recorded(served, launched.id)
        assert told[-1][1] == "end"

    async def test_a_run_that_nobody_holds_ends_the_stream(self, served, steps):
        run_id = await launch(served)
        await served.swarm.engine.stop(served.swarm.engine.state.runs[run_id], "the test says so")

        told = await heard(served, run_id)

        assert told[-2:][0][1] == "run_interrupted"
        assert told[-1] == (None, "end", {"run_id": run_id, "status": "interrupted"})

    async def test_when_the_server_stops_no_end_is_told(self, served, steps, eventually):
        run_id = await launch(served)
        listening = asyncio.ensure_future(heard(served, run_id))
        await eventually(lambda: served.serving.streams)

        served.serving.stopping.set()
        await served.swarm.engine.stop(served.swarm.engine.state.runs[run_id], "the server stops")

        assert [kind for _, kind, _ in await listening][-1] == "run_interrupted"

    async def test_what_the_engines_memory_has_dropped_is_read_from_the_store(self, served, steps):
        run_id = await launch(served)
        log = served.swarm.engine.state.runs[run_id].events
        log._kept = type(log._kept)(log._kept, maxlen=3)
        steps.let(8)
        await served.http.get(f"/v1/runs/{run_id}/result?wait=20")

        kept = [event.kind for event in log.read(1)]
        told = await heard(served, run_id)

        assert kept[0] == "gap"
        assert [data for _, _, data in told[:-1]] == await recorded(served, run_id)

    @pytest.mark.parametrize("after", [0, 3, 19])
    async def test_what_was_before_the_feed_is_read_for_its_listener(self, served, steps, monkeypatch, after):
        monkeypatch.setattr(following, "_BACK", 2)
        steps.let(6)
        run_id = await launch(served)
        while len(await recorded(served, run_id)) < 20:
            await asyncio.sleep(0.01)

        listening = asyncio.ensure_future(heard(served, run_id, **{"last-event-id": str(after)}))
        while not served.serving.streams:
            await asyncio.sleep(0.01)
        steps.let(2)

        assert [data for _, _, data in (await listening)[:-1]] == (await recorded(served, run_id))[after:]

    async def test_silence_is_broken_now_and_then(self, served, monkeypatch):
        monkeypatch.setattr(following, "HEARTBEAT", 0.05)
        run_id = await launch(served)
        beats = 0
        async with streamed(served, run_id) as response:
            async for line in response.aiter_lines():
                beats += line.startswith(":")
                if beats == 3:
                    break

        assert beats == 3

    async def test_when_nobody_listens_nothing_is_read_any_more(self, served, eventually):
        run_id = await launch(served)
        async with streamed(served, run_id) as response:
            await anext(response.aiter_lines())
            feeds = served.swarm.services[following.Feeds]
            assert list(feeds._by_run) == [run_id]

        await eventually(lambda: not feeds._by_run)

    async def test_many_listeners_share_one_reading(self, served, steps, monkeypatch):
        made = []
        monkeypatch.setattr(following, "encoded", lambda event: (made.append(event.seq), encoded(event))[1])
        run_id = await launch(served)
        listening = [asyncio.ensure_future(heard(served, run_id)) for _ in range(40)]
        while served.serving.streams < 40:
            await asyncio.sleep(0.01)
        steps.let(8)

        told = await asyncio.gather(*listening)

        wanted = await recorded(served, run_id)
        assert all([data for _, _, data in each[:-1]] == wanted for each in told)
        assert made == [event["seq"] for event in wanted]


def event(seq, size=10):
    return Event("progress", "RUN-1", seq, 0.0, None, None, {"text": "x" * size})


class TestFeed:
    """What a listener gets of a feed, whatever its pace."""

    async def test_p31_a_listener_that_is_too_far_behind_is_told_from_where_to_go_on(self, monkeypatch):
        monkeypatch.setattr(following, "KEPT_BYTES", 10_000)
        feed = Feed(1)
        feed.push(event(1))
        feed.flush()
        slow = feed.listen(0)
        first = await anext(slow)
        for seq in range(2, 100):
            feed.push(event(seq, 1000))
            feed.flush()

        rest = [piece async for piece in slow]

        assert next(parsed(first.decode().splitlines()))[0] == "1"
        assert [kind for _, kind, _ in parsed(b"".join(rest).decode().splitlines())] == ["lagged"]
        assert b'{"after":1}' in rest[0]

    async def test_p31_what_is_kept_is_bounded(self, monkeypatch):
        monkeypatch.setattr(following, "KEPT_BYTES", 10_000)
        feed = Feed(1)
        for seq in range(1, 1000):
            feed.push(event(seq, 1000))
            feed.flush()

        assert sum(len(batch.data) for batch in feed.batches) <= 11_000

    @pytest.mark.parametrize("after", [0, 1, 4, 5, 9])
    async def test_a_listener_begins_anywhere_within_a_batch(self, after):
        feed = Feed(1)
        for seq in range(1, 6):
            feed.push(event(seq))
        feed.flush()
        for seq in range(6, 11):
            feed.push(event(seq))
        feed.close(b"")

        told = b"".join([piece async for piece in feed.listen(after)])

        assert [int(id) for id, _, _ in parsed(told.decode().splitlines())] == list(range(after + 1, 11))

    async def test_a_listener_that_is_ahead_of_the_feed_hears_what_comes_next(self):
        feed = Feed(3)
        ahead = feed.listen(5)
        for seq in range(3, 8):
            feed.push(event(seq))
            feed.flush()

        assert [next(parsed((await anext(ahead)).decode().splitlines()))[0] for _ in range(2)] == ["6", "7"]

    async def test_events_that_come_together_are_sent_together(self):
        feed = Feed(1)
        for seq in range(1, 6):
            feed.push(event(seq))
        await asyncio.sleep(0)

        assert [(batch.first, batch.last) for batch in feed.batches] == [(1, 5)]
