"""A seat at a server: work comes over a WebSocket, is done with its handle, and outlives connections."""

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest
from swarm_plugin_client import AsyncClient, SeatTaken, ServerRefused, ServerUnreachable

from swarm_core.model.task import TaskStatus


@pytest.fixture
def seat():
    return f"desk-{uuid4().hex[:8]}"


@pytest.fixture
def operating(seat):
    return {
        "id": "operating",
        "operators": [{"name": seat}],
        "agents": [{"name": "writer", "kind": "operator", "spec": {"operator_ref": seat}}],
        "flow": {
            "kind": "step",
            "ref": "writer",
            "in": {"op": "lit", "value": "write a poem"},
            "out": {"op": "path", "at": "$.written"},
        },
    }


@pytest.fixture
async def client(request):
    """Ask the shared server; a test that kills its own asks that."""
    pytest.importorskip("swarm_plugin_operator")
    server = request.getfixturevalue("own_server" if "own_server" in request.fixturenames else "server")
    async with AsyncClient(server.url, server.token) as opened:
        yield opened


@pytest.fixture
async def session(client, seat):
    return await client.operators.join([seat])


@pytest.fixture
async def frames(session):
    async with aclosing(session.frames()) as opened:
        yield opened


async def result_of(client, run_id):
    async for _ in client.runs.events(run_id):
        pass
    return await client.runs.result(run_id)


async def test_work_is_taken_done_with_its_handle_and_acknowledged(client, session, frames, operating):
    run = await client.tasks.launch(operating)

    frame = await asyncio.wait_for(anext(frames), 30)
    worker = client.worker(frame["worker_handle"])
    prompt = await worker.prompt()
    alive = await worker.heartbeat()
    await worker.submit("roses are red")
    await session.done(frame)

    assert ("spawn", "writer", frame["task_id"]) == (frame.type, frame["agent"], prompt["task_id"])
    assert "write a poem" in prompt["prompt"]
    assert (frame["task_id"], 1) == (alive.task_id, alive.attempt)
    assert alive.status in (
        TaskStatus.RUNNING,
        TaskStatus.SUSPENDED,
    )  # it may have waited before the seat was connected
    assert {"written": "roses are red"} == (await result_of(client, run.run_id)).final_ctx
    with pytest.raises(ServerRefused) as caught:
        await worker.prompt()
    assert caught.value.status in (401, 410)


async def test_an_acknowledgement_carries_a_result_itself(client, session, frames, operating):
    run = await client.tasks.launch(operating)

    await session.done(await asyncio.wait_for(anext(frames), 30), {"lines": 4})

    assert {"written": {"lines": 4}} == (await result_of(client, run.run_id)).final_ctx


async def test_a_seat_outlives_its_server(client, session, frames, operating, own_server):
    first = await client.tasks.launch(operating)
    await session.done(await asyncio.wait_for(anext(frames), 30), 1)
    await result_of(client, first.run_id)
    waiting = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0)

    await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)
    second = await client.tasks.launch(operating)
    await session.done(await asyncio.wait_for(waiting, 60), 2)

    assert {"written": 2} == (await result_of(client, second.run_id)).final_ctx


async def test_a_second_connection_takes_the_place_of_the_first(client, session, frames, operating):
    run = await client.tasks.launch(operating)
    await asyncio.wait_for(anext(frames), 30)

    other = client.operators.session(session.sid, session.token)
    async with aclosing(other.frames()) as others:
        frame = await asyncio.wait_for(anext(others), 30)

        with pytest.raises(SeatTaken):
            await asyncio.wait_for(anext(frames), 30)
        await other.done(frame, 3)
        assert {"written": 3} == (await result_of(client, run.run_id)).final_ctx


async def test_whoever_has_left_is_no_operator_any_more(client, session):
    await session.leave()

    with pytest.raises(ServerRefused) as caught:
        await anext(session.frames())
    assert caught.value.status in (401, 404)


async def test_a_seat_that_is_taken_is_not_given_twice(client, session, seat):
    with pytest.raises(ServerRefused) as caught:
        await client.operators.join([seat])

    assert (409, [seat]) == (caught.value.status, [str(one) for one in caught.value.document["conflicts"]])


async def test_without_a_server_it_is_told(free_port):
    async with AsyncClient(f"http://127.0.0.1:{free_port}", "token") as client:
        with pytest.raises(ServerUnreachable, match="no server answers"):
            await anext(client.operators.session("sid", "token").frames())


async def test_a_frame_does_not_show_its_secrets(client, session, frames, operating):
    await client.tasks.launch(operating)

    frame = await asyncio.wait_for(anext(frames), 30)

    assert frame["worker_handle"] not in repr(frame)
    assert session.token not in repr(session)
