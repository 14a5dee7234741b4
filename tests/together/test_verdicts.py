"""Verdict contracts under the engine: a wrong word is asked for once more, then blocked."""

import asyncio

import pytest

from swarm_core import Result, SpawnerLayer, Swarm
from swarm_core.builtin.memory_runs import MemoryRunStore
from swarm_core.errors import InvalidBlueprint, VerdictRejected
from swarm_core.factories import LayerFactory, Stage
from swarm_core.hookspecs import hookimpl
from swarm_core.model.task import RunStatus

REASON = 'the verdict is "Blocked." and must be one of "pass", "blocked"'


class Judge:
    """Answers one thing after the other and keeps the calls; an event in the place of an answer is waited for."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    async def __call__(self, call):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def inputs(self):
        return [call.input for call in self.calls]


def blueprint(flow, *, values=("pass", "blocked"), node=None, **more):
    """A judge with a contract, and a flow that takes another way for `blocked`."""
    fields = {name: more.pop(name) for name in ("path", "on_invalid") if name in more}
    agent = {"name": "judge", "kind": "function", "spec": {"fn_id": "judge"}}
    told = flow.path("$.verdict" + fields.get("path", "$")[1:])
    way = {"kind": "branch", "cond": {"op": "eq", "lhs": told, "rhs": flow.lit("blocked")}}
    ways = {"then": flow.let("$.way", flow.lit("stop")), "else": flow.let("$.way", flow.lit("go"))}
    step = {**flow.step("judge", "$.verdict"), "in": flow.path("$.text")}
    return {
        "id": "trial",
        "flow": node or flow.seq(step, {**way, **ways}),
        "agents": [{**agent, "verdict": {"values": list(values), **fields}}],
        "default_init_ctx": {"text": "a patch"},
        **more,
    }


async def ended(document, judge, *, plugins=(), **launching):
    async with Swarm.open(plugins=plugins, functions={"judge": judge}) as swarm:
        launched = await swarm.launch(document, **launching)
        result = await launched.wait()
        return result, [event async for event in launched.events()]


def of_kind(events, kind):
    return [event.data for event in events if event.kind == kind]


class TestRepair:
    async def test_an_answer_within_the_contract_is_left_alone(self, flow):
        judge = Judge("blocked")

        result, events = await ended(blueprint(flow), judge)

        assert ("stop", 1) == (result.final_ctx["way"], len(judge.calls))
        assert [] == of_kind(events, "verdict_rejected")

    async def test_a_wrong_word_is_asked_for_once_more_with_the_reason(self, flow):
        judge = Judge("Blocked.", "blocked")

        result, events = await ended(blueprint(flow), judge)

        assert ("stop", 2) == (result.final_ctx["way"], result.counts["attempts"])
        told = f"a patch\n\nYour last answer was refused: {REASON}. Answer again, with exactly one of these values."
        assert ["a patch", told] == judge.inputs
        assert [1, 2] == [call.attempt for call in judge.calls]
        (failed,) = of_kind(events, "task_attempt_failed")
        assert ("verdict", 0.0) == (failed["cause"], failed["retry_in"])

    async def test_every_worker_finds_the_note_in_meta(self, flow):
        judge = Judge("Blocked.", "blocked")

        await ended(blueprint(flow), judge)

        note = judge.calls[1].meta["repair"]
        assert (REASON, '"Blocked."', ["pass", "blocked"], "$") == tuple(
            note[name] for name in ("reason", "got", "values", "path")
        )
        assert "repair" not in judge.calls[0].meta

    async def test_an_object_has_the_note_beside_its_keys(self, flow):
        judge = Judge("no", "pass")

        await ended(blueprint(flow), judge, init_ctx={"text": {"diff": "+1"}})

        assert {"diff": "+1", "repair": judge.calls[1].meta["repair"]} == judge.inputs[1]

    @pytest.mark.parametrize("given", [{"repair": "the roof"}, ["a", "b"], 7, None, True])
    async def test_any_other_input_stays_as_it_is(self, flow, given):
        judge = Judge("no", "pass")

        await ended(blueprint(flow), judge, init_ctx={"text": given})

        assert [given, given] == judge.inputs
        assert judge.calls[1].meta["repair"]["got"] == '"no"'

    async def test_a_second_wrong_word_is_blocked_with_the_reason_and_the_values(self, flow):
        judge = Judge("Blocked.", "BLOCKED", "blocked")

        result, events = await ended(blueprint(flow), judge)

        assert (RunStatus.FAILED, 2) == (result.status, len(judge.calls))
        (blocked,) = of_kind(events, "task_blocked")
        assert "BLOCKED" == blocked["result"]["value"]
        assert ["pass", "blocked"] == blocked["result"]["rejected"]["values"]
        assert 'the verdict is \\"BLOCKED\\" and must be one of' in result.error["message"]
        assert [True, False] == [data["again"] for data in of_kind(events, "verdict_rejected")]

    async def test_with_block_there_is_no_further_attempt(self, flow):
        judge = Judge("Blocked.", "blocked")

        result, _ = await ended(blueprint(flow, on_invalid="block"), judge)

        assert (RunStatus.FAILED, 1) == (result.status, len(judge.calls))

    async def test_p4_an_empty_result_is_blocked_and_never_passes(self, flow):
        """P4 of the problems: completed is not passed."""
        result, _ = await ended(blueprint(flow, path="$.verdict"), Judge({}, None))

        assert RunStatus.FAILED == result.status
        assert "there is no verdict at $.verdict" in result.error["message"]

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("$.review.verdict", {"review": {"verdict": "pass"}}),
            ("$[0]", ["pass"]),
            ('$["the end"][-1]', {"the end": [1, "pass"]}),
        ],
    )
    async def test_the_verdict_may_stand_anywhere_in_the_result(self, flow, path, value):
        document = blueprint(flow, path=path, node=flow.step("judge", "$.verdict"))

        result, _ = await ended(document, judge := Judge(value))

        assert (RunStatus.DONE, 1) == (result.status, len(judge.calls))

    @pytest.mark.parametrize("answer", [Result("Blocked.", ok=False), ValueError("no")])
    async def test_what_is_no_success_is_not_looked_at(self, flow, answer):
        judge = Judge(answer)

        result, events = await ended(blueprint(flow), judge)

        assert (RunStatus.FAILED, 1) == (result.status, len(judge.calls))
        assert [] == of_kind(events, "verdict_rejected")

    async def test_child_tasks_are_held_to_their_agents_contract(self, flow):
        judge = Judge("Blocked.", "blocked")

        async def chair(call):
            return (await call.context.start_child("judge", "a patch")).value

        agent = {"name": "chair", "kind": "function", "spec": {"fn_id": "chair"}}
        document = blueprint(flow, node=flow.step("chair"))
        document["agents"].append(agent)
        async with Swarm.open(plugins=(), functions={"judge": judge, "chair": chair}) as swarm:
            result = await (await swarm.launch(document)).wait()

        assert ("blocked", 2) == (result.final_ctx["out"], len(judge.calls))


class TestTogetherWithOtherThings:
    async def test_retries_are_granted_beside_the_repair(self, flow):
        judge = Judge("Blocked.", OSError("gone"), "blocked")
        hints = {"global": {"retry": {"max_attempts": 3, "backoff": 0, "max_backoff": 0}}}

        result, _ = await ended(blueprint(flow, hints=hints), judge)

        assert ("stop", 3) == (result.final_ctx["way"], result.counts["attempts"])
        assert "refused" in judge.inputs[2]

    async def test_no_number_of_retries_makes_a_second_repair(self, flow):
        judge = Judge("a", "b", "pass")
        hints = {"global": {"retry": {"max_attempts": 9, "backoff": 0, "max_backoff": 0}}}

        result, _ = await ended(blueprint(flow, hints=hints), judge)

        assert (RunStatus.FAILED, 2) == (result.status, len(judge.calls))

    async def test_whoever_refuses_answers_for_ever_gets_one_further_attempt(self, flow):
        """The engine does not trust the layer to end."""
        judge = Judge(*[VerdictRejected("judge", "never good enough")] * 9)

        result, _ = await ended(blueprint(flow), judge)

        assert (RunStatus.FAILED, 2) == (result.status, len(judge.calls))

    async def test_a_budget_of_attempts_counts_the_repair(self, flow):
        judge = Judge("Blocked.", "blocked")

        result, _ = await ended(blueprint(flow, budget={"attempts": 1}), judge)

        assert ("BudgetExceeded", 1) == (result.error["kind"], len(judge.calls))

    async def test_what_a_refused_answer_cost_is_counted(self, flow):
        judge = Judge(Result("no", facts={"usage": {"tokens": 70, "attempts": 1, "odd name": 1}}), "pass")

        result, events = await ended(blueprint(flow, budget={"counters": {"tokens": 60}}), judge)

        assert [{"tokens": 70}] == [data["spent"] for data in of_kind(events, "budget_spent")]
        assert "BudgetExceeded" == result.error["kind"]

    async def test_layers_outside_see_the_blocked_result_and_those_inside_the_workers(self, flow):
        judge, seen = Judge("Blocked.", "Blocked."), []

        class Spy(SpawnerLayer):
            def __init__(self, name):
                self.name = name

            async def run(self, call, inner):
                try:
                    result = await inner(call)
                except VerdictRejected as error:
                    seen.append((self.name, error.reason))
                    raise
                seen.append((self.name, result.ok))
                return result

        class Spies:
            SWARM_API = 1

            @hookimpl
            def swarm_register_layers(self):
                stages = {"senior": Stage.RECOVER, "delegate": Stage.DELEGATE}
                return [LayerFactory(name, stage, lambda o, e, n=name: Spy(n)) for name, stage in stages.items()]

        document = blueprint(flow, spawner_hints={"layers": ["delegate", "senior"]})

        await ended(document, judge, plugins=(Spies(),))

        assert [("delegate", True), ("senior", REASON), ("delegate", True), ("senior", False)] == seen

    async def test_without_contracts_there_is_no_layer(self, flow):
        document = blueprint(flow)
        plain = {**document, "agents": [{k: v for k, v in document["agents"][0].items() if k != "verdict"}]}

        async with Swarm.open(plugins=(), functions={"judge": Judge()}) as swarm:
            chains = [[layer.key for layer in swarm.prepare(one).chain] for one in (document, plain)]

        assert [["verdict"], []] == chains


class TestResume:
    async def test_a_repair_that_was_interrupted_is_repeated_with_the_reason(self, flow):
        store, stuck = MemoryRunStore(), asyncio.Event()
        first, second = Judge("Blocked.", stuck), Judge("blocked")

        async with Swarm.open(plugins=(), functions={"judge": first}, store=store) as swarm:
            launched = await swarm.launch(blueprint(flow))
            while len(first.calls) < 2:
                await asyncio.sleep(0)
            await launched.interrupt("a test")
        async with Swarm.open(plugins=(), functions={"judge": second}, store=store) as swarm:
            result = await (await swarm.resume(launched.id)).wait()

        assert ("stop", 3) == (result.final_ctx["way"], result.counts["attempts"])
        assert first.inputs[1] == second.inputs[0]

    async def test_the_one_repair_is_not_granted_again_after_a_restart(self, flow):
        store, stuck = MemoryRunStore(), asyncio.Event()
        first, second = Judge("Blocked.", stuck), Judge("BLOCKED", "blocked")

        async with Swarm.open(plugins=(), functions={"judge": first}, store=store) as swarm:
            launched = await swarm.launch(blueprint(flow))
            while len(first.calls) < 2:
                await asyncio.sleep(0)
            await launched.interrupt("a test")
        async with Swarm.open(plugins=(), functions={"judge": second}, store=store) as swarm:
            result = await (await swarm.resume(launched.id)).wait()

        assert (RunStatus.FAILED, 1) == (result.status, len(second.calls))

    async def test_a_repaired_step_is_replayed_and_not_run_again(self, flow):
        store, judge, stuck = MemoryRunStore(), Judge("Blocked.", "blocked"), asyncio.Event()
        document = blueprint(flow)
        document["flow"]["children"].append(flow.step("later"))
        document["agents"].append({"name": "later", "kind": "function", "spec": {"fn_id": "later"}})
        begun = asyncio.Event()

        async def later(call):
            begun.set()
            await stuck.wait()
            return "done"

        async with Swarm.open(plugins=(), functions={"judge": judge, "later": later}, store=store) as swarm:
            launched = await swarm.launch(document)
            await begun.wait()
            await launched.interrupt("a test")
        stuck.set()
        async with Swarm.open(plugins=(), functions={"judge": judge, "later": later}, store=store) as swarm:
            result = await (await swarm.resume(launched.id)).wait()

        assert ("stop", "done", 1, 2) == (
            result.final_ctx["way"], result.final_ctx["out"], result.reused, len(judge.calls),
        )  # fmt: skip


class TestCompile:
    async def test_a_literal_that_is_in_no_contract_refuses_the_launch(self, flow):
        async with Swarm.open(plugins=(), functions={"judge": Judge()}) as swarm:
            with pytest.raises(InvalidBlueprint) as caught:
                swarm.prepare(blueprint(flow, values=("PASS", "BLOCKED")))

        (problem,) = caught.value.problems
        assert ("verdict_value_not_in_contract", "$.flow.children[1].cond.rhs.value") == (problem.code, problem.path)

    async def test_a_launch_does_not_wait_for_advice(self, flow):
        document = blueprint(flow, values=("pass", "blocked", "unsure", "tired"))

        async with Swarm.open(plugins=(), functions={"judge": Judge()}) as swarm:
            prepared, checked = swarm.prepare(document), swarm.check(document)

        assert "verdict_value_unhandled" not in [problem.code for problem in prepared.problems]
        assert "verdict_value_unhandled" in [problem.code for problem in checked]

    async def test_a_denied_lint_refuses_the_launch(self, flow):
        document = blueprint(
            flow, values=("pass", "blocked", "a", "b"), metadata={"lints": {"verdict_value_unhandled": "deny"}}
        )

        async with Swarm.open(plugins=(), functions={"judge": Judge()}) as swarm:
            with pytest.raises(InvalidBlueprint, match="no condition names the verdicts 'pass', 'a' and 'b'"):
                swarm.prepare(document)
