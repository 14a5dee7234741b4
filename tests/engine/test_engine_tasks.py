"""Tasks through the door: begin, dispatch, poll, cancel, suspend (rows 13 to 29 of the conformance table)."""

import asyncio

import pytest

from swarm_core.errors import (
    AlreadyAnswered,
    DispatchFailed,
    InvalidTransition,
    PollTimeout,
    ResumeKeyNotFound,
    SpawnDepthExceeded,
    SpawnFailed,
    TaskNotFound,
    TokenRevoked,
    TokenTaskMismatch,
)
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.output import Artifact, FileRef, Final, Inline, Partial, Progress
from swarm_core.model.task import Blocked, Cancelled, Pass, TaskSpec, TaskStatus


def begin(desk, directive="go"):
    return desk.door.start_task(desk.token, TaskSpec("worker", directive))


class TestBegin:
    async def test_row_13_a_started_task_is_pending_at_attempt_0_and_depth_0(self, desk):
        task_id = begin(desk)

        state = desk.door.read_task_state(desk.token, task_id)

        assert (TaskStatus.PENDING, 0, 0) == (state.status, state.attempt, state.spawn_depth)
        assert desk.kinds()[-1] == "task_created"

    async def test_row_14_depths_0_to_3_are_accepted_and_the_next_is_refused(self, desk):
        refused = []

        async def descend(call):
            try:
                child = desk.door.start_task(call.context.token(), TaskSpec("worker", None))
            except SpawnDepthExceeded as error:
                refused.append((call.task_id, error.current, error.max))
                return Result("deepest")
            outcome = await desk.door.dispatch_attempt(call.context.token(), child, descend)
            return Result(outcome.value)

        outcome = await desk.door.dispatch_attempt(desk.token, begin(desk), descend)

        depths = sorted(task.depth for task in desk.engine.state.tasks.values())
        assert Pass("deepest") == outcome
        assert [0, 1, 2, 3] == depths
        assert [(4, 4)] == [(current, maximum) for _, current, maximum in refused]

    @pytest.mark.parametrize("verb", ["read_task_state", "cancel_task"])
    async def test_row_15_an_unknown_id_is_named(self, desk, verb):
        with pytest.raises(TaskNotFound, match="T-none"):
            getattr(desk.door, verb)(desk.token, "T-none")

    async def test_row_15_polling_an_unknown_id_is_named(self, desk):
        with pytest.raises(TaskNotFound, match="T-none"):
            await desk.door.poll_task(desk.token, "T-none", 1)


