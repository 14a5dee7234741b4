"""An AI at the seat of an operator, over the tools alone."""

import asyncio

import pytest

pytestmark = pytest.mark.needs("operator")

TRIP = ["scout", "plan", "resolver", "gate", "resolver", "gate", "commit"]

ONE = """
id: one
operators: [{name: desk}]
agents:
  - {name: writer, kind: operator, spec: {operator_ref: desk}, profile: {system_prompt: "Write to {{ name }}."}}
flow: {kind: step, ref: writer, in: {op: path, at: $}, out: {op: path, at: $.letter}}
"""

DELEGATED = """
id: delegated
spawner_hints: {layers: [operator_delegate]}
agents: [{name: writer, kind: fake, spec: {answers: [from the worker]}}]
flow: {kind: step, ref: writer, in: {op: path, at: $.name}, out: {op: path, at: $.letter}}
"""

WATCHED = """
id: watched
spawner_hints: {layers: [main_ai]}
default_operator_kind: main_ai
agents: [{name: writer, kind: fake, spec: {answers: [from the worker]}}]
flow: {kind: step, ref: writer, in: {op: path, at: $.name}, out: {op: path, at: $.letter}}
"""

STUCK = """
id: stuck
spawner_hints: {layers: [senior_escalation]}
agents: [{name: writer, kind: fake, spec: {answers: [no idea], ok: [false]}}]
flow: {kind: step, ref: writer, in: {op: path, at: $.name}, out: {op: path, at: $.letter}}
"""


async def joined(tools, *roles, **how):
    return (await tools.call("mse_operator_join", roles=list(roles), **how))["sid"]


async def next_message(tools, sid, **how):
    told = await tools.call("mse_pending_wait", sid=sid, timeout_ms=5000, **how)
    assert told["status"] == "message", told
    return told["message"]


class TestSeat:
    async def test_sample_02_is_driven_to_its_end_from_a_role(self, tools, sample_02, drive):
        sid = await joined(tools, "main-ai")
        begun = await tools.call("swarm_run", blueprint=sample_02, timeout_secs=20)

        done, end = await drive(tools, sid, begun["run_id"])

        assert "running" == begun["status"]
        assert "mse_pending_wait" in begun["next"]
        assert TRIP == done
        assert ("done", "PASS", {"committed": True}) == (
            end["status"],
            end["final_ctx"]["verdict"],
            end["final_ctx"]["result"],
        )

    async def test_work_that_waited_in_the_store_comes_to_whoever_joins(self, tools, sample_02, drive):
        begun = await tools.call("swarm_run", blueprint=sample_02)
        sid = await joined(tools, "main-ai")

        done, end = await drive(tools, sid, begun["run_id"])

        assert "waiting" == begun["status"]
        assert (TRIP, "done") == (done, end["status"])

    async def test_a_run_that_waited_for_this_session_is_not_told_to_wait_any_more(self, tools):
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"})
        await joined(tools, "desk")

        seen = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert ("waiting", "running") == (begun["status"], seen["status"])
        assert "mse_pending_wait" in seen["next"]

    async def test_a_session_gets_the_work_of_all_agents_of_a_run_that_names_it(self, tools):
        sid = await joined(tools)
        begun = await tools.call(
            "swarm_run", blueprint=DELEGATED, init_ctx={"name": "Ada"}, operator_sid=sid, timeout_secs=20
        )
        message = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="Dear Ada")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "Dear Ada" == end["final_ctx"]["letter"]

    async def test_an_unknown_session_is_refused_at_the_launch(self, tools):
        text, code = await tools.refused("swarm_run", blueprint=DELEGATED, operator_sid="S-nobody")

        assert "unknown_operator" == code
        assert "mse_operator_join" in text

    async def test_a_message_has_the_frame_of_the_protocol(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)

        message = await next_message(tools, sid)

        wanted = {"type", "req_id", "task_id", "agent", "attempt", "capability_token", "worker_handle", "directive"}
        assert wanted == set(message)
        assert message["req_id"].startswith(f"{sid}-spawn-")
        assert message["worker_handle"].startswith("wh-")
        assert message["worker_handle"] in message["directive"]

    async def test_a_worker_sees_its_work_by_its_handle_alone(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)

        work = await tools.call("mse_worker_prompt", handle=message["worker_handle"])

        assert ("Write to Ada.", '{"name":"Ada"}') == (work["system"], work["prompt"])

    async def test_row_93_a_handle_is_for_its_own_task(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)

        _, code = await tools.refused(
            "mse_worker_prompt", handle=message["worker_handle"], task_id="T-1234567890abcdef"
        )

        assert "token_task_mismatch" == code

    async def test_row_94_what_a_worker_submitted_counts_over_the_ack(self, tools):
        sid = await joined(tools, "desk")
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)
        await tools.call("mse_worker_submit", handle=message["worker_handle"], value="I cannot", ok=False)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="but I can")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "failed" == end["status"]
        assert "I cannot" in str(end["error"])

    async def test_an_error_blocks_the_step_with_its_text(self, tools):
        sid = await joined(tools, "desk")
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", ok=False, error="no paper")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "failed" == end["status"]
        assert "no paper" in str(end["error"])

    async def test_nothing_in_time_is_a_timeout_and_no_failure(self, tools):
        sid = await joined(tools)

        told = await tools.call("mse_pending_wait", sid=sid, timeout_ms=1)

        assert ("timeout", None) == (told["status"], told["message"])


