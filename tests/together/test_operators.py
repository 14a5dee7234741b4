"""Operators in whole runs: who gets the work of a seat, what waits, what is handed over, and the layers around it."""

import asyncio

import pytest

from swarm_core import Operator, OperatorKind, Result, SessionRequest, Settings, SpawnHook, Swarm
from swarm_core.errors import AlreadyAnswered, AnswerDenied, InvalidBlueprint
from swarm_core.model.output import Final, Inline
from swarm_core.model.run import QuestionState
from swarm_core.model.task import RunStatus

swarm_plugin_operator = pytest.importorskip("swarm_plugin_operator")
_work = pytest.importorskip("swarm_plugin_operator.work")
answer_of = _work.answer_of
work_in = _work.work_in

MAIN_AI, AUTOMATE, COMPOSITE = OperatorKind.MAIN_AI, OperatorKind.AUTOMATE, OperatorKind.COMPOSITE


class Clerk(Operator):
    """Answers with a value, when it is let; keeps what it was given."""

    def __init__(self, value="done", *, ok=True, waits=False):
        self.value, self.ok = value, ok
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.given, self.cancelled = [], 0
        if not waits:
            self.may_end.set()

    async def execute(self, call, system):
        self.given.append((call.input, system))
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Result(self.value, self.ok)


@pytest.fixture
def clerk():
    return Clerk


def agent_of(prompt=None, name="writer", **spec):
    agent = {"name": name, "kind": "operator", "spec": {"operator_ref": "desk", **spec}}
    return agent if prompt is None else {**agent, "profile": {"system_prompt": prompt}}


@pytest.fixture
def blueprint():
    """Make a Blueprint whose one step goes to an operator agent."""

    def make(prompt=None, *, input="write", agent=None, **rest):
        step = {
            "kind": "step",
            "ref": "writer",
            "in": {"op": "lit", "value": input},
            "out": {"op": "path", "at": "$.out"},
        }
        agents = [agent if agent is not None else agent_of(prompt)]
        return {"id": "test", "flow": step, "agents": agents, "operators": [{"name": "desk"}], **rest}

    make.agent = agent_of
    return make


@pytest.fixture
def opened():
    """Open a swarm with this plugin and no other."""

    def open_(store="memory://", **opening):
        return Swarm.open(Settings(), plugins=[swarm_plugin_operator], store=store, **opening)

    return open_


class Hook(SpawnHook):
    """Refuses when it has a reason, fails after when it is told to; keeps what it saw."""

    def __init__(self, *, reason=None, fails_after=False):
        self.reason, self.fails_after, self.seen = reason, fails_after, []

    async def before(self, call):
        self.seen.append("before")
        if self.reason is not None:
            raise RuntimeError(self.reason)

    async def after(self, call, result):
        self.seen.append(result)
        if self.fails_after:
            raise RuntimeError("not my day")


def delegated(blueprint, *layers):
    agent = {"name": "writer", "kind": "function", "spec": {"fn_id": "write"}}
    return blueprint(agent=agent, spawner_hints={"layers": list(layers) or ["operator_delegate"]})


async def ended(swarm, blueprint, **launch):
    return await (await swarm.launch(blueprint, **launch)).wait()


async def waiting(swarm, blueprint, **launch):
    """Launch, and return the run and the key of the question that it waits for."""
    launched = await swarm.launch(blueprint, **launch)
    stands = await launched.wait(or_waiting=True)
    assert RunStatus.WAITING is stands.status, stands
    return launched, stands.questions[0]


async def open_question(swarm, run_id):
    """Wait for the next question of a run, and return its key."""
    async with asyncio.timeout(10):
        while not (asked := await swarm.store.questions(run_id, open_only=True)):
            await asyncio.sleep(0.01)
    return asked[0].key


