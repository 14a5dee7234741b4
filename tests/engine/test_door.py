"""Every way into the engine asks the same of a token first (P23), and none leads to others' work (P24)."""

import asyncio
import inspect
from collections import Counter

import attrs
import pytest

from swarm_core.builtin.memory import MemoryOutputStore
from swarm_core.engine.door import Door
from swarm_core.engine.engine import Engine
from swarm_core.errors import (
    AccessDenied,
    BadSignature,
    OutputNotFound,
    ResourceNotFound,
    RoleViolation,
    TokenDecodeError,
    TokenExpired,
    TokenNotFound,
    TokenRevoked,
    TokenTaskMismatch,
)
from swarm_core.model.access import DEFAULT_ROLE_VERBS, Role, Verb
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline, Progress
from swarm_core.model.policy import AgentPolicy, Retry
from swarm_core.model.task import TaskSpec
from swarm_core.tokens import encode_token

# What each method asks the gate for, and its arguments behind the token.
DOORS = {
    "attach_session": (Verb.ATTACH_SESSION, lambda scene: ("deputy",)),
    "detach": (Verb.DETACH_SESSION, lambda scene: ()),
    "reattach": (Verb.ATTACH_SESSION, lambda scene: ()),
    "heartbeat": (Verb.HEARTBEAT, lambda scene: ()),
    "admit": (Verb.READ_TRACE, lambda scene: (Verb.READ_TRACE,)),
    "verify_token": (Verb.VERIFY_TOKEN, lambda scene: (scene.operator, Verb.POLL_TASK)),
    "start_task": (Verb.START_TASK, lambda scene: (TaskSpec("worker", "go"),)),
    "dispatch_attempt": (Verb.DISPATCH_ATTEMPT, lambda scene: (scene.pending, scene.echo)),
    "read_task_state": (Verb.READ_TASK_STATE, lambda scene: (scene.task,)),
    "cancel_task": (Verb.CANCEL_TASK, lambda scene: (scene.task,)),
    "poll_task": (Verb.POLL_TASK, lambda scene: (scene.task, 0)),
    "mark_pass": (Verb.MARK_PASS, lambda scene: (scene.task, 1)),
    "mark_blocked": (Verb.MARK_BLOCKED, lambda scene: (scene.task, 1)),
    "override_verdict": (Verb.OVERRIDE_VERDICT, lambda scene: (scene.task, 1)),
    "inject_directive": (Verb.INJECT_DIRECTIVE, lambda scene: (scene.task, "other")),
    "mint_worker_token": (Verb.MINT_WORKER_TOKEN, lambda scene: (scene.task,)),
    "fetch_prompt": (Verb.FETCH_PROMPT, lambda scene: (scene.task,)),
    "fetch_worker_payload": (Verb.FETCH_PROMPT, lambda scene: (scene.task,)),
    "submit_result": (Verb.POST_RESULT, lambda scene: ("forged",)),
    "emit_output": (Verb.EMIT_OUTPUT, lambda scene: (scene.task, 1, Progress("forged"))),
    "read_output": (Verb.FETCH_DATA, lambda scene: ("victim",)),
    "beat": (Verb.VERIFY_TOKEN, lambda scene: ()),
    "submit_output": (Verb.EMIT_OUTPUT, lambda scene: (scene.task, 1, Progress("forged"))),
    "post_result": (Verb.POST_RESULT, lambda scene: (scene.task, "forged")),
    "set_resource": (Verb.SET_RESOURCE, lambda scene: (scene.run.id, "key", "forged")),
    "fetch_data": (Verb.FETCH_DATA, lambda scene: ("recipe",)),
    "query_senior": (Verb.QUERY_SENIOR, lambda scene: (scene.task, "?")),
    "resume": (Verb.ANSWER_QUERY, lambda scene: (scene.question, "forged")),
    "await_resume": (Verb.QUERY_SENIOR, lambda scene: (scene.question, 0)),
    "subscribe": (Verb.SUBSCRIBE_EVENTS, lambda scene: (scene.run.id,)),
    "read_trace": (Verb.READ_TRACE, lambda scene: (scene.run.id,)),
    "pause_loop": (Verb.PAUSE_LOOP, lambda scene: (scene.run.id,)),
    "resume_loop": (Verb.RESUME_LOOP, lambda scene: (scene.run.id,)),
}
EXTRA = {
    "override_verdict": lambda scene: {"ok": True},
    "submit_result": lambda scene: {"task_id": scene.task},
}
ONLY_TELLS = {"is_living"}


