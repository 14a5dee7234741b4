"""The breaker of fan-outs: alone, and under real flows whose steps it watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.engine.breaker import Breaker, alike
from swarm_core.errors import FlowError
from swarm_core.flow import evaluate
from swarm_core.model.event import Event


def read(path: str) -> dict[str, Any]:
    return {"op": "path", "at": path}


def lit(value: Any) -> dict[str, Any]:
    return {"op": "lit", "value": value}


def step(ref: str, out: str = "$.out") -> dict[str, Any]:
    return {"kind": "step", "ref": ref, "in": read("$"), "out": read(out)}


def seq(*children: Any) -> dict[str, Any]:
    return {"kind": "seq", "children": list(children)}


def either(condition: Any, then: Any, other: Any) -> dict[str, Any]:
    return {"kind": "branch", "cond": condition, "then": then, "else": other}


def attempt(body: Any, catch: Any) -> dict[str, Any]:
    return {"kind": "try", "body": body, "catch": catch}


def loop(body: Any, most: int) -> dict[str, Any]:
    return {"kind": "loop", "counter": read("$.i"), "cond": lit(True), "body": body, "max": most}


def fanout(count: int, body: Any, *, at_once: int | None = 1, join: str = "all_settled", bind: str = "$.n") -> Any:
    cap = {} if at_once is None else {"max_concurrency": at_once}
    items = lit(list(range(count)))
    return {
        "kind": "fanout",
        "items": items,
        "bind": read(bind),
        "body": body,
        "join": join,
        "out": read("$.all"),
        **cap,
    }


class Refused(Exception):
    """The breaker let the step not begin."""


class Office:
    """Does the steps of a flow as an engine does: asks the breaker before, tells it after, and remembers who worked."""

    def __init__(self, k: int, **work: Callable[[Any], Any]) -> None:
        self.breaker, self.work = Breaker(k), work
        self.done: list[str] = []
        self.refused: list[str] = []
        self.events: list[Event] = []

    def worked(self, agent: str) -> int:
        return self.done.count(agent)

    async def run(self, flow: Any) -> Any:
        return await evaluate(flow, {}, self.dispatch)

    async def dispatch(self, ref: str, input: Any, address: str) -> Any:
        why = self.breaker.refuses(address)
        if why is not None:
            self.refused.append(address)
            raise Refused(why)
        self.note("task_created", address, {"agent": ref, "address": address, "depth": 0})
        self.done.append(ref)
        await asyncio.sleep(0)
        try:
            answer = self.work[ref](input)
        except Exception as error:
            self.note("task_blocked", address, {"result": None, "error": str(error)})
            self.breaker.failed(address, ref, str(error))
            raise
        self.note("task_pass", address, {"result": answer})
        self.breaker.passed(address)
        return answer

    def note(self, kind: str, address: str, data: dict[str, Any]) -> None:
        self.events.append(Event(kind, "RUN-1", len(self.events) + 1, 0.0, f"T{address}", 1, data))


def well(input: Any) -> Any:
    return "ok"


def badly(input: Any) -> Any:
    raise ValueError("401: no such key")


def only(*numbers: int) -> Callable[[Any], Any]:
    """Fail in all lanes but these."""
    return lambda input: well(input) if input["n"] in numbers else badly(input)


class TestOneStepPerLane:
    async def test_lanes_that_all_fail_alike_are_stopped(self):
        office = Office(3, writer=badly)

        final = await office.run(fanout(10, step("writer")))

        assert 3 == office.worked("writer")
        assert [f"/lane@{lane}" for lane in range(3, 10)] == office.refused
        assert ["rejected"] * 10 == [lane["status"] for lane in final["all"]]
        reason = final["all"][9]["reason"]
        assert (
            "the fan-out at / was stopped: its first 3 lanes failed alike (agent 'writer': 401: no such key)" in reason
        )

    @pytest.mark.parametrize("number", [0, 1, 2])
    async def test_one_that_passed_before_leaves_it_alone_for_good(self, number):
        office = Office(3, writer=only(number))

        await office.run(fanout(10, step("writer")))

        assert (10, []) == (office.worked("writer"), office.refused)

    async def test_one_that_passes_after_enough_have_failed_comes_too_late(self):
        office = Office(3, writer=only(3, 4, 5))

        await office.run(fanout(10, step("writer")))

        assert 3 == office.worked("writer")

    async def test_lanes_that_have_begun_are_not_stopped(self):
        office = Office(3, writer=badly)

        await office.run(fanout(10, step("writer"), at_once=None))

        assert (10, []) == (office.worked("writer"), office.refused)

    async def test_failures_of_several_kinds_are_no_sign(self):
        texts = iter(["no such key", "no such file", *["no such key"] * 8])

        def differently(input: Any) -> Any:
            raise ValueError(next(texts))

        office = Office(3, writer=differently)

        await office.run(fanout(10, step("writer")))

        assert 10 == office.worked("writer")

    async def test_ids_and_digits_make_no_difference(self):
        def with_ids(input: Any) -> Any:
            raise ValueError(f"request req-{input['n']}f3a9 at 0x7f{input['n']}b: 401")

        office = Office(3, writer=with_ids)

        await office.run(fanout(10, step("writer")))

        assert 3 == office.worked("writer")

    async def test_the_same_words_of_another_agent_are_not_alike(self):
        office = Office(3, writer=badly, editor=badly)
        even = {"op": "eq", "lhs": {"op": "mod", "lhs": read("$.n"), "rhs": lit(2)}, "rhs": lit(0)}

        await office.run(fanout(10, either(even, step("writer"), step("editor"))))

        assert [] == office.refused

    async def test_one_lane_is_enough_if_one_is_asked_for(self):
        office = Office(1, writer=badly)

        with pytest.raises(FlowError, match="its first lane failed"):
            await office.run(fanout(10, step("writer"), join="any"))

        assert 1 == office.worked("writer")

    async def test_as_many_lanes_as_there_are_break_nothing(self):
        office = Office(10, writer=badly)

        await office.run(fanout(10, step("writer")))

        assert (10, []) == (office.worked("writer"), office.refused)


class TestLanesOfSeveralSteps:
    async def test_steps_that_prepare_what_then_fails_are_no_sign(self):
        office = Office(3, prepare=well, publish=badly)

        await office.run(fanout(10, seq(step("prepare"), step("publish"))))

        assert (3, 3) == (office.worked("prepare"), office.worked("publish"))

    async def test_not_even_when_all_of_them_come_first(self):
        office = Office(3, prepare=well, publish=badly)
        ready = asyncio.Barrier(6)

        async def dispatch(ref: str, input: Any, address: str) -> Any:
            answer = await office.dispatch(ref, input, address)
            await ready.wait()
            return answer

        await evaluate(fanout(6, seq(step("prepare"), step("publish")), at_once=None), {}, dispatch)

        assert (6, 6) == (office.worked("prepare"), office.worked("publish"))
        assert office.breaker.refuses("/lane@7/0") is not None

    async def test_a_lane_that_came_farther_is_one(self):
        office = Office(3, prepare=well, publish=only(1))

        await office.run(fanout(10, seq(step("prepare"), step("publish"))))

        assert [] == office.refused

    async def test_a_lane_that_went_another_way_is_one(self):
        office = Office(3, writer=badly, editor=well)
        odd = {"op": "eq", "lhs": {"op": "mod", "lhs": read("$.n"), "rhs": lit(2)}, "rhs": lit(1)}

        await office.run(fanout(10, either(odd, step("editor"), step("writer"))))

        assert [] == office.refused

    async def test_iterations_before_the_one_that_fails_are_no_sign(self):
        turns: dict[int, int] = {}

        def third_time(input: Any) -> Any:
            turns[input["n"]] = turns.get(input["n"], 0) + 1
            return badly(input) if turns[input["n"]] == 3 else "ok"

        office = Office(3, writer=third_time)

        await office.run(fanout(10, loop(step("writer"), 5)))

        assert 9 == office.worked("writer")

    @pytest.mark.parametrize("at_once", [1, 4, None])
    async def test_a_lane_that_helps_itself_has_not_failed(self, at_once):
        office = Office(3, writer=badly, helper=well)

        final = await office.run(fanout(10, attempt(step("writer"), step("helper")), at_once=at_once))

        assert (10, 10, []) == (office.worked("writer"), office.worked("helper"), office.refused)
        assert ["fulfilled"] * 10 == [lane["status"] for lane in final["all"]]

    async def test_one_whose_help_fails_as_well_has(self):
        office = Office(3, writer=badly, helper=badly)

        await office.run(fanout(10, attempt(step("writer"), step("helper"))))

        assert (3, 3) == (office.worked("writer"), office.worked("helper"))

    async def test_a_fan_out_that_is_evaluated_again_starts_anew(self):
        office = Office(3, writer=badly)

        await office.run(loop(fanout(10, step("writer")), 4))

        assert 12 == office.worked("writer")


class TestWithinEachOther:
    async def test_the_inner_one_breaks_by_itself(self):
        office = Office(3, writer=lambda input: badly(input) if input["m"] == 0 else well(input))
        inner = fanout(10, step("writer"))

        await office.run(fanout(2, inner, bind="$.m"))

        assert 3 + 10 == office.worked("writer")
        assert {"/lane@0"} == {address[:7] for address in office.refused}

    async def test_when_all_inner_ones_break_the_outer_one_does(self):
        office = Office(3, writer=badly)

        await office.run(fanout(9, fanout(10, step("writer")), bind="$.m"))

        assert 9 == office.worked("writer")

    async def test_an_outer_lane_that_goes_on_after_its_inner_one_has_not_failed(self):
        office = Office(3, writer=badly, editor=well)

        await office.run(fanout(9, seq(fanout(10, step("writer")), step("editor")), bind="$.m"))

        assert (27, 9) == (office.worked("writer"), office.worked("editor"))

    async def test_a_fan_out_beside_a_broken_one_goes_on(self):
        office = Office(3, writer=badly, editor=well)

        await office.run(seq(fanout(10, step("writer")), fanout(10, step("editor"))))

        assert (3, 10) == (office.worked("writer"), office.worked("editor"))


class TestAddresses:
    def test_steps_outside_of_fan_outs_are_none_of_its_business(self):
        breaker = Breaker(1)

        for address in ("/", "/0", "/1/body@3/0", "/2/then"):
            breaker.failed(address, "writer", "no")

        assert [None] * 3 == [breaker.refuses(address) for address in ("/", "/0", "/lane@0")]

    def test_the_children_of_a_step_are_refused_as_the_step_is(self):
        breaker = Breaker(1)
        breaker.failed("/2/lane@0", "writer", "no")

        assert breaker.refuses("/2/lane@1/0/child@0/child@3") is not None
        assert breaker.refuses("/21/lane@1/0") is None

    def test_refusals_that_are_told_as_failures_change_nothing(self):
        breaker = Breaker(2)

        for outer in range(2):
            for inner in range(4):
                address = f"/lane@{outer}/lane@{inner}"
                breaker.failed(address, "writer", breaker.refuses(address) or "no")

        assert "the fan-out at / was stopped: its first 2 lanes failed alike (agent 'writer': no)" == breaker.refuses(
            "/lane@2/lane@0"
        )

    def test_a_lane_that_passed_very_many_steps_is_a_sign_wherever_it_fails(self):
        breaker = Breaker(1)
        for turn in range(300):
            breaker.passed(f"/lane@0/body@{turn}")

        breaker.failed("/lane@0/body@300", "writer", "no")

        assert breaker.refuses("/lane@1/body@0") is None

    def test_a_long_message_is_cut(self):
        breaker = Breaker(1)
        breaker.failed("/lane@0", "writer", "x" * 100_000)

        assert len(breaker.refuses("/lane@1") or "") < 700

    def test_more_fan_outs_than_are_kept_do_no_harm(self):
        breaker = Breaker(1)
        breaker.failed("/first/lane@0", "writer", "no")
        assert breaker.refuses("/first/lane@1") is not None

        for number in range(10_001):
            breaker.passed(f"/body@{number}/lane@0")

        assert breaker.refuses("/first/lane@1") is not None
        assert breaker.refuses("/body@3/lane@1") is None


class TestRestored:
    @pytest.mark.parametrize("flow", [fanout(6, step("writer")), fanout(6, attempt(step("writer"), step("helper")))])
    @pytest.mark.parametrize("numbers", [(), (1,), (3, 4, 5)])
    async def test_a_journal_brings_it_back_to_where_it_was(self, flow, numbers):
        office = Office(3, writer=only(*numbers), helper=only(*numbers))
        await office.run(flow)

        for cut in range(len(office.events) + 1):
            restored, lived = Breaker(3), Breaker(3)
            restored.restore(office.events[:cut])
            replay(lived, office.events[:cut])
            assert restored.refuses("/lane@9/0") == lived.refuses("/lane@9/0")

        assert bool(office.refused) == (restored.refuses("/lane@9/0") is not None)

    def test_a_result_that_is_blocked_counts_by_its_text(self):
        breaker = Breaker(2)
        breaker.restore(
            [
                Event(kind, "RUN-1", seq, 0.0, f"T-{lane}", 1, data)
                for lane in range(2)
                for seq, (kind, data) in enumerate(
                    [
                        ("task_created", {"agent": "writer", "address": f"/lane@{lane}", "depth": 0}),
                        ("task_blocked", {"result": {"reason": "no"}}),
                    ]
                )
            ]
        )

        assert '(agent \'writer\': {"reason":"no"})' in (breaker.refuses("/lane@2") or "")

    def test_children_of_steps_tell_nothing(self):
        breaker = Breaker(1)
        created = {"agent": "writer", "address": "/lane@0/child@0", "depth": 1}

        breaker.restore(
            [
                Event("task_created", "RUN-1", 1, 0.0, "T-1", None, created),
                Event("task_blocked", "RUN-1", 2, 0.0, "T-1", 1, {"result": None, "error": "no"}),
            ]
        )

        assert breaker.refuses("/lane@1") is None


def replay(breaker: Breaker, events: list[Event]) -> None:
    """Tell a breaker what the office told its own."""
    agents = {event.data["address"]: event.data["agent"] for event in events if event.kind == "task_created"}
    for event in events:
        address = (event.task_id or "").removeprefix("T")
        if event.kind == "task_created":
            breaker.refuses(address)
        elif event.kind == "task_pass":
            breaker.passed(address)
        else:
            breaker.failed(address, agents[address], event.data["error"])


class TestAlike:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("HTTP 401", "HTTP 500"),
            ("run RUN-00ff17aa12 failed", "run RUN-9911aa failed"),
            ("object at 0x7f12ab", "object at 0x55aa"),
            ("id deadbeef is gone", "id 12345678 is gone"),
            ("no 7d793037-a076-4c1e-8bcf-aaaaaaaaaaaa here", "no aabbccdd-aaaa-bbbb-cccc-ddddddddeeee here"),
            ("took 1.25 s", "took 0.5 s"),
        ],
    )
    def test_ids_and_digits_are_left_out(self, one, other):
        assert alike(one) == alike(other)

    @pytest.mark.parametrize(
        ("one", "other"), [("no such key", "no such file"), ("", "x"), ("a: b", "a b"), ("facade", "deface")]
    )
    def test_words_are_not(self, one, other):
        assert alike(one) != alike(other)

    @given(st.text(max_size=3000))
    def test_of_any_message_a_short_text_is_left(self, message):
        assert len(alike(message)) <= 500