class TestWhoGetsTheWork:
    async def test_whoever_has_taken_the_seat(self, opened, blueprint, clerk):
        ada = clerk("a poem")
        async with opened() as swarm:
            swarm.attach_operator("desk", ada)

            done = await ended(swarm, blueprint("Write well."))

        assert {"out": "a poem"} == done.final_ctx
        assert [("write", "Write well.")] == ada.given

    async def test_the_seat_is_resolved_at_dispatch_and_not_when_the_blueprint_is_compiled(
        self, opened, blueprint, clerk
    ):
        async with opened() as swarm:
            prepared = swarm.prepare(blueprint())
            swarm.attach_operator("desk", clerk("late but there"))

            assert {"out": "late but there"} == (await ended(swarm, prepared)).final_ctx

    async def test_the_operator_of_the_seat_goes_before_that_of_the_session(
        self, opened, blueprint, clerk, request_for
    ):
        async with opened() as swarm:
            swarm.attach_operator("mine", clerk("the session's"))
            alone = await ended(swarm, blueprint(), request=request_for("mine"))
            swarm.attach_operator("desk", clerk("the seat's"))
            both = await ended(swarm, blueprint(), request=request_for("mine"))

        assert ("the session's", "the seat's") == (alone.final_ctx["out"], both.final_ctx["out"])

    async def test_a_refusal_blocks_the_step(self, opened, blueprint, clerk):
        async with opened() as swarm:
            swarm.attach_operator("desk", clerk("no time", ok=False))

            done = await ended(swarm, blueprint())

        assert RunStatus.FAILED is done.status
        assert 'blocked: "no time"' in done.error["message"]

    async def test_row_69_what_was_posted_counts_before_what_is_returned(self, opened, blueprint):
        class Poster(Operator):
            async def execute(self, call, system):
                call.context.emit(Final(Inline("posted"), True))
                return Result("returned")

        async with opened() as swarm:
            swarm.attach_operator("desk", Poster())

            assert {"out": "posted"} == (await ended(swarm, blueprint())).final_ctx

    async def test_an_operator_that_gives_nothing_fails_the_step(self, opened, blueprint, clerk):
        class Silent(Operator):
            async def execute(self, call, system):
                return None

        async with opened() as swarm:
            swarm.attach_operator("desk", Silent())

            assert "no Final in output_tail" in (await ended(swarm, blueprint())).error["message"]


@pytest.fixture
def request_for():
    from swarm_core import SessionRequest

    return lambda id: SessionRequest(operator_backend_id=id)


