"""Scripts in the engine's own process: the same results, the same errors, cancellable while they look at the clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from swarm_plugin_lua.inproc import run_in_process
from swarm_plugin_lua.job import Job, Reply

from swarm_core.contracts import Spawner
from swarm_core.errors import WorkerFailed
from swarm_core.factories import Environment
from swarm_core.model.call import Result
from swarm_core.model.output import Progress
from swarm_core.testing import RecordingContext, check_spawner, make_call


@pytest.fixture
def trusted(build: Callable[..., Spawner], environment: Callable[..., Environment]) -> Callable[..., Spawner]:
    without_processes = environment({"isolation": "inproc"}, services={}, processes=None)
    return lambda source, **spec: build(source=source, environ=without_processes, **spec)


async def until_no_thread_is_left() -> None:
    async with asyncio.timeout(30):
        while any(thread.name.startswith("lua ") for thread in threading.enumerate()):
            await asyncio.sleep(0.01)


async def test_needs_no_pool_and_no_process(trusted: Callable[..., Spawner]) -> None:
    context = RecordingContext()

    result = await trusted("print(_AGENT) return {value = _CTX.n, ok = false}").run(make_call(context=context))

    assert result == Result(3, False)
    assert context.outputs == [Progress("print", "tester\n")]


async def test_keeps_the_contract_of_workers(trusted: Callable[..., Spawner]) -> None:
    await check_spawner(trusted("for i = 1, 300000 do local x = i end return _CTX"))


@pytest.mark.parametrize(
    ("source", "kind"),
    [("error('x')", "lua_error"), ("while true do end", "lua_timeout"), ("return ('x'):rep(1 << 30)", "lua_memory")],
)
async def test_errors_have_the_same_kinds(trusted: Callable[..., Spawner], source: str, kind: str) -> None:
    with pytest.raises(WorkerFailed) as caught:
        await trusted(source, time_limit=0.2).run(make_call())

    assert caught.value.kind == kind


async def test_cancelled_script_ends_its_thread(make_job: Callable[..., Job]) -> None:
    running = asyncio.ensure_future(
        run_in_process(make_job("while true do pcall(function() while true do end end) end"))
    )
    await asyncio.sleep(0.1)

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    await until_no_thread_is_left()


async def test_engine_goes_on_when_a_call_cannot_be_interrupted(
    make_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    reply = await run_in_process(make_job("return #string.rep('', 1 << 28)", time_limit=0.05))

    assert reply == Reply(status="timeout")
    assert "script 'script' cannot be interrupted and goes on in its thread" in caplog.text
    await until_no_thread_is_left()


async def test_scripts_run_side_by_side(make_job: Callable[..., Job]) -> None:
    replies = await asyncio.gather(*(run_in_process(make_job("return _CTX", input=n)) for n in range(10)))

    assert [reply.value for reply in replies] == list(range(10))
