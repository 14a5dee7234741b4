"""What is attached by id: handles, replacement, and seats that outlive who sits on them."""

import asyncio

import pytest

from swarm_core.attachments import Attachments
from swarm_core.contracts import Operator
from swarm_core.errors import WorkerFailed
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline
from swarm_core.testing import RecordingContext, make_call


class Worker(Operator):
    """Does what a test says; `began` is set when it begins."""

    def __init__(self, work):
        self.work, self.began = work, asyncio.Event()

    async def execute(self, call, system):
        self.began.set()
        return await self.work(call)


async def forever(call):
    await asyncio.Event().wait()


def returning(value):
    async def work(call):
        return Result(value)

    return work


@pytest.fixture
def there():
    return Attachments()


@pytest.fixture
def call():
    return make_call(input="do it", context=RecordingContext())


class TestRegistry:
    async def test_what_is_attached_is_found_until_it_is_detached(self, there):
        worker = Worker(forever)
        handle = there.operators.attach("desk", worker)

        assert (worker, True) == (there.operators.find("desk"), handle.attached)
        handle.detach()
        handle.detach()
        assert (None, False, 0) == (there.operators.find("desk"), handle.attached, len(there.operators))

    async def test_the_newest_wins_and_an_old_handle_takes_nothing_away(self, there):
        old = there.operators.attach("desk", Worker(forever))
        there.operators.attach("desk", newer := Worker(forever))

        old.detach()

        assert (newer, False) == (there.operators["desk"], old.attached)

    @pytest.mark.parametrize("id", ["", " desk", "a\nb", "x" * 201, None, 5])
    async def test_an_id_is_a_short_line(self, there, id):
        with pytest.raises(ValueError, match="is no id"):
            there.hooks.attach(id, Worker(forever))


class TestSeat:
    async def test_an_empty_seat_offers_nothing(self, there, call):
        assert await there.seat("desk").offer(call, None) is None

    async def test_a_seat_waits_for_whoever_comes_and_says_so(self, there, call):
        waiting = asyncio.ensure_future(there.seat("desk").execute(call, None))
        await asyncio.sleep(0)

        there.operators.attach("other", Worker(returning("no")))
        there.operators.attach("desk", Worker(returning("yes")))

        assert Result("yes") == await waiting
        assert [("operator_awaited", {"operator": "desk"})] == call.context.published

    async def test_who_is_replaced_is_cancelled_before_the_next_one_begins(self, there, call):
        order = []

        async def slow(call):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                order.append("the first is gone")

        async def quick(call):
            order.append("the second begins")
            return Result("done")

        there.operators.attach("desk", first := Worker(slow))
        working = asyncio.ensure_future(there.seat("desk").execute(call, None))
        await first.began.wait()
        there.operators.attach("desk", Worker(quick))

        assert Result("done") == await working
        assert ["the first is gone", "the second begins"] == order

    async def test_an_error_of_somebody_who_left_is_not_the_attempts(self, there, call):
        async def breaks(call):
            handle.detach()
            raise ConnectionError("gone")

        handle = there.operators.attach("desk", Worker(breaks))

        assert await there.seat("desk").offer(call, None) is None

    async def test_an_error_of_somebody_who_is_there_is(self, there, call):
        async def breaks(call):
            raise ConnectionError("no tea")

        there.operators.attach("desk", Worker(breaks))

        with pytest.raises(ConnectionError, match="no tea"):
            await there.seat("desk").offer(call, None)

    async def test_a_result_that_was_ready_when_they_left_counts(self, there, call):
        async def leaves(call):
            handle.detach()
            return Result("ready")

        handle = there.operators.attach("desk", Worker(leaves))

        assert Result("ready") == await there.seat("desk").offer(call, None)

    async def test_a_final_that_was_recorded_counts_for_somebody_who_left(self, there, call):
        async def posts(call):
            call.context.emit(Final(Inline("posted"), True))
            handle.detach()
            await asyncio.Event().wait()

        handle = there.operators.attach("desk", Worker(posts))

        assert Result("posted") == await there.seat("desk").offer(call, None)

    async def test_somebody_who_gives_nothing_fails(self, there, call):
        async def nothing(call):
            return None

        there.operators.attach("desk", Worker(nothing))

        with pytest.raises(WorkerFailed, match="no Final"):
            await there.seat("desk").offer(call, None)

    async def test_somebody_who_cancels_themselves_fails_and_does_not_begin_again(self, there, call):
        async def cancels(call):
            raise asyncio.CancelledError

        there.operators.attach("desk", Worker(cancels))

        with pytest.raises(WorkerFailed, match="cancelled itself"):
            await there.seat("desk").offer(call, None)

    async def test_cancelling_reaches_who_works_and_waits_for_them(self, there, call):
        gone = []

        async def slow(call):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                gone.append(True)

        there.operators.attach("desk", worker := Worker(slow))
        working = asyncio.ensure_future(there.seat("desk").execute(call, None))
        await worker.began.wait()

        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

        assert [True] == gone

    async def test_a_cancellation_in_the_middle_of_a_handover_is_not_lost(self, there, call):
        async def slow(call):
            try:
                await asyncio.Event().wait()
            finally:
                handed.set()
                await asyncio.sleep(0.01)

        handed = asyncio.Event()
        there.operators.attach("desk", worker := Worker(slow))
        working = asyncio.ensure_future(there.seat("desk").execute(call, None))
        await worker.began.wait()
        there.operators.attach("desk", Worker(returning("too late")))
        await handed.wait()

        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    async def test_runs_that_waited_are_told_once_also_when_the_wait_was_broken_off(self, there):
        seat = there.seat("desk")
        with pytest.raises(KeyError), seat.awaiting("RUN-parked"):
            raise KeyError
        with seat.awaiting("RUN-answered"):
            pass

        assert (["RUN-parked"], []) == (seat.take_awaited(), seat.take_awaited())