@attrs.define
class Scene:
    """An engine in the middle of work: a run whose step is under way, a pending task, an open question."""

    engine: Engine
    operator: object
    run: object
    task: str
    pending: str
    question: str
    echo: object

    async def ask(self, method, token):
        """Call a method of the door as it would be called, with this token."""
        more = EXTRA.get(method, lambda scene: {})(self)
        answer = getattr(self.engine.door, method)(token, *DOORS[method][1](self), **more)
        return await answer if inspect.iscoroutine(answer) else answer

    def picture(self):
        """Everything that a call could change, as a text."""
        session = self.engine.sessions.of_nonce(self.operator.nonce)
        return repr([
            sorted(str(attrs.asdict(task.snapshot())) for task in self.engine.state.tasks.values()),
            self.run.status, self.run.events.last_seq, self.run.resources, self.run.paused, self.engine.events.last_seq,
            session.attached, session.last_seen, session.owned_task_ids, len(self.engine.state.runs),
        ])  # fmt: skip


@pytest.fixture
async def scene(desk, program, one_step, workers):
    run = desk.engine.launch(program(one_step(), workers["forever"]), {})
    desk.door.set_resource(desk.token, run.id, "recipe", ["salt"])
    pending, asking = (desk.door.start_task(desk.token, TaskSpec("worker", "secret")) for _ in range(2))
    question = await desk.door.query_senior(desk.token, asking, "?")
    await asyncio.sleep(0.01)
    (task,) = run.live.values()
    return Scene(desk.engine, desk.token, run, task.id, pending, question, workers["echo"])


def test_p23_every_method_of_the_door_is_looked_at_here():
    methods = {name for name, _ in inspect.getmembers(Door, inspect.isfunction) if not name.startswith("_")}

    assert methods - ONLY_TELLS == set(DOORS)


def test_p23_every_verb_is_asked_for_by_some_method():
    assert {verb for verb, _ in DOORS.values()} == set(Verb)


def test_p23_every_method_takes_its_token_first_and_has_no_default_for_it():
    firsts = [list(inspect.signature(getattr(Door, name)).parameters.values())[1] for name in DOORS]

    assert {("token", inspect.Parameter.empty)} == {(first.name, first.default) for first in firsts}


@pytest.mark.parametrize("method", DOORS)
class TestEveryMethod:
    @pytest.mark.parametrize("form", [lambda token: token, encode_token], ids=["token", "text"])
    async def test_p23_a_changed_token_is_badly_signed_and_changes_nothing(self, scene, method, form):
        changed = [
            attrs.evolve(scene.operator, sig_hex="00" * 32),
            attrs.evolve(scene.operator, role=Role.SENIOR),
            attrs.evolve(scene.operator, expire_at=scene.operator.expire_at + 1),
        ]
        before = scene.picture()

        for token in changed:
            with pytest.raises(BadSignature):
                await scene.ask(method, form(token))

        assert before == scene.picture()

    async def test_p23_the_token_of_another_engine_is_badly_signed(self, scene, method):
        async with Engine(outputs=MemoryOutputStore()) as other:
            stranger = other.attach("tester")
        before = scene.picture()

        with pytest.raises(BadSignature):
            await scene.ask(method, stranger)

        assert before == scene.picture()

    @pytest.mark.parametrize("text", ["", "wh-" + "0" * 32, "e30", "x" * 100_000])
    async def test_p23_what_is_no_token_is_refused(self, scene, method, text):
        before = scene.picture()

        with pytest.raises(TokenNotFound if text.startswith("wh-") else TokenDecodeError):
            await scene.ask(method, text)

        assert before == scene.picture()

    async def test_p23_a_role_without_the_verb_is_refused_and_changes_nothing(self, scene, method):
        verb = DOORS[method][0]
        outside = {
            role: scene.engine.attach(f"a-{role}", role) for role in Role if verb not in DEFAULT_ROLE_VERBS[role]
        }
        before = scene.picture()

        for token in outside.values():
            with pytest.raises(RoleViolation) as refused:
                await scene.ask(method, token)
            assert verb == refused.value.verb

        assert outside, "every verb is denied to somebody"
        assert before == scene.picture()


async def test_p23_the_token_that_is_asked_about_is_verified_too(scene):
    worker = scene.engine.attach("w", Role.WORKER)

    with pytest.raises(BadSignature):
        scene.engine.door.verify_token(worker, attrs.evolve(scene.operator, role=Role.SENIOR), Verb.ANSWER_QUERY)


