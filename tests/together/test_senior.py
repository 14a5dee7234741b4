"""The layer `senior_escalation` under the engine: who answers for a worker that could not, also after a restart."""

import asyncio
from collections import Counter

import pytest

from swarm_core import Result, SeniorBridge, SessionRequest, Swarm
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.errors import InvalidBlueprint
from swarm_core.model.task import RunStatus

swarm_plugin_senior = pytest.importorskip("swarm_plugin_senior")

QUESTION = {"reason": "worker reported ok=false", "value": "which one?"}
ANSWERED = {"out": {"original": "which one?", "senior_answer": "go"}}


class Bridge(SeniorBridge):
    """Answers, or fails, as it is told."""

    def __init__(self, answer="go"):
        self.answer, self.asked = answer, []

    async def ask(self, task_id, question):
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is Ellipsis:
            await asyncio.Event().wait()
        return self.answer


class Team:
    """Functions of a Blueprint, and how often each was called."""

    def __init__(self):
        self.calls = Counter()

    @property
    def functions(self):
        names = ("fine", "stuck", "fails", "policy", "clueless", "broken", "expert")
        return {name: getattr(self, name) for name in names}

    async def fine(self, given):
        return given

    async def stuck(self, call):
        self.calls["stuck"] += 1
        return Result("which one?", ok=False, facts={"usage": {"tokens": 5}})

    async def fails(self, call):
        self.calls["fails"] += 1
        raise LookupError("no such shelf")

    def policy(self, question, call):
        self.calls["policy"] += 1
        return {"decided": question["value"], "about": call.meta["escalated"], "agent": call.agent}

    def clueless(self, question):
        self.calls["clueless"] += 1

    async def broken(self, question):
        raise RuntimeError("out of order")

    async def expert(self, question):
        self.calls["expert"] += 1
        return f"expert on {question['value']}"


@pytest.fixture
def team():
    return Team()


def blueprint(options=None, *, ref="stuck", flow=None, **more):
    layer = "senior_escalation" if options is None else {"senior_escalation": options}
    step = {"kind": "step", "ref": ref, "in": {"op": "lit", "value": "shelf 7"}, "out": {"op": "path", "at": "$.out"}}
    names = ("fine", "stuck", "fails", "expert")
    agents = [{"name": name, "kind": "function", "spec": {"fn_id": name}} for name in names]
    return {"id": "t", "flow": flow or step, "agents": agents, "spawner_hints": {"layers": [layer]}, **more}


def opened(team, **options):
    return Swarm.open(plugins=[swarm_plugin_senior], functions=team.functions, **options)


async def ended(team, document, *, bridge=None, **options):
    """Run a Blueprint to its end, or until it waits; return the result and the events."""
    async with opened(team, **options) as swarm:
        request = None
        if bridge is not None:
            swarm.attach_senior("chief", bridge)
            request = SessionRequest(bridge_id="chief")
        launched = await swarm.launch(document, init_ctx={}, request=request)
        result = await launched.wait(or_waiting=True)
        return result, swarm.engine.state.run(launched.id).events.read()


def told(events, *kinds):
    facts = [(event.kind, dict(event.data)) for event in events if event.kind in kinds]
    for _, data in facts:
        data.pop("agent", None)
    return facts


