"""Sessions that fall silent, leave and come back: nothing that they began is lost, and an old token opens nothing."""

import asyncio

import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.engine.program import Program
from swarm_core.errors import (
    RoleViolation,
    SessionNotFound,
    TokenExpired,
    TokenRevoked,
    TokenUsesExhausted,
)
from swarm_core.flow import compile_flow
from swarm_core.model.access import Role, Verb
from swarm_core.model.call import Result
from swarm_core.model.operator import SessionRequest
from swarm_core.model.task import TaskSpec, TaskStatus
from swarm_core.settings import EngineSettings
from swarm_core.testing import SimulatedClock, simulate


def session_kinds(engine):
    return [event.kind for event in engine.events.read()]


class TestReattach:
    async def test_a_detached_session_comes_back_with_a_token_of_its_own(self, desk):
        session = desk.engine.sessions.of_nonce(desk.token.nonce)
        desk.door.detach(desk.token)

        fresh = desk.door.reattach(desk.token)

        assert session is desk.engine.sessions.of_nonce(fresh.nonce)
        assert session.attached
        assert ["session_attached", "session_detached", "session_reattached"] == desk.kinds()
        assert {"session_id": session.id} == desk.engine.events.read()[-1].data
        desk.door.heartbeat(fresh)

    async def test_the_old_token_opens_nothing_any_more(self, desk):
        desk.door.reattach(desk.token)

        for use in (desk.door.heartbeat, desk.door.reattach, desk.door.detach):
            with pytest.raises(TokenRevoked):
                use(desk.token)

    async def test_what_was_made_from_the_old_token_is_withdrawn_with_it(self, desk):
        deputy = desk.door.attach_session(desk.token, "deputy")

        desk.door.reattach(desk.token)

        with pytest.raises(TokenRevoked):
            desk.door.heartbeat(deputy)

    async def test_the_new_token_grants_no_more_than_the_old_one(self, desk):
        deputy = desk.door.attach_session(desk.token, "deputy", ttl=60)

        fresh = desk.door.reattach(deputy)

        assert ("deputy", Role.OPERATOR, deputy.scopes) == (fresh.agent_id, fresh.role, fresh.scopes)
        assert fresh.expire_at <= deputy.expire_at

    async def test_a_deputy_that_came_back_still_falls_with_whoever_made_him(self, desk):
        """A token in place of another hangs on the same parent, so coming back is no way out of a withdrawal."""
        fresh = desk.door.reattach(desk.door.attach_session(desk.token, "deputy"))

        desk.engine._authority.revoke(desk.token)

        with pytest.raises(TokenRevoked):
            desk.door.heartbeat(fresh)

    async def test_uses_that_are_spent_stay_spent(self, desk):
        authority = desk.engine._authority
        token = authority.mint("ada", Role.OPERATOR, ttl=60, max_uses=2)
        desk.engine._open_session("ada", token, SessionRequest(), run_id=None, watched=False)

        fresh = desk.door.reattach(token)
        desk.door.heartbeat(fresh)

        with pytest.raises(TokenUsesExhausted):
            desk.door.heartbeat(fresh)

    async def test_tasks_of_the_session_run_on_and_stay_its_own(self, desk, workers):
        session = desk.engine.sessions.of_nonce(desk.token.nonce)
        started, go = asyncio.Event(), asyncio.Event()

        async def slow(call):
            started.set()
            await go.wait()
            return await workers["echo"](call)

        task = desk.door.start_task(desk.token, TaskSpec("worker", "hello"))
        working = asyncio.create_task(desk.door.dispatch_attempt(desk.token, task, slow))
        await started.wait()
        desk.door.detach(desk.token)
        fresh = desk.door.reattach(desk.token)
        go.set()
        await working

        assert [task] == session.owned_task_ids
        assert TaskStatus.PASS is desk.door.read_task_state(fresh, task).status

    async def test_a_question_waits_while_nobody_is_attached(self, desk, program, one_step):
        async def asking(call):
            return Result(await call.context.ask("go on?"))

        run = desk.engine.launch(program(one_step(), asking), {})
        token = desk.engine.reattach(run.session.id)
        waiting = await desk.engine.wait(run.id, or_waiting=True)
        desk.door.detach(token)
        await desk.engine.answer(waiting.questions[0], "yes", by="ada")

        assert {"out": "yes"} == (await desk.engine.wait(run.id)).final_ctx

    async def test_only_who_may_attach_may_reattach(self, desk):
        with pytest.raises(RoleViolation) as refused:
            desk.door.reattach(desk.token_for(Role.OBSERVER))

        assert Verb.ATTACH_SESSION == refused.value.verb

    async def test_a_token_without_a_session_has_nothing_to_come_back_to(self, desk):
        desk.engine.sessions.drop(desk.engine.sessions.of_nonce(desk.token.nonce))

        with pytest.raises(SessionNotFound):
            desk.door.reattach(desk.token)


