"""Slots: at most so many at once, first come first served, nothing lost to a cancel, nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.engine.slots import Seat, Slots
from swarm_core.testing import simulate


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@define
class Floor:
    """Sees who is at work."""

    busy: int = 0
    most: int = 0
    order: list[Any] = field(factory=list)

    @contextmanager
    def at_work(self, name: Any = None) -> Iterator[None]:
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.order.append(name)
        try:
            yield
        finally:
            self.busy -= 1


@pytest.fixture
def floor() -> Floor:
    return Floor()


class TestSlots:
    async def test_no_more_than_the_limit_work_at_the_same_time(self, floor):
        slots = Slots(3)

        async def work() -> None:
            await slots.acquire()
            with floor.at_work():
                await turns()
            slots.release()

        await asyncio.gather(*(work() for _ in range(20)))

        assert (3, 0) == (floor.most, floor.busy)

    async def test_a_free_slot_is_had_without_a_wait(self):
        slots = Slots(2)
        first, second = slots.acquire(), slots.acquire()

        for taken in (first, second):
            with pytest.raises(StopIteration):
                taken.send(None)

    async def test_the_first_to_ask_is_the_first_to_have_one(self, floor):
        slots = Slots(1)
        await slots.acquire()

        async def work(name: int) -> None:
            await slots.acquire()
            floor.order.append(name)
            slots.release()

        waiting = [asyncio.create_task(work(name)) for name in range(5)]
        await turns()
        slots.release()
        late = asyncio.create_task(work(5))
        await asyncio.gather(*waiting, late)

        assert [0, 1, 2, 3, 4, 5] == floor.order

    async def test_one_that_is_cancelled_while_it_waits_is_passed_over(self):
        slots = Slots(1)
        await slots.acquire()
        given_up, patient = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
        await turns()

        given_up.cancel()
        slots.release()
        await patient

        assert given_up.cancelled()

    async def test_one_that_is_cancelled_in_the_moment_of_its_turn_passes_it_on(self):
        slots = Slots(1)
        await slots.acquire()
        unlucky, next_one = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
        await turns()

        slots.release()
        unlucky.cancel()
        await next_one

        assert unlucky.cancelled()
        slots.release()
        await slots.acquire()

    async def test_one_too_many_is_made_up_for_before_the_next_comes(self):
        slots = Slots(1)
        await slots.acquire()
        slots.seize()
        waiting = asyncio.create_task(slots.acquire())

        slots.release()
        await turns()
        assert not waiting.done()
        slots.release()

        await waiting


class TestSeat:
    async def test_a_parent_that_waits_for_its_child_gives_its_slot_to_it(self, floor):
        """P36: with one slot and a worker that starts itself, nobody waits for ever."""
        slots = Slots(1)

        async def work(depth: int) -> None:
            seat = Seat(slots)
            await seat.take()
            with floor.at_work(depth):
                await turns()
            if depth < 5:
                async with seat.away():
                    await work(depth + 1)
                with floor.at_work(depth):
                    await turns()
            seat.leave()

        async with asyncio.timeout(10):
            await work(0)

        assert [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0] == floor.order
        assert 1 == floor.most

    async def test_it_keeps_to_the_limit_of_its_agent_and_of_its_run(self):
        agents, whole = {"a": Slots(2), "b": Slots(2)}, Slots(3)
        floors = {"a": Floor(), "b": Floor(), "run": Floor()}

        async def work(agent: str) -> None:
            seat = Seat(agents[agent], whole)
            await seat.take()
            with floors[agent].at_work(), floors["run"].at_work():
                await turns()
            async with seat.away():
                await turns()
            with floors[agent].at_work(), floors["run"].at_work():
                await turns()
            seat.leave()

        await asyncio.gather(*(work(agent) for agent in "ab" * 10))

        assert {"a": 2, "b": 2, "run": 3} == {name: floor.most for name, floor in floors.items()}

    async def test_one_who_comes_back_waits_for_a_slot(self):
        slots, answer = Slots(1), asyncio.Event()
        asker, other = Seat(slots), Seat(slots)
        await asker.take()

        async def ask() -> None:
            async with asker.away():
                await answer.wait()

        asking = asyncio.create_task(ask())
        await turns()
        await other.take()
        answer.set()
        await turns()
        assert not asking.done()

        other.leave()
        await asking

    async def test_one_who_waits_for_several_children_works_on_when_the_last_has_come(self):
        slots, children = Slots(1), [asyncio.Event(), asyncio.Event()]
        seat = Seat(slots)
        await seat.take()

        async def child(done: asyncio.Event) -> None:
            async with seat.away():
                await slots.acquire()
                await done.wait()
                slots.release()

        both = asyncio.gather(*(child(done) for done in children))
        await turns()
        for done in children:
            done.set()
        async with asyncio.timeout(10):
            await both

        await self.is_taken(slots, until=seat)

    async def test_one_who_goes_away_again_while_another_part_of_it_comes_back_stops_nobody(self):
        """Two parts of one worker: while one queues for the slot, the other starts a child that needs it."""
        slots, first_answer = Slots(1), asyncio.Event()
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def ask() -> None:
            async with seat.away():
                await first_answer.wait()

        async def start_child() -> None:
            async with seat.away():
                child = Seat(slots)
                await child.take()
                child.leave()

        asking = asyncio.create_task(ask())
        await turns()
        await other.take()
        first_answer.set()
        await turns()
        starting = asyncio.create_task(start_child())
        await turns()
        other.leave()

        async with asyncio.timeout(10):
            await asyncio.gather(asking, starting)

    async def test_one_part_of_a_worker_goes_on_while_another_one_waits_for_its_child(self):
        slots, answer = Slots(1), asyncio.Event()
        seat = Seat(slots)
        await seat.take()

        async def ask() -> None:
            async with seat.away():
                await answer.wait()

        async def start_child() -> None:
            async with seat.away():
                child = Seat(slots)
                await child.take()
                await asked.wait()
                child.leave()

        asked = asyncio.Event()
        starting = asyncio.create_task(start_child())
        asking = asyncio.create_task(ask())
        await turns()
        answer.set()
        async with asyncio.timeout(10):
            await asking
        asked.set()
        await starting

    @pytest.mark.parametrize("second", ["stays", "is cancelled"])
    async def test_two_parts_of_a_worker_that_come_back_take_one_slot_between_them(self, second):
        slots, answers = Slots(1), [asyncio.Event(), asyncio.Event()]
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def ask(answer: asyncio.Event) -> None:
            async with seat.away():
                await answer.wait()

        first = asyncio.create_task(ask(answers[0]))
        await turns()
        await other.take()
        answers[0].set()
        await turns()
        last = asyncio.create_task(ask(answers[1]))
        await turns()
        answers[1].set()
        await turns()
        if second == "is cancelled":
            last.cancel()
            await turns()
        assert not first.done()
        other.leave()
        await asyncio.wait([first, last])

        assert (None, second == "is cancelled") == (first.result(), last.cancelled())
        await self.is_taken(slots, until=seat)

    async def test_a_part_that_is_cancelled_while_another_one_comes_back_takes_no_slot_of_its_own(self):
        slots, answer = Slots(1), asyncio.Event()
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def ask(answer: asyncio.Event) -> None:
            async with seat.away():
                await answer.wait()

        first = asyncio.create_task(ask(answer))
        await turns()
        await other.take()
        answer.set()
        await turns()
        last = asyncio.create_task(ask(asyncio.Event()))
        await turns()
        last.cancel()
        await turns()
        other.leave()
        await first

        await self.is_taken(slots, until=seat)

    async def test_one_whose_child_failed_waits_for_a_slot_as_others_do(self):
        slots, failed = Slots(1), asyncio.Event()
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def start_child() -> None:
            async with seat.away():
                await failed.wait()
                raise ValueError

        starting = asyncio.create_task(start_child())
        await turns()
        await other.take()
        failed.set()
        await turns()
        assert not starting.done()
        other.leave()

        with pytest.raises(ValueError):
            await starting
        await self.is_taken(slots, until=seat)

    async def is_taken(self, slots: Slots, *, until: Seat) -> None:
        """See that the one slot is had by a seat, and by it alone."""
        queued = asyncio.create_task(slots.acquire())
        await turns()
        assert not queued.done()
        until.leave()
        await queued
        slots.release()

    @pytest.mark.parametrize("moment", ["waiting for its child", "waiting for its slot"])
    async def test_a_worker_that_is_cancelled_ends_at_once_and_its_slot_is_not_lost(self, moment):
        slots, answer = Slots(1), asyncio.Event()
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def ask() -> None:
            try:
                async with seat.away():
                    await answer.wait()
            finally:
                seat.leave()

        asking = asyncio.create_task(ask())
        await turns()
        await other.take()
        if moment == "waiting for its slot":
            answer.set()
            await turns()
        asking.cancel()
        await asyncio.wait([asking])

        assert asking.cancelled()
        third = asyncio.create_task(slots.acquire())
        await turns()
        assert not third.done()
        other.leave()
        await third

    async def test_a_cancel_between_two_sorts_of_slots_takes_what_is_missing_and_no_more(self):
        agents, whole, answer = Slots(1), Slots(1), asyncio.Event()
        seat = Seat(agents, whole)
        await seat.take()

        async def ask() -> None:
            async with seat.away():
                await answer.wait()

        asking = asyncio.create_task(ask())
        await turns()
        await whole.acquire()
        answer.set()
        await turns()
        asking.cancel()
        await asyncio.wait([asking])
        whole.release()
        seat.leave()

        for slots in (agents, whole):
            last = Seat(slots)
            await last.take()
            await self.is_taken(slots, until=last)

    async def test_a_worker_that_works_on_after_a_cancel_keeps_the_next_one_out(self):
        slots, answer = Slots(1), asyncio.Event()
        seat, other = Seat(slots), Seat(slots)
        await seat.take()

        async def impatient() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0), seat.away():
                    await answer.wait()

        await impatient()
        queued = asyncio.create_task(other.take())
        await turns()
        assert not queued.done()
        seat.leave()
        await queued

    async def test_one_that_left_takes_nothing_back(self):
        """A worker that was given up may come back from its child long after its task has ended."""
        slots, answer = Slots(1), asyncio.Event()
        seat = Seat(slots)
        await seat.take()

        async def ask() -> None:
            async with seat.away():
                await answer.wait()

        asking = asyncio.create_task(ask())
        await turns()
        seat.leave()
        seat.leave()
        answer.set()
        await asking

        await slots.acquire()

    async def test_one_that_left_while_it_queued_gives_its_turn_away(self):
        slots, answer = Slots(1), asyncio.Event()
        seat = Seat(slots)
        await seat.take()

        async def ask() -> None:
            async with seat.away():
                await slots.acquire()
                await answer.wait()

        asking = asyncio.create_task(ask())
        await turns()
        answer.set()
        await turns()
        seat.leave()
        slots.release()
        await asking

        await slots.acquire()

    async def test_a_cancel_before_all_slots_are_had_leaves_none(self):
        agents, whole = Slots(1), Slots(1)
        await whole.acquire()
        taking = asyncio.create_task(Seat(agents, whole).take())
        await turns()

        taking.cancel()
        await asyncio.wait([taking])

        await agents.acquire()


# A tree of workers: each works, waits for its children (one after the other, or all at once), and works again.
TREES = st.recursive(
    st.just(()),
    lambda inner: st.lists(st.tuples(st.booleans(), inner), min_size=1, max_size=3).map(tuple),
    max_leaves=12,
)


class Office:
    """Runs trees of workers under limits, cancels some of them at any moment, and counts who is at work."""

    def __init__(self, *, per_agent: int | None, in_all: int | None, chance: random.Random) -> None:
        self.agents = {name: Slots(per_agent) for name in "ab"} if per_agent else {}
        self.whole = Slots(in_all) if in_all else None
        self.limits = {**dict.fromkeys("ab", per_agent or 10**9), "run": in_all or 10**9}
        self.busy = dict.fromkeys(self.limits, 0)
        self.chance = chance
        self.finished = 0

    async def at_work(self, agent: str) -> None:
        for name in (agent, "run"):
            self.busy[name] += 1
            assert self.busy[name] <= self.limits[name], f"too many of {name} at work"
        try:
            await asyncio.sleep(self.chance.choice([0, 0, 1, 2]))
        finally:
            for name in (agent, "run"):
                self.busy[name] -= 1

    async def worker(self, agent: str, children: Any) -> None:
        seat = Seat(*(slots for slots in (self.agents.get(agent), self.whole) if slots is not None))
        await seat.take()
        try:
            await self.at_work(agent)
            await self.wait_for(seat, agent, children)
            await self.at_work(agent)
            self.finished += 1
        finally:
            seat.leave()

    async def wait_for(self, seat: Seat, agent: str, children: Any) -> None:
        other = {"a": "b", "b": "a"}
        each = [(agent if same else other[agent], below) for same, below in children]
        parts = self.chance.choice([1, 2, len(each) or 1])
        await asyncio.gather(*(self.one_after_the_other(seat, each[part::parts]) for part in range(parts)))

    async def one_after_the_other(self, seat: Seat, children: list[tuple[str, Any]]) -> None:
        for agent, below in children:
            async with seat.away():
                await self.worker(agent, below)


def size(tree: Any) -> int:
    return 1 + sum(size(below) for _, below in tree)


class TestAnyTree:
    @given(
        st.lists(TREES, min_size=1, max_size=4),
        st.none() | st.integers(1, 2),
        st.none() | st.integers(1, 3),
        st.integers(0, 2**32),
    )
    def test_p36_every_tree_comes_to_its_end_within_the_limits(self, trees, per_agent, in_all, seed):
        """P36: workers that start workers do not wait for ever, whatever the limits and the order of events."""
        office = Office(per_agent=per_agent, in_all=in_all, chance=random.Random(seed))

        async def main() -> None:
            await asyncio.gather(*(office.worker("a", tree) for tree in trees))

        simulate(main, seed=seed)

        assert sum(size(tree) for tree in trees) == office.finished

    @given(st.lists(TREES, min_size=2, max_size=4), st.integers(1, 2), st.integers(1, 3), st.integers(0, 2**32))
    def test_no_cancel_at_any_moment_loses_a_slot(self, trees, per_agent, in_all, seed):
        chance = random.Random(seed)
        office = Office(per_agent=per_agent, in_all=in_all, chance=chance)
        office.limits = dict.fromkeys(office.limits, 10**9)  # one that is cancelled may be one too many for a moment

        async def main() -> None:
            tasks = [asyncio.create_task(office.worker("a", tree)) for tree in trees]
            for task in tasks:
                await asyncio.sleep(chance.choice([0, 0, 1, 2]))
                task.cancel() if chance.random() < 0.7 else None
            await asyncio.wait(tasks)
            await asyncio.gather(*(office.agents["a"].acquire() for _ in range(per_agent)))
            await asyncio.gather(*(office.whole.acquire() for _ in range(in_all)))

        simulate(main, seed=seed)

        assert {0} == set(office.busy.values())