class TestBridge:
    async def test_row_73_a_bridge_answers_for_a_worker_that_reported_not_ok(self, team):
        bridge = Bridge("go")

        result, events = await ended(team, blueprint(), bridge=bridge)

        assert (RunStatus.DONE, ANSWERED) == (result.status, result.final_ctx)
        assert [QUESTION] == bridge.asked
        assert [("senior_decided", {"senior": "bridge"})] == told(events, "senior_decided", "senior_passed")

    async def test_row_73_a_bridge_that_fails_leaves_it_blocked_as_it_was(self, team):
        result, events = await ended(team, blueprint(), bridge=Bridge(RuntimeError("I am out")))

        assert RunStatus.FAILED is result.status
        assert 'blocked: "which one?"' in result.error["message"]
        assert [
            ("senior_passed", {"senior": "bridge", "reason": "RuntimeError: I am out"}),
            ("senior_unanswered", {"asked": ["bridge"], "reason": "all have passed"}),
        ] == told(events, "senior_decided", "senior_passed", "senior_unanswered")

    async def test_row_73_without_a_bridge_it_stays_blocked_and_nothing_waits(self, team):
        result, events = await ended(team, blueprint())

        assert RunStatus.FAILED is result.status
        assert [("senior_passed", {"senior": "bridge", "reason": "the session has no senior bridge"})] == told(
            events, "senior_passed"
        )

    async def test_row_73_both_finals_stay_in_the_tail_and_the_usage_is_counted_once(self, team):
        async with opened(team) as swarm:
            swarm.attach_senior("chief", Bridge())
            launched = await swarm.launch(blueprint(), init_ctx={}, request=SessionRequest(bridge_id="chief"))
            await launched.wait()
            (task,) = launched.tasks()
            outputs = await swarm.outputs.list_for_attempt(task.id, 1)
            spent = [one.data["spent"] for one in swarm.engine.state.run(launched.id).events.read()
                     if one.kind == "budget_spent"]  # fmt: skip

        finals = [(output.event.content.value, output.event.ok, output.event.by) for output in outputs]
        assert [("which one?", False, None), (ANSWERED["out"], True, "senior_escalation")] == finals
        assert [{"tokens": 5}] == spent

    async def test_what_is_ok_and_what_raises_is_nobodys_matter(self, team):
        bridge = Bridge()

        fine, _ = await ended(team, blueprint(ref="fine"), bridge=bridge)
        failed, _ = await ended(team, blueprint(ref="fails"), bridge=bridge)

        assert ({"out": "shelf 7"}, RunStatus.FAILED) == (fine.final_ctx, failed.status)
        assert [] == bridge.asked

    async def test_a_senior_that_is_attached_under_an_id_is_asked_whoever_the_session_names(self, team):
        async with opened(team) as swarm:
            swarm.attach_senior("on_call", Bridge())
            launched = await swarm.launch(blueprint({"seniors": ["bridge:on_call"]}), init_ctx={})

            assert ANSWERED == (await launched.wait()).final_ctx

    @pytest.mark.parametrize("answer", [{1, 2}, float("nan"), ..., None])
    async def test_only_json_in_time_is_an_answer(self, team, answer):
        result, events = await ended(team, blueprint({"timeout": 0.01}), bridge=Bridge(answer))

        expected = RunStatus.DONE if answer is None else RunStatus.FAILED
        assert expected is result.status
        assert (1 if answer is not None else 0) == len(told(events, "senior_passed"))


class TestOrder:
    async def test_the_first_answer_counts_and_who_passed_is_on_record(self, team):
        options = {"seniors": ["bridge", "function:clueless", "function:broken", "function:policy", "agent:expert"]}

        result, events = await ended(team, blueprint(options))

        decided = {"decided": "which one?", "about": "shelf 7", "agent": "stuck"}
        assert {"out": {"original": "which one?", "senior_answer": decided}} == result.final_ctx
        assert [
            ("senior_passed", {"senior": "bridge", "reason": "the session has no senior bridge"}),
            ("senior_passed", {"senior": "function:clueless", "reason": "it has no answer"}),
            ("senior_passed", {"senior": "function:broken", "reason": "RuntimeError: out of order"}),
            ("senior_decided", {"senior": "function:policy"}),
        ] == told(events, "senior_passed", "senior_decided")
        assert 0 == team.calls["expert"]

    async def test_another_agent_of_the_blueprint_may_decide_as_a_child_of_the_task(self, team):
        result, events = await ended(team, blueprint({"seniors": ["agent:expert"]}))

        assert "expert on which one?" == result.final_ctx["out"]["senior_answer"]
        assert ["stuck", "expert"] == [event.data["agent"] for event in events if event.kind == "task_created"]

    async def test_a_senior_agent_that_is_stuck_itself_is_not_escalated(self, team):
        result, _ = await ended(team, blueprint({"seniors": ["agent:stuck"]}, ref="fails"))

        assert RunStatus.FAILED is result.status
        result, events = await ended(team, blueprint({"seniors": ["agent:stuck"], "errors": True}, ref="fails"))

        assert [("senior_passed", {"senior": "agent:stuck", "reason": "it reported ok=false"})] == told(
            events, "senior_passed"
        )

    async def test_an_answer_that_does_not_fit_passes_and_the_default_is_the_last_word(self, team):
        options = {"seniors": ["bridge"], "schema": {"type": "integer"}, "default": 7}

        result, events = await ended(team, blueprint(options), bridge=Bridge("seven"))

        assert 7 == result.final_ctx["out"]["senior_answer"]
        (passed, decided) = told(events, "senior_passed", "senior_decided")
        assert "does not fit" in passed[1]["reason"]
        assert {"senior": "default"} == decided[1]

    async def test_only_the_named_agents_are_escalated(self, team):
        result, events = await ended(team, blueprint({"agents": ["fails"]}), bridge=Bridge())

        assert RunStatus.FAILED is result.status
        assert [] == told(events, "senior_decided", "senior_passed")

    async def test_an_error_is_escalated_when_it_is_asked_for(self, team):
        bridge = Bridge()

        result, _ = await ended(team, blueprint({"errors": True}, ref="fails"), bridge=bridge)

        said = {"kind": "LookupError", "message": "no such shelf"}
        assert {"out": {"original": said, "senior_answer": "go"}} == result.final_ctx
        assert [{"reason": "worker failed", "value": said}] == bridge.asked

    async def test_an_error_that_nobody_answers_is_raised_as_it_was(self, team):
        result, _ = await ended(team, blueprint({"errors": True}, ref="fails"))

        assert "no such shelf" in result.error["message"]