class TestHostsDoor:
    async def test_the_host_gives_a_session_whose_token_is_lost_another_one(self, desk):
        session = desk.engine.sessions.of_nonce(desk.token.nonce)

        fresh = desk.engine.reattach(session.id, ttl=60)

        assert fresh.expire_at < desk.token.expire_at
        desk.door.heartbeat(fresh)
        with pytest.raises(TokenRevoked):
            desk.door.heartbeat(desk.token)

    async def test_the_session_of_a_run_can_be_taken_up_and_ends_with_the_run(self, desk, program, one_step, workers):
        run = desk.engine.launch(program(one_step(), workers["forever"]), {})
        token = desk.engine.reattach(run.session.id)

        desk.door.set_resource(token, run.id, "recipe", ["salt"])
        desk.engine.cancel_run(run.id)
        await desk.engine.wait(run.id)

        with pytest.raises(TokenRevoked):
            desk.door.heartbeat(token)
        with pytest.raises(SessionNotFound):
            desk.engine.reattach(run.session.id)

    async def test_a_session_that_is_not_there_is_not_found(self, desk):
        with pytest.raises(SessionNotFound):
            desk.engine.reattach("S-0000000000000000")

    async def test_a_deputy_whose_token_was_withdrawn_is_not_let_in_again(self, desk):
        deputy = desk.engine.sessions.of_nonce(desk.door.attach_session(desk.token, "deputy").nonce)
        desk.door.reattach(desk.token)

        with pytest.raises(TokenRevoked):
            desk.engine.reattach(deputy.id)


def silent(main, **settings):
    """Run `main(engine, clock)` in virtual time, on an engine that misses a session after 2 x 10 s."""

    async def whole():
        clock = SimulatedClock(asyncio.get_running_loop())
        chosen = EngineSettings(**{"heartbeat_interval": 10.0, "heartbeat_misses": 2, **settings})
        async with Engine(outputs=MemoryOutputStore(), settings=chosen, clock=clock) as engine:
            return await main(engine, clock)

    return simulate(whole)


class TestWatch:
    def test_the_engine_detaches_a_session_that_gives_no_sign_of_life(self):
        async def main(engine, clock):
            session = engine.sessions.of_nonce(engine.attach("ada").nonce)
            await asyncio.sleep(19.9)
            before = session.attached
            await asyncio.sleep(0.2)
            return before, session.attached, session_kinds(engine)

        assert (True, False, ["session_attached", "session_detached"]) == silent(main)

    def test_signs_of_life_keep_it_attached(self):
        async def main(engine, clock):
            token = engine.attach("ada")
            for _ in range(10):
                await asyncio.sleep(15)
                engine.door.heartbeat(token)
            return session_kinds(engine)

        assert ["session_attached"] == silent(main)

    def test_a_sign_of_life_after_that_attaches_it_again_and_it_is_watched_again(self):
        async def main(engine, clock):
            token = engine.attach("ada")
            await asyncio.sleep(60)
            engine.door.heartbeat(token)
            await asyncio.sleep(60)
            return session_kinds(engine)

        assert ["session_attached", "session_detached", "session_reattached", "session_detached"] == silent(main)

    def test_each_session_has_its_own_time(self):
        async def main(engine, clock):
            sessions = []
            for name in ("ada", "bob", "eve"):
                sessions.append(engine.sessions.of_nonce(engine.attach(name).nonce))
                await asyncio.sleep(8)
            early = [session.attached for session in sessions]
            await asyncio.sleep(10)
            return early, [session.attached for session in sessions]

        assert ([False, True, True], [False, False, True]) == silent(main)

    def test_a_jump_of_the_wall_clock_is_no_silence(self):
        async def main(engine, clock):
            session = engine.sessions.of_nonce(engine.attach("ada").nonce)
            clock.jump(86_400)
            await asyncio.sleep(10)
            return session.attached, engine.detach_silent()

        assert (True, []) == silent(main)

    def test_nobody_is_missed_who_cannot_give_signs_of_life(self):
        """An observer's role has no heartbeat; nobody has the token of a run's session until somebody asks for it."""

        async def main(engine, clock):
            observer = engine.sessions.of_nonce(engine.attach("eve", Role.OBSERVER).nonce)
            flow = compile_flow({"kind": "step", "ref": "w", "in": {"op": "lit", "value": 1},
                                 "out": {"op": "path", "at": "$.out"}})  # fmt: skip

            async def slow(call):
                await asyncio.sleep(3600)
                return Result(1)

            run = engine.launch(Program(blueprint_id="test", flow=flow, run=slow), {})
            session = run.session
            await engine.wait(run.id)
            return observer.attached, session.attached, session_kinds(engine).count("session_detached")

        assert (True, True, 0) == silent(main)

    def test_when_nobody_is_left_to_watch_there_is_no_timer(self):
        async def main(engine, clock):
            engine.door.detach(engine.attach("ada"))
            await asyncio.sleep(25)
            return len(asyncio.get_running_loop()._scheduled)

        assert 0 == silent(main)

    def test_closing_the_engine_takes_the_timer_back(self):
        async def main():
            async with Engine(outputs=MemoryOutputStore()) as engine:
                engine.attach("ada")
            return [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]

        assert [] == simulate(main)

    def test_a_session_whose_token_has_expired_is_forgotten(self):
        async def main(engine, clock):
            token = engine.attach("ada", ttl=5)
            session = engine.sessions.of_nonce(token.nonce)
            await asyncio.sleep(30)
            with pytest.raises(TokenExpired):
                engine.door.reattach(token)
            with pytest.raises(SessionNotFound):
                engine.sessions.get(session.id)
            return session_kinds(engine)

        assert ["session_attached", "session_detached"] == silent(main)
