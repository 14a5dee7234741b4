"""Fan-outs with steps that take time: order, joins, cancellation, caps, and whose task a step runs in."""

import asyncio
from contextvars import ContextVar
from itertools import pairwise

import pytest

from swarm_core.errors import FlowError
from swarm_core.flow import Limits, compile_flow, evaluate, state


def read(path):
    return {"op": "path", "at": path}


def lit(value):
    return {"op": "lit", "value": value}


def step(ref="work", in_="$.item", out="$.out"):
    return {"kind": "step", "ref": ref, "in": read(in_), "out": read(out)}


def seq(*children):
    return {"kind": "seq", "children": list(children)}


def fanout(items, body=None, join="all", **more):
    return {
        "kind": "fanout",
        "items": lit(items) if isinstance(items, list) else read(items),
        "bind": read("$.item"),
        "body": body or step(),
        "join": join,
        "out": read("$.all"),
        **more,
    }


class Office:
    """Does steps in as many turns of the event loop as their input says; keeps a diary."""

    def __init__(self):
        self.diary, self.busy, self.most = [], 0, 0

    async def dispatch(self, ref, value, address):
        self.diary.append(("begin", value))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            for _ in range(value if isinstance(value, int) else value["turns"]):
                await asyncio.sleep(0)
            if isinstance(value, dict) and value.get("fails"):
                raise ValueError(f"after {value['turns']}")
        except asyncio.CancelledError:
            self.diary.append(("cancelled", value))
            raise
        finally:
            self.busy -= 1
        self.diary.append(("end", value))
        return value


async def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


class TestOrder:
    async def test_lanes_start_in_item_order_and_results_keep_it(self):
        office = Office()

        final = await evaluate(fanout([5, 1, 3, 0, 2]), {}, office.dispatch)

        assert [("begin", n) for n in (5, 1, 3, 0)] == [entry for entry in office.diary if entry[0] == "begin"][:4]
        assert [5, 1, 3, 0, 2] == [lane["out"] for lane in final["all"]]
        assert office.most > 1

    async def test_steps_that_answer_at_once_are_done_lane_by_lane(self):
        order = []

        async def at_once(ref, value, address):
            order.append(address)
            return value

        await evaluate(fanout([1, 2], fanout([7, 8], seq(step(), step()))), {}, at_once)

        expected = [f"/lane@{a}/lane@{b}/{c}" for a in range(2) for b in range(2) for c in range(2)]
        assert expected == order

    async def test_lanes_see_nothing_of_each_other_nor_the_outer_ctx_of_them(self):
        office = Office()
        body = seq(step(), {"kind": "let", "at": "$.seen", "value": {"op": "exists", "arg": read("$.mark")}})
        body["children"].append({"kind": "let", "at": "$.mark.here", "value": lit(1)})

        final = await evaluate(fanout([2, 1, 0], body), {"keep": 1}, office.dispatch)

        assert [False, False, False] == [lane["seen"] for lane in final["all"]]
        assert {"keep", "all"} == final.keys()

    async def test_ten_thousand_lanes_wait_at_the_same_time(self):
        all_here, here = asyncio.Event(), []

        async def meet(ref, value, address):
            here.append(address)
            if len(here) == 10_000:
                all_here.set()
            await all_here.wait()
            return value

        final = await evaluate(fanout([1] * 10_000), {}, meet)

        assert [1] * 10_000 == [lane["out"] for lane in final["all"]]

    async def test_others_have_their_turns_while_lanes_start(self):
        begun, seen = 0, []

        async def wait(ref, value, address):
            nonlocal begun
            begun += 1
            while begun < 1_000:
                await asyncio.sleep(0)
            return value

        async def look():
            while begun < 1_000:
                seen.append(begun)
                await asyncio.sleep(0)

        await asyncio.gather(evaluate(fanout([1] * 1_000), {}, wait), look())

        assert len(seen) > 5
        assert max(after - before for before, after in pairwise(seen)) <= 200