RETRY = {"hints": {"per_agent": {"stuck": {"retry": {"max_attempts": 3, "backoff": "1ms", "on": ["blocked"]}}}}}


class TestRetries:
    async def test_without_an_answer_a_retry_runs_the_worker_again_and_asks_again(self, team):
        bridge = Bridge(RuntimeError("I am out"))

        await ended(team, blueprint(**RETRY), bridge=bridge)

        assert (3, 3) == (team.calls["stuck"], len(bridge.asked))

    async def test_a_task_is_escalated_max_rounds_times_at_most(self, team):
        bridge = Bridge(RuntimeError("I am out"))

        _, events = await ended(team, blueprint({"max_rounds": 2}, **RETRY), bridge=bridge)

        assert (3, 2) == (team.calls["stuck"], len(bridge.asked))
        assert "max_rounds" == told(events, "senior_unanswered")[-1][1]["reason"]


ASK = {"seniors": ["bridge", "ask"], "schema": {"type": "string"}, "who": ["ada"]}


class TestPeople:
    async def test_the_run_waits_and_goes_on_with_what_somebody_says(self, team):
        async with opened(team) as swarm:
            launched = await swarm.launch(blueprint(ASK), init_ctx={})
            (key,) = (await launched.wait(or_waiting=True)).questions
            await swarm.answer(key, "go", by="ada")

            assert ANSWERED == (await launched.wait()).final_ctx

    async def test_after_a_restart_the_worker_is_not_run_again_and_the_answer_counts(self, team):
        store = MemoryRunStore()
        async with opened(team, store=store) as swarm:
            launched = await swarm.launch(blueprint(ASK), init_ctx={})
            (key,) = (await launched.wait(or_waiting=True)).questions
        (question,) = await store.questions(launched.id)
        await store.answer(key, "go", by="ada", at=1.0)
        async with opened(team, store=store) as swarm:
            resumed = await swarm.resume(launched.id)
            result = await resumed.wait()
            (task,) = resumed.tasks()
            outputs = await swarm.outputs.list_for_attempt(task.id, task.attempt)

        assert (QUESTION, ("ada",)) == (question.question, question.who)
        assert (ANSWERED, 1) == (result.final_ctx, team.calls["stuck"])
        assert [False, True] == [output.event.ok for output in outputs]

    @pytest.mark.parametrize("restarts", [1, 3])
    async def test_the_same_question_goes_on_waiting_over_restarts(self, team, restarts):
        store = MemoryRunStore()
        async with opened(team, store=store) as swarm:
            launched = await swarm.launch(blueprint(ASK), init_ctx={})
            await launched.wait(or_waiting=True)
        for _ in range(restarts):
            async with opened(team, store=store) as swarm:
                await (await swarm.resume(launched.id)).wait(or_waiting=True)

        assert 1 == len(await store.questions(launched.id))
        assert 1 == team.calls["stuck"]

    async def test_who_passed_before_people_were_asked_is_not_asked_again(self, team):
        """A policy that would answer now must not take the place of what somebody has said."""
        store, options = MemoryRunStore(), {"seniors": ["function:policy", "ask"]}
        team.policy = team.clueless
        async with opened(team, store=store) as swarm:
            launched = await swarm.launch(blueprint(options), init_ctx={})
            (key,) = (await launched.wait(or_waiting=True)).questions
        await store.answer(key, "go", by="ada", at=1.0)
        del team.policy
        async with opened(team, store=store) as swarm:
            result = await (await swarm.resume(launched.id)).wait()

        assert (ANSWERED, 0) == (result.final_ctx, team.calls["policy"])

    async def test_a_worker_that_asks_too_is_not_run_again_and_its_answer_is_not_the_seniors(self):
        """The question of a resumed attempt is found behind the one that its worker had asked before."""
        store, calls = MemoryRunStore(), Counter()

        async def stuck(call):
            calls["stuck"] += 1
            return Result(await call.context.ask("first?"), ok=False)

        async def answer(swarm, launched, answer):
            waiting = await launched.wait(or_waiting=True)
            await swarm.answer(waiting.questions[-1], answer, by="ada")

        made = {"plugins": [swarm_plugin_senior], "functions": {**Team().functions, "stuck": stuck}, "store": store}
        async with Swarm.open(**made) as swarm:
            launched = await swarm.launch(blueprint(ASK), init_ctx={})
            await answer(swarm, launched, "which one?")
            await asyncio.sleep(0)
            while len(await store.questions(launched.id)) < 2:
                await asyncio.sleep(0.001)
        async with Swarm.open(**made) as swarm:
            resumed = await swarm.resume(launched.id)
            await answer(swarm, resumed, "go")
            result = await resumed.wait()

        assert (ANSWERED, 1) == (result.final_ctx, calls["stuck"])
        assert ["first?", QUESTION] == [question.question for question in await store.questions(launched.id)]

    async def test_an_error_is_remembered_over_a_restart_and_raised_when_nobody_answers(self, team):
        store, options = MemoryRunStore(), {"seniors": ["ask"], "errors": True, "timeout": "1h"}
        async with opened(team, store=store) as swarm:
            launched = await swarm.launch(blueprint(options, ref="fails"), init_ctx={})
            await launched.wait(or_waiting=True)
        (question,) = await store.questions(launched.id)

        class Later:
            def time(self):
                return question.expires_at + 1

            monotonic = staticmethod(asyncio.get_running_loop().time)

        async with opened(team, store=store, clock=Later()) as swarm:
            result = await (await swarm.resume(launched.id)).wait()

        assert "no such shelf" in result.error["message"]
        assert 1 == team.calls["fails"]

    async def test_nobody_in_time_means_the_default_when_there_is_one(self, team):
        options = {"seniors": ["ask"], "timeout": 0.01, "default": "go"}

        async with opened(team) as swarm:
            result = await (await swarm.launch(blueprint(options), init_ctx={})).wait()

        assert ANSWERED == result.final_ctx

    async def test_who_stands_behind_people_is_asked_when_their_time_is_over(self, team):
        options = {"seniors": ["ask", "agent:expert"], "timeout": 0.01}
        async with opened(team) as swarm:
            result = await (await swarm.launch(blueprint(options), init_ctx={})).wait()

        assert "expert on which one?" == result.final_ctx["out"]["senior_answer"]

    async def test_a_run_may_be_cancelled_while_a_senior_thinks(self, team):
        async with opened(team) as swarm:
            launched = await swarm.launch(blueprint(ASK), init_ctx={})
            await launched.wait(or_waiting=True)

            assert RunStatus.CANCELLED is (await launched.cancel()).status


class TestBadOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"seniors": ["brigde"]}, "did you mean 'bridge'?"),
            ({"seniors": []}, "names nobody"),
            ({"seniors": ["function:"]}, "write function:NAME"),
            ({"seniors": ["ask:ada"]}, "there is no senior 'ask:ada'"),
            ({"seniors": ["bridge", "bridge"]}, "names 'bridge' twice"),
            ({"seniors": ["function:polcy"]}, "did you mean 'policy'?"),
            ({"seniors": ["agent:exprt"]}, "did you mean 'expert'?"),
            ({"seniors": ["ask", "bridge"]}, "'bridge' stands behind 'ask', which never passes without a 'timeout'"),
            ({"seniors": ["ask"], "default": 1}, "there is no 'timeout'"),
            ({"who": ["ada"]}, "'seniors' has no 'ask'"),
            ({"seniors": ["ask"], "who": [" ada"]}, "is no name"),
            ({"agents": ["stuk"]}, "did you mean 'stuck'?"),
            ({"timeout": "soon"}, "'soon' is no duration"),
            ({"schema": {"type": "nothing"}}, "$.type fits none"),
            ({"schema": {"type": "integer"}, "default": "x"}, "'default' is no answer"),
            ({"max_rounds": 0}, "'max_rounds' is a number from 1"),
            ({"errors": "yes"}, "expected true or false"),
            ({"senior": ["ask"]}, "did you mean 'seniors'?"),
        ],
    )
    async def test_an_option_that_cannot_be_meant_is_told_with_its_place(self, team, options, said):
        async with opened(team) as swarm:
            with pytest.raises(InvalidBlueprint) as refused:
                swarm.prepare(blueprint(options))

        (problem,) = refused.value.problems
        assert problem.path.startswith("$.spawner_hints.layers[0].senior_escalation")
        assert said in f"{problem.message} {problem.hint}"