class TestDispatch:
    async def test_row_16_the_last_of_two_finals_decides(self, desk):
        async def twice(call):
            call.context.emit(Final(Inline("first"), True))
            call.context.emit(Final(Inline("second"), False))
            return call.context.latest

        outcome = await desk.door.dispatch_attempt(desk.token, task_id := begin(desk), twice)

        assert Blocked("second") == outcome
        assert TaskStatus.BLOCKED == desk.door.read_task_state(desk.token, task_id).status

    async def test_row_18_a_final_that_is_not_ok_blocks_the_task(self, desk):
        async def unhappy(call):
            return Result({"why": "no"}, ok=False)

        outcome = await desk.door.dispatch_attempt(desk.token, begin(desk), unhappy)

        assert Blocked({"why": "no"}) == outcome
        assert desk.kinds()[-2:] == ["task_attempt_completed", "task_blocked"]

    async def test_row_19_a_file_is_its_path_type_and_size(self, desk):
        async def file(call):
            call.context.emit(Final(FileRef("out/report.pdf", "application/pdf", 12), True))
            return call.context.latest

        outcome = await desk.door.dispatch_attempt(desk.token, begin(desk), file)

        assert Pass({"file_ref": "out/report.pdf", "mime": "application/pdf", "size_hint": 12}) == outcome

    async def test_row_20_a_raising_worker_blocks_the_task_with_an_event_and_wakes_pollers(self, desk):
        async def broken(call):
            raise ValueError("no such luck")

        task_id = begin(desk)
        poll = asyncio.ensure_future(desk.door.poll_task(desk.token, task_id, 5))
        await asyncio.sleep(0)

        with pytest.raises(DispatchFailed, match="no such luck"):
            await desk.door.dispatch_attempt(desk.token, task_id, broken)

        assert TaskStatus.BLOCKED == (await poll).status
        assert desk.kinds()[-2:] == ["task_attempt_failed", "task_blocked"]

    async def test_row_21_a_refused_spawn_blocks_the_task(self, desk):
        async def refusing(call):
            raise SpawnFailed("no such program")

        task_id = begin(desk)

        with pytest.raises(DispatchFailed) as caught:
            await desk.door.dispatch_attempt(desk.token, task_id, refusing)

        assert "refused" == caught.value.cause
        assert TaskStatus.BLOCKED == desk.door.read_task_state(desk.token, task_id).status

    async def test_row_22_a_retry_makes_attempt_2_with_outputs_of_its_own(self, desk):
        async def counting(call):
            result = Result([call.attempt, call.directive])
            call.context.record_final(result)
            return result

        task_id = begin(desk)

        first = await desk.door.dispatch_attempt(desk.token, task_id, counting)
        second = await desk.door.dispatch_attempt(desk.token, task_id, counting, retry=True)

        assert [Pass([1, "go"]), Pass([2, "go"])] == [first, second]
        for attempt in (1, 2):
            (record,) = await desk.engine.outputs.list_for_attempt(task_id, attempt)
            assert Final(Inline([attempt, "go"]), True) == record.event

    async def test_an_ended_task_is_not_dispatched_again_unless_a_retry_is_asked_for(self, desk, workers):
        task_id = begin(desk)
        await desk.door.dispatch_attempt(desk.token, task_id, workers["echo"])

        with pytest.raises(InvalidTransition, match="retry=True"):
            await desk.door.dispatch_attempt(desk.token, task_id, workers["echo"])

    async def test_a_result_that_is_no_json_blocks_the_task(self, desk):
        async def strange(call):
            return Result({"when": object()})

        with pytest.raises(DispatchFailed, match="object is no JSON value"):
            await desk.door.dispatch_attempt(desk.token, begin(desk), strange)

    async def test_what_a_worker_says_before_its_end_is_an_event_and_an_output(self, desk):
        said = [Progress("half"), Partial("x"), Artifact("notes", Inline(1))]

        async def talkative(call):
            for event in said:
                call.context.emit(event)
            result = Result("done")
            call.context.record_final(result)
            return result

        await desk.door.dispatch_attempt(desk.token, task_id := begin(desk), talkative)

        kept = [record.event for record in await desk.engine.outputs.list_for_attempt(task_id, 1)]
        assert [*said, Final(Inline("done"), True)] == kept
        assert 3 == desk.kinds().count("worker_output")

    async def test_the_attempts_context_is_dead_after_its_end(self, desk):
        contexts = []

        async def leaking(call):
            contexts.append((call.context, call.context.token()))
            return Result(None)

        await desk.door.dispatch_attempt(desk.token, task_id := begin(desk), leaking)
        ((context, token),) = contexts

        with pytest.raises(TokenRevoked):
            context.emit(Progress("late"))
        with pytest.raises(TokenRevoked):
            desk.door.fetch_prompt(token, task_id)


class TestPollAndCancel:
    async def test_row_23_polling_with_hold_0_answers_at_once(self, desk):
        state = await desk.door.poll_task(desk.token, begin(desk), 0)

        assert TaskStatus.PENDING == state.status

    async def test_row_24_polling_ends_with_poll_timeout(self, desk):
        with pytest.raises(PollTimeout):
            await desk.door.poll_task(desk.token, begin(desk), 0.02)

    async def test_row_25_cancel_wakes_pollers_ends_the_worker_and_is_final(self, desk):
        ended = []

        async def late(call):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(call.task_id)
            return Result("too late")

        task_id = begin(desk)
        dispatched = asyncio.ensure_future(desk.door.dispatch_attempt(desk.token, task_id, late))
        poll = asyncio.ensure_future(desk.door.poll_task(desk.token, task_id, 5))
        await asyncio.sleep(0.01)

        desk.door.cancel_task(desk.token, task_id)

        assert TaskStatus.CANCELLED == (await poll).status
        assert Cancelled() == await dispatched
        assert [task_id] == ended
        assert TaskStatus.CANCELLED == desk.door.read_task_state(desk.token, task_id).status

    async def test_row_25_a_result_after_the_cancel_changes_nothing(self, desk):
        async def stubborn(call):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Result("too late")

        task_id = begin(desk)
        dispatched = asyncio.ensure_future(desk.door.dispatch_attempt(desk.token, task_id, stubborn))
        await asyncio.sleep(0.01)

        desk.door.cancel_task(desk.token, task_id)

        assert Cancelled() == await dispatched
        assert desk.kinds()[-2:] == ["task_cancelled", "late_result_ignored"]

    async def test_a_worker_that_will_not_end_is_given_up_loudly(self, desk):
        freed = asyncio.Event()

        async def deaf(call):
            while not freed.is_set():
                try:
                    await freed.wait()
                except asyncio.CancelledError:
                    continue
            return Result("at last")

        task_id = begin(desk)
        dispatched = asyncio.ensure_future(desk.door.dispatch_attempt(desk.token, task_id, deaf))
        await asyncio.sleep(0.01)

        desk.door.cancel_task(desk.token, task_id)

        assert Cancelled() == await dispatched
        freed.set()
        await asyncio.sleep(0.01)
        assert desk.kinds()[-2:] == ["worker_abandoned", "late_result_ignored"]

    async def test_cancel_reaches_everything_below(self, desk, program, one_step):
        async def parent(call):
            if call.agent == "child":
                await asyncio.Event().wait()
            return await call.context.start_child("child", None)

        run = desk.engine.launch(program(one_step("parent"), parent), {})
        await asyncio.sleep(0.01)
        top = next(task for task in run.live.values() if task.depth == 0)

        desk.door.cancel_task(desk.token, top.id)
        result = await desk.engine.wait(run.id)

        assert {"pass": 0, "blocked": 0, "cancelled": 2} == {
            key: result.counts[key] for key in ("pass", "blocked", "cancelled")
        }

    async def test_an_operator_may_end_a_task_by_verdict(self, desk, workers):
        task_id = begin(desk)
        dispatched = asyncio.ensure_future(desk.door.dispatch_attempt(desk.token, task_id, workers["forever"]))
        await asyncio.sleep(0.01)

        desk.door.mark_pass(desk.token, task_id, {"by": "hand"})

        assert Pass({"by": "hand"}) == await dispatched
        assert TaskStatus.PASS == desk.door.read_task_state(desk.token, task_id).status