async def test_p13_what_an_earlier_attempt_says_changes_nothing(desk, program, one_step):
    """Attempt 1 failed and kept its token; while attempt 2 works it posts results, for itself and for its successor."""
    tokens, refused = [], []

    async def worker(call):
        tokens.append(call.context.token())
        if call.attempt == 1:
            raise RuntimeError("the first one")
        for attempt in (1, 2, 999):
            try:
                desk.door.submit_output(tokens[0], call.task_id, attempt, Final(Inline("stale"), True))
            except AccessDenied as error:
                refused.append(type(error))
        return Result("fresh")

    retry = Retry(max_attempts=2, backoff=0.0, max_backoff=0.0, on=frozenset({"failed"}))
    run = desk.engine.launch(program(one_step(), worker, policies={"worker": AgentPolicy(retry=retry)}), {})
    result = await desk.engine.wait(run.id)

    assert [TokenRevoked] * 3 == refused
    assert {"out": "fresh"} == result.final_ctx
    assert "stale" not in str([event.as_json() for event in run.events.read()])


class TestOthersWork:
    """What one worker may reach with its token: itself, and nothing of a task beside it or of another run."""

    @pytest.fixture
    async def seen(self, desk, program, one_step):
        """Two runs with a resource each; the worker of the first one tries everything on the other's task."""
        answers, waiting = {}, asyncio.Event()

        async def worker(call):
            if call.agent == "victim":
                call.context.emit(Progress("secret progress"))
                waiting.set()
                await asyncio.Event().wait()
            token, door = call.context.token(), desk.door
            for method in DOORS:
                try:
                    answers[method] = await Scene.ask(scene_of(call), method, token)
                except AccessDenied as error:
                    answers[method] = type(error)
                except (ResourceNotFound, OutputNotFound) as error:
                    answers[method] = type(error)
            answers["own"] = door.fetch_prompt(token, call.task_id)
            return Result("looked around")

        def scene_of(call):
            return Scene(desk.engine, desk.token, victim, victim_task(), victim_task(), "R-senior-x", worker)

        def victim_task():
            return next(iter(victim.live))

        victim = desk.engine.launch(program(one_step("victim", "secret prompt"), worker), {})
        desk.door.set_resource(desk.token, victim.id, "recipe", "secret resource")
        await waiting.wait()
        thief = desk.engine.launch(program(one_step("thief", "my prompt"), worker), {})
        await desk.engine.wait(thief.id)
        return answers, victim

    async def test_p24_only_what_needs_no_task_or_is_its_own_is_answered(self, seen):
        """`verify_token` tells about a token that one holds, `beat` about its own attempt: no way to anything else."""
        answers, victim = seen
        answered = {method for method, answer in answers.items() if not isinstance(answer, type)}

        assert {"start_task", "verify_token", "beat", "own"} == answered
        assert "my prompt" == answers["own"]
        assert "secret" not in repr([answers[method] for method in answered])
        assert "running" == str(victim.status)

    async def test_p24_the_refusals_say_why(self, seen):
        answers, _ = seen
        refused = {method: answer for method, answer in answers.items() if isinstance(answer, type)}

        assert {
            TokenTaskMismatch: {"dispatch_attempt", "read_task_state", "cancel_task", "poll_task", "fetch_prompt",
                                "fetch_worker_payload", "submit_result", "emit_output", "submit_output", "post_result"},
            ResourceNotFound: {"fetch_data"},
            OutputNotFound: {"read_output"},
        } == {
            kind: {method for method, found in refused.items() if found is kind}
            for kind in (TokenTaskMismatch, ResourceNotFound, OutputNotFound)
        }  # fmt: skip
        assert 8 < Counter(refused.values())[RoleViolation]


class EarlyClock:
    """A wall clock that stands before 1970, and a monotonic one that can be set."""

    ticks = 5.0

    def time(self):
        return -1e9 + self.ticks

    def monotonic(self):
        return self.ticks


async def test_cl156_a_token_has_its_time_also_under_a_clock_before_1970():
    clock = EarlyClock()
    async with Engine(outputs=MemoryOutputStore(), clock=clock) as engine:
        token = engine.attach("ada", ttl=60)
        clock.ticks += 59
        engine.door.heartbeat(encode_token(token))
        clock.ticks += 2

        with pytest.raises(TokenExpired):
            engine.door.heartbeat(token)