class TestHandover:
    async def test_who_sits_down_next_takes_over_what_was_begun(self, opened, blueprint, clerk):
        ada, bob = clerk(waits=True), clerk("by bob")
        async with opened() as swarm:
            swarm.attach_operator("desk", ada)
            launched = await swarm.launch(blueprint())
            await ada.started.wait()

            swarm.attach_operator("desk", bob)
            done = await launched.wait()

        assert {"out": "by bob"} == done.final_ctx
        assert (1, 1) == (ada.cancelled, len(bob.given))

    async def test_a_seat_that_was_left_puts_the_work_before_anyone(self, opened, blueprint, clerk):
        ada = clerk(waits=True)
        async with opened() as swarm:
            seat = swarm.attach_operator("desk", ada)
            launched = await swarm.launch(blueprint())
            await ada.started.wait()

            seat.detach()
            stands = await launched.wait(or_waiting=True)
            await swarm.answer(stands.questions[0], "by whoever came")

            assert {"out": "by whoever came"} == (await launched.wait()).final_ctx

    async def test_a_run_that_waits_goes_on_with_who_sits_down(self, opened, blueprint, clerk):
        async with opened() as swarm:
            launched, _ = await waiting(swarm, blueprint())

            swarm.attach_operator("desk", clerk("at last"))

            assert {"out": "at last"} == (await launched.wait()).final_ctx

    async def test_work_that_somebody_took_can_no_longer_be_answered(self, opened, blueprint, clerk):
        bob = clerk("by bob", waits=True)
        async with opened() as swarm:
            launched, key = await waiting(swarm, blueprint())
            swarm.attach_operator("desk", bob)
            await bob.started.wait()
            async with asyncio.timeout(10):
                while (await swarm.store.question(key)).state is not QuestionState.CLOSED:
                    await asyncio.sleep(0.01)
            with pytest.raises(AlreadyAnswered):
                await swarm.answer(key, "too late")
            bob.may_end.set()

            assert {"out": "by bob"} == (await launched.wait()).final_ctx

    async def test_an_operator_that_asks_is_not_let_go_of_and_works_once(self, opened, blueprint):
        begun = []

        class Asker(Operator):
            async def execute(self, call, system):
                begun.append(call.attempt)
                return Result(await call.context.ask("which one?"))

        async with opened() as swarm:
            swarm.attach_operator("desk", Asker())
            launched, key = await waiting(swarm, blueprint())
            await asyncio.sleep(0.1)
            await swarm.answer(key, "this one")
            done = await launched.wait()

        assert ({"out": "this one"}, [1]) == (done.final_ctx, begun)

    async def test_without_a_store_too(self, opened, blueprint, clerk):
        async with opened(store=None) as swarm:
            launched, _ = await waiting(swarm, blueprint())

            swarm.attach_operator("desk", clerk("at last"))

            assert {"out": "at last"} == (await launched.wait()).final_ctx

    async def test_a_final_that_the_one_who_left_had_posted_counts(self, opened, blueprint):
        posted = asyncio.Event()

        class Poster(Operator):
            async def execute(self, call, system):
                call.context.emit(Final(Inline("posted"), True))
                posted.set()
                await asyncio.Event().wait()

        async with opened() as swarm:
            seat = swarm.attach_operator("desk", Poster())
            launched = await swarm.launch(blueprint())
            await posted.wait()

            seat.detach()

            assert {"out": "posted"} == (await launched.wait()).final_ctx

    async def test_a_cancelled_run_ends_the_operators_work(self, opened, blueprint, clerk):
        ada = clerk(waits=True)
        async with opened() as swarm:
            swarm.attach_operator("desk", ada)
            launched = await swarm.launch(blueprint())
            await ada.started.wait()

            await launched.cancel()

        assert 1 == ada.cancelled


