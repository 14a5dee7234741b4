"""Budgets end runs, fail dispatches, stop fan-outs, and never let anybody wait for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarm_core.errors import BudgetExceeded, DocumentError
from swarm_core.model.task import RunStatus
from swarm_core.swarm import Swarm


def read(path: str) -> dict[str, Any]:
    return {"op": "path", "at": path}


def lit(value: Any) -> dict[str, Any]:
    return {"op": "lit", "value": value}


def step(ref: str, out: str = "$.out") -> dict[str, Any]:
    return {"kind": "step", "ref": ref, "in": read("$"), "out": read(out)}


def seq(*children: Any) -> dict[str, Any]:
    return {"kind": "seq", "children": list(children)}


def attempt(body: Any, catch: Any) -> dict[str, Any]:
    return {"kind": "try", "body": body, "catch": catch, "err_at": read("$.error")}


def loop(body: Any, most: int) -> dict[str, Any]:
    return {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": body, "max": most}


def fanout(count: int, body: Any, **facts: Any) -> dict[str, Any]:
    items = lit(list(range(count)))
    out = read("$.all")
    return {
        "kind": "fanout",
        "items": items,
        "bind": read("$.n"),
        "body": body,
        "join": "all_settled",
        "out": out,
        **facts,
    }


LET = {"kind": "let", "at": "$.caught", "value": lit(True)}


def blueprint(flow: Any, *agents: str, **facts: Any) -> dict[str, Any]:
    agents_ = [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in agents]
    return {"id": "budgeted", "flow": flow, "agents": agents_, **facts}


async def run(document: dict[str, Any], functions: Any, **launch: Any) -> Any:
    async with Swarm.open(plugins=(), functions={f.__name__: f for f in functions}) as swarm:
        launched = await swarm.launch(document, **launch)
        async with asyncio.timeout(20):
            return await launched.wait()


async def work(input):
    return "ok"


class TestTheRuns:
    async def test_one_dispatch_too_many_ends_the_run(self):
        result = await run(blueprint(loop(step("work"), 10), "work", budget={"dispatches": 3}), [work])

        assert (RunStatus.FAILED, "BudgetExceeded") == (result.status, result.error["kind"])
        assert "the run has spent its budget of dispatches (3)" in result.error["message"]
        assert 3 == result.counts["tasks"]

    async def test_as_many_as_it_says_are_fine(self):
        result = await run(blueprint(loop(step("work"), 3), "work", budget={"dispatches": 3, "attempts": 3}), [work])

        assert RunStatus.DONE == result.status

    async def test_no_try_catches_it(self):
        result = await run(blueprint(attempt(loop(step("work"), 9), LET), "work", budget={"dispatches": 3}), [work])

        assert (RunStatus.FAILED, "BudgetExceeded") == (result.status, result.error["kind"])

    async def test_the_tighter_of_blueprint_and_launch_counts(self):
        document = blueprint(loop(step("work"), 10), "work", budget={"dispatches": 5})

        less = await run(document, [work], budget={"dispatches": 2})
        more = await run(document, [work], budget={"dispatches": 7})

        assert [2, 5] == [less.counts["tasks"], more.counts["tasks"]]

    async def test_a_launch_whose_budget_is_none_is_refused(self):
        with pytest.raises(DocumentError, match=r"\$\.budget\.dispatchs: .* did you mean 'dispatches'"):
            await run(blueprint(step("work"), "work"), [work], budget={"dispatchs": 2})

    async def test_retries_are_attempts(self):
        async def fails(input):
            raise ValueError

        hints = {"global": {"retry": {"max_attempts": 9, "backoff": 0}}}
        result = await run(blueprint(step("fails"), "fails", hints=hints, budget={"attempts": 4}), [fails])

        assert ("BudgetExceeded", 4) == (result.error["kind"], result.counts["attempts"])

    async def test_p36_a_worker_that_starts_itself_ends_its_run(self):
        """P36: at the depth, and at the number, that the budget allows."""

        async def again(input, call):
            for _ in range(3):
                await call.context.start_child("again", input)

        deep = await run(blueprint(step("again"), "again", budget={"depth": 2}), [again])
        wide = await run(blueprint(step("again"), "again", budget={"dispatches": 3}), [again])

        assert [2, 3] == [deep.counts["tasks"], wide.counts["tasks"]]
        assert ["BudgetExceeded"] * 2 == [deep.error["kind"], wide.error["kind"]]

    async def test_a_run_whose_time_is_over_ends_while_its_worker_works(self):
        ended = asyncio.Event()

        async def forever(input):
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        result = await run(blueprint(step("forever"), "forever", budget={"wall_time": "50ms"}), [forever])

        assert "wall_time" in result.error["message"]
        assert ended.is_set()

    async def test_what_workers_report_ends_the_run_at_once(self):
        went_on = []

        async def spends(input, call):
            call.context.spend(tokens=100)
            call.context.spend(tokens=1)
            went_on.append(True)

        result = await run(blueprint(step("spends"), "spends", budget={"counters": {"tokens": 100}}), [spends])

        assert ("BudgetExceeded", []) == (result.error["kind"], went_on)

    async def test_usage_of_a_result_ends_the_run_before_the_next_dispatch(self):
        from swarm_core import Result

        async def spends(input):
            return Result("done", facts={"usage": {"tokens": 60}})

        document = blueprint(loop(step("spends"), 9), "spends", budget={"counters": {"tokens": 100}})
        once = blueprint(step("spends"), "spends", budget={"counters": {"tokens": 10}})

        result, last = await run(document, [spends]), await run(once, [spends])

        assert ("BudgetExceeded", 2) == (result.error["kind"], result.counts["pass"])
        assert RunStatus.DONE == last.status


class TestAnAgents:
    async def test_it_fails_the_dispatch_and_a_try_catches_that(self):
        hints = {"per_agent": {"work": {"budget": {"dispatches": 2}}}}
        document = blueprint(attempt(loop(step("work"), 9), LET), "work", hints=hints)

        result = await run(document, [work])

        assert RunStatus.DONE == result.status
        assert "agent 'work' has spent its budget of dispatches (2)" in str(result.final_ctx["error"])

    async def test_its_attempts_end_and_the_task_with_them(self):
        async def fails(input):
            raise ValueError

        hints = {"global": {"retry": {"max_attempts": 9, "backoff": 0}, "budget": {"attempts": 2}}}
        result = await run(blueprint(attempt(step("fails"), step("work")), "fails", "work", hints=hints), [fails, work])

        assert (RunStatus.DONE, 1, 1) == (result.status, result.counts["blocked"], result.counts["pass"])
        assert 3 == result.counts["attempts"]

    async def test_a_worker_may_catch_what_its_report_raises(self):
        async def spends(input, call):
            with pytest.raises(BudgetExceeded):
                call.context.spend(tokens=11)
            return "tidied up"

        hints = {"global": {"budget": {"counters": {"tokens": 10}}}}
        result = await run(blueprint(step("spends"), "spends", hints=hints), [spends])

        assert "tidied up" == result.final_ctx["out"]


class TestSlots:
    @pytest.mark.parametrize(
        "facts",
        [
            {"budget": {"concurrency": 1}},
            {"hints": {"global": {"concurrency": 1}}},
            {"budget": {"concurrency": 1}, "hints": {"global": {"concurrency": 1}}},
        ],
        ids=["run", "agent", "both"],
    )
    async def test_p36_one_slot_is_enough_for_a_worker_that_starts_itself(self, facts):
        """P36: with a limit of one at once, a worker and its children do not wait for each other for ever."""

        async def again(input, call):
            if input["depth"] < 3:
                return (await call.context.start_child("again", {"depth": input["depth"] + 1})).value
            return "bottom"

        document = blueprint(step("again"), "again", default_init_ctx={"depth": 0}, **facts)

        assert "bottom" == (await run(document, [again])).final_ctx["out"]

    async def test_no_more_work_at_once_than_the_run_allows_however_they_were_started(self):
        busy, most = 0, 0

        async def together():
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1

        async def parent(input, call):
            await together()
            await asyncio.gather(*(call.context.start_child("child", None) for _ in range(3)))
            await together()

        async def child(input):
            await together()

        result = await run(
            blueprint(fanout(5, step("parent")), "parent", "child", budget={"concurrency": 2}), [parent, child]
        )

        assert (RunStatus.DONE, 20, 2) == (result.status, result.counts["pass"], most)

    async def test_one_that_waits_for_an_answer_lets_others_work(self):
        async def asks(input, call):
            return await call.context.ask("well?")

        document = blueprint(
            fanout(2, step("asks")), "asks", hints={"global": {"concurrency": 1}}, budget={"concurrency": 1}
        )
        async with Swarm.open(
            plugins=(),
            functions=[],
        ) as _:
            pass
        async with Swarm.open(plugins=(), functions={"asks": asks}) as swarm:
            launched = await swarm.launch(document)
            keys = []
            async with asyncio.timeout(20):
                async for event in launched.events():
                    if event.kind == "task_suspended":
                        keys.append(event.data["key"])
                    if len(keys) == 2:
                        break
                launched.request_cancel()
                await launched.wait()

        assert 2 == len(keys)

    async def test_a_retry_that_waits_lets_others_work(self):
        order = []

        async def flaky(input, call):
            order.append(input["n"])
            if call.attempt == 1 and input["n"] == 0:
                raise ValueError
            return "ok"

        hints = {"global": {"retry": {"max_attempts": 2, "backoff": "10m", "max_backoff": "10m"}}}
        document = blueprint(fanout(3, step("flaky")), "flaky", hints=hints, budget={"concurrency": 1})

        async with Swarm.open(plugins=(), functions={"flaky": flaky}) as swarm:
            launched = await swarm.launch(document)
            async with asyncio.timeout(20):
                async for event in launched.events():
                    if order[-1:] == [2] and event.kind == "task_pass":
                        break
                await launched.cancel()

        assert [0, 1, 2] == order


class TestTheBreaker:
    async def test_a_fan_out_whose_first_lanes_failed_alike_is_stopped_and_the_flow_goes_on(self):
        async def fails(input):
            raise ValueError(f"no key for request {input['n']}")

        flow = seq(fanout(9, step("fails"), max_concurrency=1), step("work"))
        result = await run(blueprint(flow, "fails", "work", budget={"breaker": 3}), [fails, work])

        assert (RunStatus.DONE, 4) == (result.status, result.counts["attempts"])
        assert "the fan-out at /0 was stopped" in result.final_ctx["all"][8]["reason"]

    @pytest.mark.parametrize(
        "limit", [{"hints": {"per_agent": {"fails": {"concurrency": 2}}}}, {"budget": {"concurrency": 2}}]
    )
    async def test_lanes_that_wait_for_a_slot_are_stopped_too(self, limit):
        async def fails(input):
            await asyncio.sleep(0)
            raise ValueError("no key")

        facts = {**limit, "budget": {"breaker": 3, **limit.get("budget", {})}}
        result = await run(blueprint(fanout(20, step("fails")), "fails", **facts), [fails])

        assert result.counts["attempts"] <= 5
        assert RunStatus.DONE == result.status

    async def test_retries_of_a_lane_are_one_failure(self):
        calls = []

        async def second_time(input, call):
            calls.append(input["n"])
            if call.attempt == 1:
                raise ValueError("no key")

        hints = {"global": {"retry": {"max_attempts": 2, "backoff": 0}}}
        flow = fanout(5, step("second_time"), max_concurrency=1)
        result = await run(blueprint(flow, "second_time", hints=hints, budget={"breaker": 2}), [second_time])

        assert 5 == result.counts["pass"]

    async def test_lanes_that_catch_are_left_alone(self):
        async def fails(input):
            raise ValueError("no key")

        flow = fanout(9, attempt(step("fails"), step("work")), max_concurrency=2)
        result = await run(blueprint(flow, "fails", "work", budget={"breaker": 3}), [fails, work])

        assert (9, 9) == (result.counts["pass"], result.counts["blocked"])
