"""Sessions and the four tiers of the operator-kind cascade (rows 30 and 31)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.contracts import SeniorBridge
from swarm_core.errors import SessionNotFound
from swarm_core.model.access import Role
from swarm_core.model.call import Result
from swarm_core.model.operator import OperatorKind, SessionRequest, collapse_operator_kind
from swarm_core.settings import EngineSettings

MAIN_AI, AUTOMATE, COMPOSITE = OperatorKind.MAIN_AI, OperatorKind.AUTOMATE, OperatorKind.COMPOSITE


class TestCascade:
    async def test_row_30_an_explicit_automate_for_the_agent_wins(self):
        kind = collapse_operator_kind(
            "writer",
            launch_agents={"writer": AUTOMATE},
            launch_global=MAIN_AI,
            blueprint_agents={"writer": COMPOSITE},
            blueprint_global=None,
        )

        assert AUTOMATE == kind

    async def test_row_31_without_any_tier_it_is_automate(self):
        assert AUTOMATE == collapse_operator_kind(
            "writer", launch_agents={}, launch_global=None, blueprint_agents={}, blueprint_global=None
        )

    @given(tiers=st.lists(st.none() | st.sampled_from(OperatorKind), min_size=4, max_size=4))
    def test_the_first_tier_that_says_anything_wins(self, tiers):
        agent_tier, global_tier, blueprint_tier, default_tier = tiers

        kind = collapse_operator_kind(
            "writer",
            launch_agents={} if agent_tier is None else {"writer": agent_tier},
            launch_global=global_tier,
            blueprint_agents={} if blueprint_tier is None else {"writer": blueprint_tier},
            blueprint_global=default_tier,
        )

        assert next((tier for tier in tiers if tier is not None), AUTOMATE) == kind


class Bridge(SeniorBridge):
    async def ask(self, task_id, question):
        return "yes"


class TestSessions:
    async def test_faces_are_resolved_at_each_dispatch(self, desk, program, one_step):
        seen = []

        async def looking(call):
            seen.append((call.operator.kind, call.operator.id, call.operator.senior_bridge))
            return Result(None)

        bridge, flow = Bridge(), {"kind": "seq", "children": [one_step(out="$.a"), one_step(out="$.b")]}
        request = SessionRequest(operator_kind=MAIN_AI, bridge_id="br-1")
        run = desk.engine.launch(program(flow, looking), {}, operator_id="ada", request=request)
        desk.engine.sessions.attachments.seniors.attach("br-1", bridge)
        await desk.engine.wait(run.id)

        assert [(MAIN_AI, "ada", bridge)] * 2 == seen

    async def test_an_unknown_id_is_silently_none(self, desk, program, one_step):
        async def looking(call):
            return Result(call.operator.senior_bridge is None)

        run = desk.engine.launch(program(one_step(), looking), {}, request=SessionRequest(bridge_id="br-none"))

        assert {"out": True} == (await desk.engine.wait(run.id)).final_ctx

    async def test_the_blueprints_tiers_stand_below_the_launchs(self, desk, program, one_step):
        async def looking(call):
            return Result(str(call.operator.kind))

        made = program(one_step(), looking, agent_kinds={"worker": COMPOSITE}, global_kind=MAIN_AI)
        plain = desk.engine.launch(made, {})
        asked = desk.engine.launch(made, {}, request=SessionRequest(operator_kind=AUTOMATE))

        assert ["composite", "automate"] == [
            (await desk.engine.wait(run.id)).final_ctx["out"] for run in (plain, asked)
        ]

    async def test_attaching_is_an_event_with_the_session_and_its_role(self, desk):
        (event,) = [event for event in desk.engine.events.read() if event.kind == "session_attached"]

        session = desk.engine.sessions.of_nonce(desk.token.nonce)
        assert {"session_id": session.id, "role": "operator"} == event.data

    async def test_detach_is_told_once_and_the_token_keeps_working(self, desk):
        desk.door.detach(desk.token)
        desk.door.detach(desk.token)

        assert 1 == desk.kinds().count("session_detached")
        desk.door.heartbeat(desk.token)

    async def test_silent_sessions_are_detached(self, desk):
        desk.engine.settings = EngineSettings(heartbeat_interval=1e-9, heartbeat_misses=1)
        session = desk.engine.sessions.of_nonce(desk.token.nonce)

        gone = desk.engine.detach_silent()

        assert [session.id] == gone
        assert not session.attached

    async def test_a_token_without_a_session_has_no_heartbeat(self, desk):
        desk.engine.sessions.drop(desk.engine.sessions.of_nonce(desk.token.nonce))

        with pytest.raises(SessionNotFound):
            desk.door.heartbeat(desk.token)

    async def test_a_session_for_somebody_else_has_no_more_rights(self, desk):
        narrower = desk.door.attach_session(desk.token, "deputy", ttl=60)

        assert ("deputy", Role.OPERATOR) == (narrower.agent_id, narrower.role)
        assert narrower.expire_at <= desk.token.expire_at
        desk.door.heartbeat(narrower)