class TestJoins:
    async def test_all_fails_with_the_first_error_in_time_and_cancels_the_rest(self):
        office = Office()
        items = [{"turns": 9}, {"turns": 3, "fails": True}, {"turns": 1, "fails": True}]

        with pytest.raises(FlowError, match="after 1") as caught:
            await evaluate(fanout(items), {}, office.dispatch)

        assert ("DispatcherError", "work", "/lane@2") == (caught.value.kind, caught.value.ref, caught.value.address)
        assert ("cancelled", {"turns": 9}) in office.diary
        assert set() == await others()

    async def test_any_is_the_first_to_succeed(self):
        office = Office()
        items = [{"turns": 9}, {"turns": 0, "fails": True}, {"turns": 2}]

        final = await evaluate(fanout(items, join="any"), {}, office.dispatch)

        assert {"turns": 2} == final["all"]["out"]
        assert ("cancelled", {"turns": 9}) in office.diary

    async def test_any_fails_with_the_last_error_in_time(self):
        items = [{"turns": 5, "fails": True}, {"turns": 1, "fails": True}]

        with pytest.raises(FlowError, match="after 5"):
            await evaluate(fanout(items, join="any"), {}, Office().dispatch)

    async def test_race_is_the_first_to_settle_success_or_not(self):
        items = [{"turns": 5}, {"turns": 1, "fails": True}]

        with pytest.raises(FlowError, match="after 1"):
            await evaluate(fanout(items, join="race"), {}, Office().dispatch)

    async def test_all_settled_tells_of_every_lane(self):
        items = [{"turns": 2, "fails": True}, {"turns": 1}]

        final = await evaluate(fanout(items, join="all_settled"), {}, Office().dispatch)

        assert ["rejected", "fulfilled"] == [lane["status"] for lane in final["all"]]
        assert "after 2" in final["all"][0]["reason"]
        assert {"turns": 1} == final["all"][1]["value"]["out"]

    @pytest.mark.parametrize("join", ["race", "any"])
    async def test_a_lane_that_has_not_started_when_the_join_is_decided_never_starts(self, join):
        office = Office()

        await evaluate(fanout([3, 0, 0, 0], join=join), {}, office.dispatch)

        assert [3, 0] == [value for what, value in office.diary if what == "begin"]

    async def test_a_lane_whose_step_ends_in_the_turn_of_the_decision_takes_no_further_step(self):
        office = Office()
        two = seq(step(), step("again", "$.zero"))

        await evaluate(fanout([1, 1, 1], two, join="race"), {"zero": 0}, office.dispatch)

        assert [1, 1, 1, 0] == [value for what, value in office.diary if what == "begin"]
        assert set() == await others()

    async def test_bp33_a_fanout_over_no_array_can_be_caught(self):
        for value in ("text", {"a": 1}, None, 3):
            document = {"kind": "try", "body": fanout("$.v"), "catch": seq(), "err_at": read("$.why")}

            final = await evaluate(document, {"v": value}, Office().dispatch)

            assert final["why"].startswith("fanout.items: expected an array, got ")

    async def test_bp34_two_fanouts_that_write_to_one_place_leave_the_later_result(self):
        document = seq(fanout([1, 2]), fanout([3]))

        final = await evaluate(document, {}, Office().dispatch)

        assert [3] == [lane["item"] for lane in final["all"]]


class TestMaxConcurrency:
    @pytest.mark.parametrize("cap", [1, 2, 3, 50])
    async def test_no_more_lanes_than_the_cap_are_under_way(self, cap):
        office = Office()
        items = [3, 1, 0, 2, 5, 1, 0, 0, 4, 1]

        final = await evaluate(fanout(items, max_concurrency=cap), {}, office.dispatch)

        assert items == [lane["out"] for lane in final["all"]]
        assert min(cap, office.most) == office.most
        assert cap == 1 or office.most > 1

    async def test_a_cap_of_one_runs_lane_after_lane(self):
        office = Office()

        await evaluate(fanout([2, 0, 1], max_concurrency=1), {}, office.dispatch)

        assert [(what, n) for n in (2, 0, 1) for what in ("begin", "end")] == office.diary

    async def test_a_decided_join_starts_no_more_under_a_cap(self):
        office = Office()

        await evaluate(fanout([2, 9, 9, 9], join="race", max_concurrency=2), {}, office.dispatch)

        assert [2, 9] == [value for what, value in office.diary if what == "begin"]