class TestQuestion:
    async def test_work_that_nobody_takes_is_a_question_that_has_all_of_it(self, opened, blueprint):
        async with opened() as swarm:
            _, key = await waiting(swarm, blueprint("Dear {{ name }}", input={"name": "Ada"}))
            question = await swarm.store.question(key)

        task = key.removeprefix("R-senior-")
        assert {
            "seat": "desk",
            "agent": "writer",
            "task_id": task,
            "attempt": 1,
            "system": "Dear Ada",
            "prompt": '{"name":"Ada"}',
            "input": {"name": "Ada"},
        } == work_in(question.question)

    async def test_the_run_is_let_go_of_and_goes_on_in_another_process(self, opened, blueprint, tmp_path):
        store = f"sqlite:///{tmp_path}/runs.db"
        async with opened(store) as swarm:
            launched, key = await waiting(swarm, blueprint())
            async with asyncio.timeout(10):
                while launched.id not in swarm.engine.state.parked:
                    await asyncio.sleep(0.01)
        async with opened(store) as swarm:
            await swarm.answer(key, answer_of({"text": "a poem"}, ok=True))
            done = await (await swarm.resume(launched.id)).wait()

        assert {"out": {"text": "a poem"}} == done.final_ctx

    async def test_whoever_sits_down_while_the_run_is_let_go_of_gets_its_work(self, opened, blueprint, clerk, tmp_path):
        """At every turn of the event loop from where the run counts as waiting to where it is gone."""
        async with opened(f"sqlite:///{tmp_path}/runs.db") as swarm:
            for turns in range(40):
                launched = await swarm.launch(blueprint())
                async with asyncio.timeout(10):
                    while launched.status is not RunStatus.WAITING:
                        await asyncio.sleep(0)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    attached = swarm.attach_operator("desk", clerk(turns))
                    done = await launched.wait()
                attached.detach()

                assert {"out": turns} == done.final_ctx

    async def test_a_cancel_of_a_run_that_was_let_go_of_closes_its_question(self, opened, blueprint, tmp_path):
        async with opened(f"sqlite:///{tmp_path}/runs.db") as swarm:
            launched, key = await waiting(swarm, blueprint())
            async with asyncio.timeout(10):
                while launched.id not in swarm.engine.state.parked:
                    await asyncio.sleep(0.01)
                await swarm.cancel(launched.id)
                ended = await launched.wait()
            question = await swarm.store.question(key)

        assert (RunStatus.CANCELLED, QuestionState.CLOSED) == (ended.status, question.state)

    async def test_p14_a_cancel_while_the_run_is_let_go_of_is_not_lost(self, opened, blueprint, tmp_path):
        """At every turn of the event loop from where the run counts as waiting to where it is gone."""
        async with opened(f"sqlite:///{tmp_path}/runs.db") as swarm:
            for turns in range(40):
                launched = await swarm.launch(blueprint())
                async with asyncio.timeout(10):
                    while launched.status is not RunStatus.WAITING:
                        await asyncio.sleep(0)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    await swarm.cancel(launched.id)

                    assert RunStatus.CANCELLED is (await launched.wait()).status

    async def test_work_that_waits_counts_as_no_cancelled_task(self, opened, blueprint, tmp_path):
        async with opened(f"sqlite:///{tmp_path}/runs.db") as swarm:
            launched, _ = await waiting(swarm, blueprint())
            async with asyncio.timeout(10):
                while launched.id not in swarm.engine.state.parked:
                    await asyncio.sleep(0.01)
            rests = await launched.wait(or_waiting=True)

        assert (RunStatus.WAITING, 0) == (rests.status, rests.counts.get("cancelled", 0))

    async def test_an_answer_that_came_meanwhile_counts_before_who_sits_down(self, opened, blueprint, clerk, tmp_path):
        store, late = f"sqlite:///{tmp_path}/runs.db", clerk("late")
        async with opened(store) as swarm:
            launched, key = await waiting(swarm, blueprint())
        async with opened(store) as swarm:
            await swarm.answer(key, "the first")
            swarm.attach_operator("desk", late)
            done = await (await swarm.resume(launched.id)).wait()

        assert ({"out": "the first"}, []) == (done.final_ctx, late.given)

    async def test_a_resumed_run_asks_the_same_question(self, opened, blueprint, tmp_path):
        store = f"sqlite:///{tmp_path}/runs.db"
        async with opened(store) as swarm:
            launched, key = await waiting(swarm, blueprint())
        async with opened(store) as swarm:
            again = await (await swarm.resume(launched.id)).wait(or_waiting=True)

            assert (key,) == again.questions
            assert 1 == len(await swarm.store.questions(launched.id))

    @pytest.mark.parametrize(
        ("answer", "value", "ok"),
        [
            ({"value": 5}, 5, True),
            ({"value": None, "ok": True}, None, True),
            ({"value": "no", "ok": False}, "no", False),
            ("plain text", "plain text", True),
            ({"verdict": "PASS"}, {"verdict": "PASS"}, True),
            ({"value": 1, "unit": "m"}, {"value": 1, "unit": "m"}, True),
            ({"value": 1, "ok": "yes"}, {"value": 1, "ok": "yes"}, True),
            (None, None, True),
        ],
    )
    async def test_an_answer_is_a_result_or_a_plain_value(self, opened, blueprint, answer, value, ok):
        async with opened() as swarm:
            launched, key = await waiting(swarm, blueprint())
            await swarm.answer(key, answer)
            done = await launched.wait()

        assert (RunStatus.DONE if ok else RunStatus.FAILED) is done.status
        assert not ok or {"out": value} == done.final_ctx

    async def test_only_who_is_named_may_do_it(self, opened, blueprint):
        async with opened() as swarm:
            _, key = await waiting(swarm, blueprint(agent=blueprint.agent(who=["ada"])))

            with pytest.raises(AnswerDenied):
                await swarm.answer(key, 1, by="bob")
            await swarm.answer(key, 1, by="ada")

    async def test_after_its_time_the_default_counts_or_it_fails(self, opened, blueprint):
        async with opened() as swarm:
            with_default = blueprint(agent=blueprint.agent(expires="10ms", default={"value": "none", "ok": False}))
            without = blueprint(agent=blueprint.agent(expires="10ms"))

            first, second = await ended(swarm, with_default), await ended(swarm, without)

        assert 'blocked: "none"' in first.error["message"]
        assert "nobody did the work of seat 'desk' within 10ms" in second.error["message"]

    async def test_a_refusal_that_is_tried_again_is_asked_again(self, opened, blueprint):
        hints = {"per_agent": {"writer": {"retry": {"max_attempts": 2, "backoff": "1ms", "on": ["blocked"]}}}}
        async with opened() as swarm:
            launched, first = await waiting(swarm, blueprint(hints=hints))
            await swarm.answer(first, {"value": "not now", "ok": False})
            await swarm.answer(await open_question(swarm, launched.id), "now")

            assert {"out": "now"} == (await launched.wait()).final_ctx

    async def test_the_values_that_a_verdict_allows_are_told(self, opened, blueprint):
        agent = {**blueprint.agent(), "verdict": {"values": ["PASS", "FAIL"], "path": "$.verdict"}}
        async with opened() as swarm:
            _, key = await waiting(swarm, blueprint(agent=agent))
            work = work_in((await swarm.store.question(key)).question)

        assert {"path": "$.verdict", "values": ["PASS", "FAIL"]} == work["verdict"]


