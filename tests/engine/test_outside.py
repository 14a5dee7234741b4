"""The door for workers outside the process: one live attempt, by token or by handle, and nothing after it."""

import asyncio

import attrs
import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.engine import Engine
from swarm_core.errors import (
    InvalidTransition,
    OutputNotFound,
    ResultConflict,
    StaleAttempt,
    StoreUnavailable,
    TokenDecodeError,
    TokenNotFound,
    TokenRevoked,
    TokenTaskMismatch,
)
from swarm_core.model.access import Role, Verb
from swarm_core.model.call import Result
from swarm_core.model.output import Artifact, Final, Inline, Progress
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.value import TooLarge
from swarm_core.settings import EngineSettings

# What a worker outside may ask, each about its own task.
ASKED = {
    "fetch_worker_payload": lambda door, token, task: door.fetch_worker_payload(token, task),
    "submit_result": lambda door, token, task: door.submit_result(token, "late", task_id=task),
    "a part": lambda door, token, task: door.submit_result(token, "late", part="p"),
    "beat": lambda door, token, task: door.beat(token),
    "emit_output": lambda door, token, task: door.emit_output(token, task, 1, Progress("late")),
}
FORMS = ("token", "handle")


@attrs.define
class Outer:
    """A worker that waits until it is let go, and then answers with nothing of its own."""

    contexts: asyncio.Queue = attrs.field(factory=asyncio.Queue)
    may_end: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, call):
        await self.contexts.put(call)
        await self.may_end.wait()
        return call.context.latest or Result("nothing was posted")

    async def next(self):
        async with asyncio.timeout(10):
            return await self.contexts.get()


@pytest.fixture
def worker():
    return Outer()


async def asked(name, door, token, task):
    """Ask, and return the class of the refusal, None when there is none."""
    try:
        answer = ASKED[name](door, token, task)
        if asyncio.iscoroutine(answer):
            await answer
    except Exception as error:
        return type(error)
    return None


def credentials(call):
    return {"token": call.context.token(), "handle": call.context.handle()}


def seq(*steps):
    return {"kind": "seq", "children": list(steps)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ASKED)
class TestStates:
    """P20 and P21 at the door: the answer to each question in each state of the attempt."""

    async def test_p20_while_the_attempt_lives_it_is_answered(self, desk, program, one_step, worker, name, form):
        desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()

        assert await asked(name, desk.door, credentials(call)[form], call.task_id) is None

    async def test_p21_in_the_same_turn_in_which_it_was_cancelled_it_is_over(
        self, desk, program, one_step, worker, name, form
    ):
        run = desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        known = credentials(call)[form]

        desk.door.cancel_task(desk.token, call.task_id)
        last = run.events.last_seq

        assert StaleAttempt is await asked(name, desk.door, known, call.task_id)
        assert last == run.events.last_seq

    async def test_p13_while_the_run_goes_on_it_is_stale(self, desk, program, one_step, worker, name, form):
        run = desk.engine.launch(program(seq(one_step(), one_step()), worker), {})
        first = await worker.next()
        known = credentials(first)[form]
        worker.may_end.set()
        worker.may_end = asyncio.Event()
        await worker.next()
        last = run.events.last_seq

        assert StaleAttempt is await asked(name, desk.door, known, first.task_id)
        assert last == run.events.last_seq

    async def test_p21_after_the_run_it_is_revoked(self, desk, program, one_step, worker, name, form):
        run = desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        known = credentials(call)[form]
        worker.may_end.set()
        await desk.engine.wait(run.id)

        assert TokenRevoked is await asked(name, desk.door, known, call.task_id)

    async def test_p24_of_another_task_it_is_refused(self, desk, program, one_step, worker, name, form):
        desk.engine.launch(program(one_step(), worker), {})
        desk.engine.launch(program(one_step(), worker), {})
        one, two = await worker.next(), await worker.next()
        answer = await asked(name, desk.door, credentials(one)[form], two.task_id)

        assert answer is (None if name in ("a part", "beat") else TokenTaskMismatch)
        assert two.context.tail == []

    async def test_another_engine_does_not_know_it(self, desk, program, one_step, worker, name, form):
        desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        async with Engine(outputs=MemoryOutputStore()) as other:
            answer = await asked(name, other.door, credentials(call)[form], call.task_id)

        assert answer.__name__ == ("BadSignature" if form == "token" else "TokenNotFound")