class TestCancellation:
    async def cancelled(self, document, dispatch, ctx=None):
        task = asyncio.create_task(evaluate(document, ctx or {}, dispatch))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_cancelling_the_evaluation_cancels_every_step(self):
        office = Office()

        await self.cancelled(fanout([99, 98], fanout([97, 96])), office.dispatch)

        assert 4 == len([entry for entry in office.diary if entry[0] == "cancelled"])
        assert 0 == office.busy
        assert set() == await others()

    async def test_ex77_try_does_not_catch_cancellation(self):
        office = Office()
        document = {"kind": "try", "body": fanout([99]), "catch": step("rescue", "$"), "err_at": read("$.why")}

        await self.cancelled(document, office.dispatch)

        assert [("begin", 99), ("cancelled", 99)] == office.diary

    async def test_the_end_of_steps_that_clean_up_is_waited_for(self):
        ended = []

        async def slow_to_end(ref, value, address):
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)
                ended.append(value)

        await self.cancelled(fanout([1, 2]), slow_to_end)

        assert [1, 2] == sorted(ended)

    async def test_a_second_cancellation_does_not_leave_lanes_behind(self):
        ended = []

        async def slow_to_end(ref, value, address):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                for _ in range(20):
                    await asyncio.sleep(0)
                ended.append(value)
                raise

        task = asyncio.create_task(evaluate(fanout([1]), {}, slow_to_end))
        for _ in range(20):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert set() == await others()

    async def test_a_step_that_swallows_the_cancellation_is_the_last_of_its_lane(self):
        seen = []

        async def stubborn(ref, value, address):
            seen.append(address)
            if value == 0:
                await asyncio.sleep(0)
                return value
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ref == "raises":
                    raise ValueError from None
            return value

        rescue = {"kind": "try", "body": step("raises"), "catch": step("rescue")}
        await evaluate(fanout([1, 0], seq(step(), step()), join="race"), {}, stubborn)
        await evaluate(fanout([1, 0], rescue, join="race"), {}, stubborn)

        assert ["/lane@0/0", "/lane@1/0", "/lane@1/1", "/lane@0/body", "/lane@1/body"] == seen

    async def test_a_lane_that_ends_as_cancelled_by_itself_cancels_the_fanout(self):
        async def gives_up(ref, value, address):
            await asyncio.sleep(0)
            if value == 1:
                raise asyncio.CancelledError
            await asyncio.Event().wait()

        with pytest.raises(asyncio.CancelledError):
            await evaluate(fanout([0, 1]), {}, gives_up)

        assert set() == await others()

    async def test_a_step_that_gives_up_before_it_waits_cancels_the_fanout(self):
        async def gives_up(ref, value, address):
            if value == 1:
                raise asyncio.CancelledError
            await asyncio.Event().wait()

        with pytest.raises(asyncio.CancelledError):
            await evaluate(fanout([0, 1]), {}, gives_up)

        assert set() == await others()

    async def test_an_exit_is_let_through_and_ends_the_lanes(self):
        class Exit(BaseException):
            pass

        async def leaves(ref, value, address):
            await asyncio.sleep(0)
            if value == 1:
                raise Exit
            await asyncio.Event().wait()

        with pytest.raises(Exit):
            await evaluate(fanout([0, 1]), {}, leaves)

        assert set() == await others()

    async def test_a_flow_without_steps_can_be_cancelled(self):
        forever = {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": seq(), "max": 2**32 - 1}

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await evaluate(forever, {}, Office().dispatch, limits=Limits(max_iterations=2**62))

    async def test_nested_loops_breathe_by_their_iterations_together(self, monkeypatch):
        monkeypatch.setattr(state, "BREATH", 10)
        breaths = []
        inner = {"kind": "loop", "counter": read("$.j"), "cond": lit(True), "body": seq(), "max": 9}
        outer = {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": inner, "max": 9}

        async def breathe():
            while True:
                breaths.append(1)
                await asyncio.sleep(0)

        other = asyncio.create_task(breathe())
        await evaluate(outer, {}, Office().dispatch)
        other.cancel()

        assert (9 + 81) // 10 == len(breaths)


class TestTasks:
    async def test_each_lane_under_way_is_a_task_of_its_own_from_its_first_step_on(self):
        tasks = {}

        async def dispatch(ref, value, address):
            before = asyncio.current_task()
            await asyncio.sleep(0)
            tasks[address] = before, asyncio.current_task()
            return value

        await evaluate(fanout([1, 2, 3]), {}, dispatch)

        assert all(before is after for before, after in tasks.values())
        assert 3 == len({after for _, after in tasks.values()} - {asyncio.current_task()})

    async def test_a_timeout_within_a_step_ends_that_step_only(self):
        async def dispatch(ref, value, address):
            async with asyncio.timeout(0.01 if value == 1 else None):
                await asyncio.sleep(0.05)
            return value

        final = await evaluate(fanout([0, 1, 2], join="all_settled"), {}, dispatch)

        assert ["fulfilled", "rejected", "fulfilled"] == [lane["status"] for lane in final["all"]]

    async def test_a_task_group_within_a_step_belongs_to_its_lane(self):
        async def fail():
            raise ValueError("child failed")

        async def dispatch(ref, value, address):
            async with asyncio.TaskGroup() as group:
                if value == 1:
                    group.create_task(fail())
                await asyncio.sleep(0.01)
            return value

        final = await evaluate(fanout([0, 1], join="all_settled"), {}, dispatch)

        assert ["fulfilled", "rejected"] == [lane["status"] for lane in final["all"]]

    async def test_context_variables_set_by_a_waiting_lane_stay_in_it(self):
        mark = ContextVar("mark", default="none")
        seen = {}

        async def dispatch(ref, value, address):
            seen[value] = mark.get()
            token = mark.set(str(value))
            await asyncio.sleep(0)
            mark.reset(token)
            mark.set(str(value))
            return value

        await evaluate(fanout([1, 2]), {}, dispatch)

        assert ({1: "none", 2: "none"}, "none") == (seen, mark.get())

    async def test_a_cancelled_lane_cancels_the_task_it_waits_for(self):
        inner = []

        async def work():
            inner.append(asyncio.current_task())
            await asyncio.Event().wait()

        async def dispatch(ref, value, address):
            if value == 0:
                return value
            return await asyncio.create_task(work())

        await evaluate(fanout([1, 0], join="race"), {}, dispatch)
        await asyncio.sleep(0)

        assert set() == await others()
        assert all(task.cancelled() for task in inner)

    async def test_a_lane_cancelled_as_its_answer_arrives_is_cancelled_all_the_same(self):
        answer = asyncio.get_running_loop().create_future()
        ends = []

        async def dispatch(ref, value, address):
            if value == 0:
                answer.set_result("late")
                return value
            try:
                return await answer
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise

        final = await evaluate(fanout([1, 0], join="race"), {}, dispatch)

        assert (0, ["cancelled"]) == (final["all"]["item"], ends)

    async def test_the_evaluation_leaves_no_task_behind_when_all_answer_at_once(self):
        async def at_once(ref, value, address):
            return value

        await evaluate(fanout([1, 2], fanout([3, 4])), {}, at_once)

        assert set() == await others()

    async def test_fanouts_nested_deeper_than_they_start_at_once_give_the_same(self):
        node = step()
        for _ in range(30):
            node = {**fanout([1], node, join="race"), "out": read("$.out")}
        addresses = []

        async def at_once(ref, value, address):
            addresses.append(address)
            return "done"

        final = await evaluate(node, {}, at_once)

        assert ["/lane@0" * 30] == addresses
        for _ in range(31):
            final = final["out"]
        assert "done" == final

    async def test_long_runs_of_lanes_let_the_event_loop_turn(self, monkeypatch):
        monkeypatch.setattr("swarm_core.flow.fanout.BREATH", 10)
        turns = []

        async def turning():
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        async def at_once(ref, value, address):
            return value

        async def counted(document):
            other = asyncio.create_task(turning())
            final = await evaluate(document, {}, at_once)
            other.cancel()
            assert 100 == len(final["all"])
            taken, turns[:] = len(turns), []
            return taken

        items = list(range(100))
        assert 10 <= await counted(fanout(items))
        assert 10 <= await counted(fanout(items, {"kind": "let", "at": "$.out", "value": read("$.item")}))
        assert 9 <= await counted(fanout(items, max_concurrency=1))

    async def test_one_compiled_flow_runs_many_times_at_the_same_time(self):
        flow = compile_flow(seq(fanout("$.items"), {"kind": "let", "at": "$.n", "value": read("$.all[-1].out")}))

        finals = await asyncio.gather(*(flow.run({"items": [n, 1, n]}, Office().dispatch) for n in range(5)))

        assert [0, 1, 2, 3, 4] == [final["n"] for final in finals]