class TestSpec:
    def problem_of(self, swarm, document):
        with pytest.raises(InvalidBlueprint) as caught:
            swarm.prepare(document)
        return caught.value.problems[0]

    async def test_row_38_a_seat_that_is_not_declared_is_told_with_those_that_are(self, opened, blueprint):
        async with opened() as swarm:
            problem = self.problem_of(swarm, blueprint(agent=blueprint.agent(operator_ref="dusk")))

        assert "unresolved_operator_ref" == problem.code
        assert ("did you mean 'desk'?" in problem.hint, "defined: desk" in problem.hint) == (True, True)

    @pytest.mark.parametrize("spec", [{}, {"operator_ref": 5}, {"operator_ref": None}])
    async def test_without_a_seat_the_spec_is_invalid(self, opened, blueprint, spec):
        agent = {"name": "writer", "kind": "operator", "spec": spec}
        async with opened() as swarm:
            problem = self.problem_of(swarm, blueprint(agent=agent))

        assert "agent 'writer' spec invalid: operator spec: 'operator_ref' (string) required" == problem.message
        assert "$.agents[0].spec" == problem.path

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"default": 1}, "there is no 'expires'"),
            ({"expires": "soon"}, "soon"),
            ({"who": [" ada"]}, "is no name"),
            ({"operater_ref": "x"}, "operater_ref"),
        ],
    )
    async def test_what_makes_no_sense_is_told(self, opened, blueprint, spec, told):
        async with opened() as swarm:
            problem = self.problem_of(swarm, blueprint(agent=blueprint.agent(**spec)))

        assert ("invalid_spec", True) == (problem.code, told in problem.message)


class TestPrompt:
    async def test_row_68_the_step_fails_with_it(self, opened, blueprint):
        async with opened() as swarm:
            done = await (await swarm.launch(blueprint("{{ name }}", input={}))).wait()

        assert "render system_prompt: 'name' is undefined; slots of this input: none" in done.error["message"]

    @pytest.mark.parametrize(
        ("prompt", "told"),
        [
            ("a\nb\n{{ name", "system_prompt, line 3: "),
            ("{% if x %}", "system_prompt, line 1: "),
            ("a\n{% for x in y %}", "system_prompt, line 2: "),
            ("a\n{{ x|uper }}", "system_prompt, line 2: there is no filter 'uper'"),
            ("{% if x is evven %}{% endif %}", "system_prompt, line 1: there is no test 'evven'"),
            ("\n{% include '/etc/passwd' %}", "system_prompt, line 2: a system prompt cannot take in other files"),
            ("{% extends 'x' %}", "cannot take in other files"),
            ("{% from 'x' import y %}", "cannot take in other files"),
        ],
    )
    async def test_what_is_wrong_with_a_template_is_told_with_its_line(self, opened, blueprint, prompt, told):
        async with opened() as swarm:
            with pytest.raises(InvalidBlueprint) as caught:
                swarm.prepare(blueprint(prompt))

        (problem,) = caught.value.problems
        assert told in problem.message
        assert ("invalid_spec", "$.agents[0].profile.system_prompt") == (problem.code, problem.path)