class TestSuspend:
    async def test_row_26_query_then_resume_then_await(self, desk):
        senior = desk.token_for(Role.SENIOR)
        task_id = begin(desk)

        key = await desk.door.query_senior(desk.token, task_id, {"what": "next"})
        suspended = desk.door.read_task_state(desk.token, task_id).status
        await desk.door.resume(senior, key, "go on")
        answer = await desk.door.await_resume(desk.token, key, 1)

        assert f"R-senior-{task_id}" == key
        assert TaskStatus.SUSPENDED == suspended
        assert "go on" == answer
        assert TaskStatus.RUNNING == desk.door.read_task_state(desk.token, task_id).status
        assert ["senior_queried", "task_suspended", "senior_answered", "task_resumed"] == desk.kinds()[-4:]

    async def test_row_27_an_answer_may_come_before_anyone_waits(self, desk):
        key = await desk.door.query_senior(desk.token, begin(desk), "?")
        await desk.door.resume(desk.token_for(Role.SENIOR), key, 42)

        assert 42 == await desk.door.await_resume(desk.token, key, 0)

    async def test_row_28_an_unknown_key_is_named(self, desk):
        with pytest.raises(ResumeKeyNotFound, match="R-senior-none"):
            await desk.door.resume(desk.token_for(Role.SENIOR), "R-senior-none", 1)

    async def test_row_29_awaiting_with_timeout_0_and_no_answer(self, desk):
        key = await desk.door.query_senior(desk.token, begin(desk), "?")

        with pytest.raises(PollTimeout):
            await desk.door.await_resume(desk.token, key, 0)

    async def test_the_first_of_two_answers_counts(self, desk):
        senior, key = desk.token_for(Role.SENIOR), await desk.door.query_senior(desk.token, begin(desk), "?")
        await desk.door.resume(senior, key, "first")

        with pytest.raises(AlreadyAnswered, match=r" by .* at 20"):
            await desk.door.resume(senior, key, "second")

        assert "first" == await desk.door.await_resume(desk.token, key, 0)

    async def test_an_attempt_waits_for_its_answer(self, desk):
        async def asking(call):
            return Result([await call.context.ask("first?"), await call.context.ask("second?")])

        task_id = begin(desk)
        dispatched = asyncio.ensure_future(desk.door.dispatch_attempt(desk.token, task_id, asking))
        senior = desk.token_for(Role.SENIOR)
        for key in (f"R-senior-{task_id}", f"R-senior-{task_id}-2"):
            await desk.door.poll_task(desk.token, task_id, 1)
            await desk.door.resume(senior, key, key[-2:])
            await asyncio.sleep(0.01)

        outcome = await dispatched

        assert Pass([task_id[-2:], "-2"]) == outcome


class TestWhoMayTouchWhat:
    async def test_a_worker_reaches_only_itself_and_what_it_started(self, desk, workers):
        other = begin(desk)
        seen = {}

        async def curious(call):
            token = call.context.token()
            mine = desk.door.start_task(token, TaskSpec("worker", "child"))
            seen["child"] = desk.door.read_task_state(token, mine).parent
            seen["outcome"] = await desk.door.dispatch_attempt(token, mine, workers["echo"])
            for reach in (desk.door.read_task_state, desk.door.cancel_task, desk.door.fetch_prompt):
                with pytest.raises(TokenTaskMismatch):
                    reach(token, other)
            with pytest.raises(TokenTaskMismatch):
                await desk.door.dispatch_attempt(token, other, workers["echo"])
            return Result("kept out")

        task_id = begin(desk)
        outcome = await desk.door.dispatch_attempt(desk.token, task_id, curious)

        assert Pass("kept out") == outcome
        assert (task_id, Pass("child")) == (seen["child"], seen["outcome"])
        assert TaskStatus.PENDING == desk.door.read_task_state(desk.token, other).status