class TestReplies:
    async def test_a_reply_comes_once(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="Dear Ada")

        _, code = await tools.refused("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="again")

        assert "stale_ack" == code

    async def test_a_reply_of_the_wrong_kind_is_refused_and_can_be_mended(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)

        text, code = await tools.refused("mse_ack", sid=sid, req_id=message["req_id"], kind="answer", value="Dear Ada")

        assert "wrong_kind" == code
        assert "spawn_ack" in text
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="Dear Ada")

    async def test_another_session_cannot_answer(self, tools):
        sid, other = await joined(tools, "desk"), await joined(tools)
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)

        _, code = await tools.refused("mse_ack", sid=other, req_id=message["req_id"], kind="spawn_ack", value="mine")

        assert "stale_ack" == code

    async def test_what_has_no_reply_is_shown_again_when_asked_for(self, tools):
        sid = await joined(tools, "desk")
        await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)

        assert message == await next_message(tools, sid, replay=True)

    async def test_a_cancelled_run_takes_its_message_away(self, tools):
        sid = await joined(tools, "desk")
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        message = await next_message(tools, sid)
        await tools.call("swarm_cancel", run_id=begun["run_id"])

        _, code = await tools.refused("mse_ack", sid=sid, req_id=message["req_id"], kind="spawn_ack", value="late")
        _, late = await tools.refused("mse_worker_submit", handle=message["worker_handle"], value="late")

        assert "stale_ack" == code
        assert late in ("token_revoked", "stale_attempt")


class TestComingAndGoing:
    async def test_a_role_that_is_taken_is_a_conflict(self, tools):
        await joined(tools, "desk")

        text, code = await tools.refused("mse_operator_join", roles=["desk"])

        assert "roles_conflict" == code
        assert "desk" in text and "take" in text

    async def test_work_of_whoever_is_displaced_begins_anew_with_the_next(self, tools):
        sid = await joined(tools, "desk")
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        await next_message(tools, sid)
        other = await joined(tools, "desk", take=True)

        message = await next_message(tools, other)
        await tools.call("mse_ack", sid=other, req_id=message["req_id"], kind="spawn_ack", value="Dear Ada")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)
        assert "Dear Ada" == end["final_ctx"]["letter"]

    async def test_work_of_whoever_leaves_waits_for_the_next(self, tools):
        sid = await joined(tools, "desk")
        begun = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, timeout_secs=20)
        await next_message(tools, sid)
        await tools.call("mse_operator_leave", sid=sid)

        waiting = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)
        _, code = await tools.refused("mse_pending_wait", sid=sid)

        assert "waiting" == waiting["status"]
        assert "unknown_operator" == code

    async def test_a_role_that_is_no_name_is_refused(self, tools):
        _, code = await tools.refused("mse_operator_join", roles=["a\nb"])

        assert "bad_role" == code


class TestLooking:
    async def test_a_hook_may_refuse_an_attempt(self, tools):
        sid = await joined(tools)
        begun = await tools.call(
            "swarm_run", blueprint=WATCHED, init_ctx={"name": "Ada"}, spawn_hook_id=sid, timeout_secs=20
        )
        message = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="hook_ack", ok=False, error="not today")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "hook_before" == message["type"]
        assert "not today" in str(end["error"])

    async def test_a_hook_is_told_how_the_attempt_ended(self, tools):
        sid = await joined(tools)
        await tools.call("swarm_run", blueprint=WATCHED, init_ctx={"name": "Ada"}, spawn_hook_id=sid, timeout_secs=20)
        before = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=before["req_id"], kind="hook_ack")

        after = await next_message(tools, sid)

        assert ("hook_after", {"value": "from the worker", "ok": True}) == (after["type"], after["result"])

    @pytest.mark.needs("senior")
    async def test_a_senior_answers_for_a_worker_that_is_stuck(self, tools):
        sid = await joined(tools)
        begun = await tools.call(
            "swarm_run", blueprint=STUCK, init_ctx={"name": "Ada"}, senior_bridge_id=sid, timeout_secs=20
        )
        message = await next_message(tools, sid)
        await tools.call("mse_ack", sid=sid, req_id=message["req_id"], kind="answer", value="ask Bob")

        end = await tools.call("swarm_watch", run_id=begun["run_id"], timeout_secs=20)

        assert "ask" == message["type"]
        assert "ask Bob" == end["final_ctx"]["letter"]["senior_answer"]


async def test_two_seats_work_side_by_side(tools, sample_02, drive):
    sid = await joined(tools, "main-ai")
    first = await tools.call("swarm_run", blueprint=sample_02, detach=True)
    desk = await joined(tools, "desk")
    second = await tools.call("swarm_run", blueprint=ONE, init_ctx={"name": "Ada"}, detach=True)

    async def write():
        message = await next_message(tools, desk)
        await tools.call("mse_ack", sid=desk, req_id=message["req_id"], kind="spawn_ack", value="Dear Ada")

    (done, _), _ = await asyncio.gather(drive(tools, sid, first["run_id"]), write())
    end = await tools.call("swarm_watch", run_id=second["run_id"], timeout_secs=20)

    assert (TRIP, "Dear Ada") == (done, end["final_ctx"]["letter"])