class TestOperatorDelegate:
    async def test_row_74_it_takes_the_work_of_any_kind_inside_the_observers(self, opened, blueprint, clerk):
        document = delegated(blueprint)
        async with opened(functions={"write": lambda text: f"automatic {text}"}) as swarm:
            swarm.attach_operator("me", clerk("by me"))
            alone = await (await swarm.launch(document)).wait()
            taken = await (await swarm.launch(document, request=SessionRequest(operator_backend_id="me"))).wait()

        assert ("automatic write", "by me") == (alone.final_ctx["out"], taken.final_ctx["out"])

    async def test_an_attempt_whose_operator_left_goes_on_with_the_next_one(self, opened, blueprint, clerk):
        ada, request = clerk(waits=True), SessionRequest(operator_backend_id="me")
        async with opened(functions={"write": lambda text: "automatic"}) as swarm:
            seat = swarm.attach_operator("me", ada)
            launched = await swarm.launch(delegated(blueprint), request=request)
            await ada.started.wait()

            seat.detach()
            async for event in launched.events():
                if event.kind == "operator_awaited":
                    break
            swarm.attach_operator("me", clerk("by the next"))
            done = await launched.wait()

        assert ({"out": "by the next"}, {"operator": "me"}) == (done.final_ctx, event.data)

    async def test_a_function_may_be_the_operator(self, opened, blueprint):
        def clerk(call):
            return {"got": call.input, "system": call.meta["system"]}

        async with opened(functions={"write": lambda text: "automatic", "clerk": clerk}) as swarm:
            request = SessionRequest(operator_backend_id="clerk")
            done = await (await swarm.launch(delegated(blueprint), request=request)).wait()

        assert {"got": "write", "system": None} == done.final_ctx["out"]


class TestMainAI:
    async def test_row_72_through_a_whole_run(self, opened, blueprint):
        document = delegated(blueprint, "main_ai")
        async with opened(functions={"write": lambda text: "written"}) as swarm:
            swarm.attach_hook("strict", Hook(reason="no"))
            request = SessionRequest(hook_id="strict", operator_kind=MAIN_AI)
            refused = await (await swarm.launch(document, request=request)).wait()
            automatic = SessionRequest(hook_id="strict", operator_kind=AUTOMATE)
            passed = await (await swarm.launch(document, request=automatic)).wait()

        assert "spawn rejected by middleware: no" in refused.error["message"]
        assert {"out": "written"} == passed.final_ctx

    async def test_a_delegate_stands_inside_whatever_the_order_is(self, opened, blueprint, clerk):
        hook, document = Hook(), delegated(blueprint, "operator_delegate", "main_ai")
        async with opened(functions={"write": lambda text: "written"}) as swarm:
            swarm.attach_hook("h", hook)
            swarm.attach_operator("me", clerk("by me"))
            request = SessionRequest(hook_id="h", operator_backend_id="me", operator_kind=COMPOSITE)
            done = await (await swarm.launch(document, request=request)).wait()

        assert ("by me", ["before", Result("by me")]) == (done.final_ctx["out"], hook.seen)

    async def test_a_function_may_be_the_hook(self, opened, blueprint):
        seen = []

        async def watcher(call, result):
            seen.append(None if result is None else result.value)

        functions = {"write": lambda text: "written", "watcher": watcher}
        async with opened(functions=functions) as swarm:
            request = SessionRequest(hook_id="watcher", operator_kind=MAIN_AI)
            await (await swarm.launch(delegated(blueprint, "main_ai"), request=request)).wait()

        assert [None, "written"] == seen