async def test_p21_in_every_turn_a_credential_lives_exactly_as_long_as_its_attempt(desk, program, one_step, worker):
    run = desk.engine.launch(program(seq(one_step(), one_step()), worker), {})
    call = await worker.next()
    known, task, seen = credentials(call), desk.engine.state.task(call.task_id), []
    worker.may_end.set()
    while not run.done.done():
        living = {desk.door.is_living(secret) for secret in known.values()}
        assert {task.live is not None} == living
        seen.append(living == {True})
        await asyncio.sleep(0)

    assert [True, False] == [seen[0], seen[-1]]


class TestHandles:
    async def test_p23_a_handle_is_taken_wherever_a_token_is(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        handle, door = call.context.handle(), desk.door

        child = door.start_task(handle, _spec())
        state = door.read_task_state(handle, child)
        door.post_result(handle, call.task_id, "noted")
        record = door.verify_token(handle, handle, Verb.FETCH_PROMPT)

        assert ("null", call.task_id) == (door.fetch_prompt(handle, call.task_id), record.task_id)
        assert call.task_id == state.parent

    async def test_an_attempt_may_have_several_and_they_die_together(self, desk, program, one_step, worker):
        run = desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        handles = [call.context.handle() for _ in range(3)]
        alive = [desk.door.is_living(handle) for handle in handles]
        worker.may_end.set()
        await desk.engine.wait(run.id)

        assert [True] * 3 == alive
        assert [False] * 3 == [desk.door.is_living(handle) for handle in handles]

    async def test_a_token_cannot_be_made_from_a_handle(self, desk):
        handle = desk.engine._authority.handle_for(desk.token)

        with pytest.raises(TokenDecodeError):
            desk.door.attach_session(handle, "deputy")

    async def test_p22_the_handle_of_a_session_stands_for_the_session(self, desk):
        handle = desk.engine._authority.handle_for(desk.token)

        desk.door.detach(handle)
        session = desk.engine.sessions.of_nonce(desk.token.nonce)
        detached = session.attached
        desk.door.heartbeat(handle)

        assert (False, True) == (detached, session.attached)

    async def test_one_use_is_spent_by_each_question(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        twice = desk.engine._authority.attenuate(call.context.token(), max_uses=2)

        desk.door.admit(twice, Verb.READ_TASK_STATE)
        desk.door.fetch_worker_payload(twice)
        desk.door.submit_result(twice, "a")

        assert not await _allowed(desk.door, twice)


class TestPayload:
    async def test_without_a_word_from_the_kind_it_is_the_tasks_input(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(value={"a": 1}), worker), {})
        call = await worker.next()

        payload = desk.door.fetch_worker_payload(call.context.handle())

        assert ('{"a":1}', {"a": 1}, None, "worker") == (payload.prompt, payload.input, payload.system, payload.agent)

    async def test_what_was_baked_is_what_layers_made_of_the_call(self, desk, program, one_step, worker):
        async def layered(call):
            changed = attrs.evolve(call, input="changed", agent="other")
            changed.context.bake(changed, system="Be kind.")
            return await worker(changed)

        desk.engine.launch(program(one_step(value="as it was"), layered), {})
        call = await worker.next()
        handle = call.context.handle()
        payload = desk.door.fetch_worker_payload(handle)

        assert ("changed", "other", "Be kind.") == (payload.prompt, payload.agent, payload.system)
        assert "changed" == desk.door.fetch_prompt(handle, call.task_id)

    async def test_a_retry_is_baked_anew(self, desk, program, one_step):
        systems = []

        async def worker(call):
            systems.append(desk.door.fetch_worker_payload(call.context.handle()).system)
            call.context.bake(call, system=f"attempt {call.attempt}")
            systems.append(desk.door.fetch_worker_payload(call.context.handle()).system)
            raise RuntimeError

        retry = AgentPolicy(retry=Retry(max_attempts=2, backoff=0.0, max_backoff=0.0, on=frozenset({"failed"})))
        run = desk.engine.launch(program(one_step(), worker, policies={"worker": retry}), {})
        await desk.engine.wait(run.id)

        assert [None, "attempt 1", None, "attempt 2"] == systems


class TestResult:
    async def test_only_a_worker_has_a_place_to_post_to(self, desk):
        unbound = desk.engine.attach("w", Role.WORKER)

        with pytest.raises(TokenNotFound):
            desk.door.submit_result(unbound, 1)

    async def test_hb108_a_value_is_bounded(self, program, one_step, worker):
        async with Engine(outputs=MemoryOutputStore(), settings=EngineSettings(max_value_bytes=100)) as engine:
            engine.launch(program(one_step(), worker), {})
            call = await worker.next()
            handle, door = call.context.handle(), engine.door
            for _ in range(2):
                with pytest.raises(TooLarge):
                    door.submit_result(handle, "x" * 101)
            with pytest.raises(TooLarge):
                await door.emit_output(handle, call.task_id, 1, Artifact("x", Inline("x" * 101)))
            door.submit_result(handle, "x" * 40, part="a")
            with pytest.raises(TooLarge):
                door.submit_result(handle, "x" * 60, part="b")

            assert Result({"a": "x" * 40}) == call.context.latest

    async def test_a_result_that_was_posted_is_not_the_callers_any_more(self, desk, program, one_step, worker):
        run = desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        value = {"list": [1]}
        desk.door.submit_result(call.context.handle(), value)
        value["list"].append(2)
        worker.may_end.set()

        assert {"out": {"list": [1]}} == (await desk.engine.wait(run.id)).final_ctx

    async def test_a_posted_result_and_an_emitted_final_are_one_matter(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(), worker), {})
        call = await worker.next()
        handle = call.context.handle()
        desk.door.submit_result(handle, "a")
        await desk.door.emit_output(handle, call.task_id, 1, Final(Inline("a"), True))

        with pytest.raises(ResultConflict):
            await desk.door.emit_output(handle, call.task_id, 1, Final(Inline("b"), True))
        with pytest.raises(InvalidTransition):
            desk.door.submit_result(handle, "x", part="p")


