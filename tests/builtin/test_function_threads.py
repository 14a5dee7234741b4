from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from swarm_core.errors import ResourceNotFound, WorkerFailed
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline, Progress

WHO = contextvars.ContextVar("who", default="nobody")


class TestThread:
    async def test_a_plain_function_does_not_hold_up_the_loop(self, build, make_call):
        may_go = threading.Event()

        def wait():
            return may_go.wait(10)

        async def let_go():
            may_go.set()

        result, _ = await asyncio.gather(build(wait).run(make_call()), let_go())

        assert Result(True) == result

    async def test_an_inline_function_runs_on_the_loops_thread(self, build, make_call):
        def where():
            return threading.get_ident()

        assert Result(where()) == await build(where, inline=True).run(make_call())

    async def test_context_variables_reach_the_thread(self, build, make_call):
        def who():
            return WHO.get()

        WHO.set("somebody")

        assert Result("somebody") == await build(who).run(make_call())

    async def test_cancelling_is_prompt_and_drops_the_result(self, build, make_call):
        started, may_go, ended = threading.Event(), threading.Event(), threading.Event()

        def slow():
            started.set()
            may_go.wait(10)
            ended.set()

        task = asyncio.ensure_future(build(slow).run(make_call()))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        still_running = not ended.is_set()
        may_go.set()

        assert (still_running, await asyncio.to_thread(ended.wait, 10)) == (True, True)

    async def test_cancelling_an_async_function_reaches_it(self, build, make_call):
        seen = []

        async def patient():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = asyncio.ensure_future(build(patient).run(make_call()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert seen == ["cancelled"]

    async def test_the_context_is_used_on_the_loop_only(self, build, make_call):
        call = make_call()
        threads = []
        emit = call.context.emit
        call.context.emit = lambda event: (threads.append(threading.get_ident()), emit(event))

        def worker(call):
            call.context.emit(Progress("half"))
            call.context.publish("counted", number=1)
            return [call.context.token(), call.context.handle()[:3], call.context.deadline]

        result = await build(worker).run(call)

        assert [threading.get_ident()] == threads
        assert ([Progress("half")], [("counted", {"number": 1})]) == (call.context.outputs, call.context.published)
        assert Result([call.context.token(), "wh-", None]) == result

    async def test_a_final_emitted_in_a_thread_counts(self, build, make_call):
        call = make_call()

        def worker(call):
            call.context.emit(Final(Inline("said"), False))

        assert None is await build(worker).run(call)
        assert Result("said", ok=False) == call.context.latest

    async def test_an_error_of_the_context_reaches_the_function(self, build, make_call):
        def worker(call):
            try:
                call.context.fetch_data("missing")
            except ResourceNotFound as error:
                return error.key

        assert Result("missing") == await build(worker).run(make_call())

    @pytest.mark.parametrize(("method", "arguments"), [("ask", ("why",)), ("start_child", ("b", "x"))])
    async def test_waiting_for_the_engine_in_a_thread_is_refused(self, build, make_call, method, arguments):
        def worker(call):
            return getattr(call.context, method)(*arguments)

        with pytest.raises(WorkerFailed, match=f"{method} cannot be used in a thread; make the function async"):
            await build(worker).run(make_call())