class BrokenStore(MemoryOutputStore):
    """Cannot take an output once."""

    broken = True

    async def append(self, **facts):
        if self.broken:
            self.broken = False
            raise StoreUnavailable("no room")
        return await super().append(**facts)


class TestOutputs:
    async def test_an_output_that_could_not_be_kept_is_kept_at_the_end(self, program, one_step, worker):
        store = BrokenStore()
        async with Engine(outputs=store) as engine:
            run = engine.launch(program(one_step(), worker), {})
            call = await worker.next()
            with pytest.raises(StoreUnavailable):
                await engine.door.emit_output(call.context.handle(), call.task_id, 1, Progress("one"))
            worker.may_end.set()
            await engine.wait(run.id)

            kept = [record.event for record in await store.list_for_attempt(call.task_id, 1)]
            assert Progress("one") in kept

    async def test_sp135_outputs_of_another_run_are_nobodys_parents(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(), worker), {})
        desk.engine.launch(program(one_step(), worker), {})
        one, two = await worker.next(), await worker.next()
        ref = await desk.door.emit_output(one.context.handle(), one.task_id, 1, Progress("x"))

        with pytest.raises(OutputNotFound):
            await desk.door.emit_output(two.context.handle(), two.task_id, 1, Progress("y"), parent_refs=[ref])

        assert two.context.tail == []

    async def test_by_name_the_newest_of_the_own_run_is_read(self, desk, program, one_step, worker):
        desk.engine.launch(program(one_step(), worker), {})
        desk.engine.launch(program(one_step(), worker), {})
        one, two = await worker.next(), await worker.next()
        for call, stage in ((one, "a"), (one, "b"), (two, "c")):
            await desk.door.emit_output(call.context.handle(), call.task_id, 1, Progress(stage))

        read = [(await desk.door.read_output(call.context.handle(), "worker")).event for call in (one, two)]
        latest = (await desk.engine.output("worker")).event

        assert ([Progress("b"), Progress("c")], Progress("c")) == (read, latest)


def _spec():
    from swarm_core.model.task import TaskSpec

    return TaskSpec("worker", "child")


async def _allowed(door, token):
    try:
        door.beat(token)
    except Exception:
        return False
    return True
