from __future__ import annotations

import pytest

from swarm_core.compile import ResolvedAgent, compile_blueprint
from swarm_core.compile.compiler import router
from swarm_core.compile.policies import merged_hint
from swarm_core.contracts import Spawner
from swarm_core.errors import InvalidBlueprint, NotRegistered, WorkerFailed
from swarm_core.model.blueprint import AgentHint, CompilerHints, CompilerStrategy, RetryHint
from swarm_core.model.call import Result
from swarm_core.model.output import Artifact, Final, Inline, Partial, Progress
from swarm_core.model.policy import NO_POLICY, AgentPolicy, Retry


class Returns(Spawner):
    """Emits some events and returns what it was made with."""

    def __init__(self, result, *events):
        self.result, self.events = result, events

    async def run(self, call):
        for event in self.events:
            call.context.emit(event)
        return self.result


@pytest.fixture
def compiled(catalog, environment):
    """Compile a Blueprint."""

    def routes(blueprint, **options):
        return compile_blueprint(blueprint, catalog, environment(blueprint), **options)

    return routes


class TestRoutes:
    async def test_an_attempt_runs_on_its_agents_worker(self, compiled, blueprint, call):
        routes = compiled(blueprint(("a", "echo", 1), ("b", "echo", 2), refs=("a", "b")))

        result = await routes.route(call("b"))

        assert result == Result({"agent": "b", "spec": 2, "extra": {}})

    async def test_an_unknown_agent_is_not_registered(self, compiled, blueprint, call):
        routes = compiled(blueprint(("writer", "echo")))

        with pytest.raises(NotRegistered, match="worker not registered: wirter; did you mean 'writer'"):
            await routes.route(call("wirter"))

    async def test_row_36_an_unresolved_ref_fails_when_its_step_is_reached(self, compiled, blueprint, call):
        routes = compiled(blueprint(refs=("ghost",), strategy=CompilerStrategy(strict_refs=False)))

        with pytest.raises(NotRegistered, match="worker not registered: ghost"):
            await routes.route(call("ghost"))

    async def test_row_37_an_agent_that_was_dropped_is_not_registered(self, compiled, blueprint, call):
        routes = compiled(blueprint(("a", "ghost"), ("b", "echo"), strategy=CompilerStrategy(strict_kind=False)))

        with pytest.raises(NotRegistered, match="worker not registered: a"):
            await routes.route(call("a"))
        assert [problem.code for problem in routes.problems] == ["unknown_kind"]

    async def test_row_39_a_default_takes_the_refs_that_name_no_agent(self, compiled, blueprint, call):
        routes = compiled(blueprint(("a", "echo"), refs=("a", "ghost")), default=Returns(Result("default")))

        results = [await routes.route(call("ghost")), await routes.route(call("a"))]

        assert [result.value for result in results] == ["default", {"agent": "a", "spec": None, "extra": {}}]

    def test_a_blueprint_with_errors_is_refused_with_all_of_them(self, compiled, blueprint):
        wrong = blueprint(("a", "ghost"), refs=("x",), hints=CompilerHints(per_agent={"nobody": AgentHint(timeout=1)}))

        with pytest.raises(InvalidBlueprint) as caught:
            compiled(wrong)

        assert [problem.code for problem in caught.value.problems] == ["unknown_kind", "unresolved_ref"]

    def test_warnings_are_kept(self, compiled, blueprint):
        doubtful = blueprint(("a", "echo"), hints=CompilerHints(per_agent={"nobody": AgentHint(timeout=1)}))

        assert [problem.code for problem in compiled(doubtful).problems] == ["unknown_hint_agent"]


class TestFinals:
    @pytest.fixture
    def run(self, call):
        """Route one attempt to a worker, and return the result with the context."""

        async def ran(spawner):
            attempt = call("a")
            return await router({"a": spawner})(attempt), attempt.context

        return ran

    async def test_a_returned_result_is_recorded_as_the_workers_own(self, run):
        result, context = await run(Returns(Result("v", ok=False)))

        assert context.outputs == [Final(Inline("v"), False, None)]
        assert context.latest is result

    async def test_row_16_of_two_emitted_finals_the_last_counts(self, run):
        result, context = await run(Returns(None, Final(Inline(1), True), Final(Inline(2), False)))

        assert result == Result(2, ok=False)
        assert len(context.outputs) == 2

    async def test_a_result_that_is_recorded_already_is_not_recorded_again(self, call):
        class Records(Spawner):
            async def run(self, call):
                result = Result("v")
                call.context.record_final(result)
                return result

        attempt = call("a")
        await router({"a": Records()})(attempt)

        assert len(attempt.context.outputs) == 1

    async def test_row_17_without_any_final_the_worker_failed(self, run):
        events = (Progress("half"), Partial("x"), Artifact("report", Inline(1)))

        with pytest.raises(WorkerFailed, match="no Final in output_tail") as caught:
            await run(Returns(None, *events))

        assert caught.value.kind == "no_final"

    @pytest.mark.parametrize("value", [{"value": 1}, "text", 0])
    async def test_what_is_no_result_is_refused_with_the_agents_name(self, run, value):
        with pytest.raises(WorkerFailed, match=r"worker of agent 'a' returned .*, not a Result") as caught:
            await run(Returns(value))

        assert caught.value.kind == "invalid_result"


class TestBinding:
    async def result_of(self, routes, call):
        return (await routes.route(call("a"))).value

    async def test_a_launch_binds_over_the_hints(self, compiled, blueprint, call):
        hints = CompilerHints(per_agent={"a": AgentHint(bind="ghost")})

        routes = compiled(blueprint(("a", "talk", {"voice": "low"}), hints=hints), bind={"a": "echo"})

        assert await self.result_of(routes, call) == {"agent": "a", "spec": {"voice": "low"}, "extra": {}}

    async def test_an_agents_hint_binds_over_the_global_one(self, compiled, blueprint, call):
        hints = CompilerHints(per_agent={"a": AgentHint(bind="echo")}, global_=AgentHint(bind="ghost"))

        routes = compiled(blueprint(("a", "ghost"), hints=hints))

        assert (await self.result_of(routes, call))["agent"] == "a"

    async def test_a_global_hint_binds_every_agent(self, compiled, blueprint):
        hints = CompilerHints(global_=AgentHint(bind="echo"))

        routes = compiled(blueprint(("a", "ghost"), ("b", "talk"), hints=hints))

        assert [(agent.asked, agent.kind) for agent in routes.resolved] == [("ghost", "echo"), ("talk", "echo")]

    async def test_a_kind_without_a_spec_model_gets_the_spec_as_it_is(self, compiled, blueprint, call):
        routes = compiled(blueprint(("a", "talk", {"odd": [1]})), bind={"a": "echo"})

        assert (await self.result_of(routes, call))["spec"] == {"odd": [1]}

    async def test_another_name_of_the_same_kind_keeps_the_spec(self, compiled, blueprint, call):
        routes = compiled(blueprint(("a", "talk", {"voice": "low"})), bind={"a": "speak"})

        assert await self.result_of(routes, call) == {"agent": "a", "voice": "low", "kind": "speak"}

    def test_a_kind_with_a_spec_model_gets_an_empty_spec(self, compiled, blueprint):
        with pytest.raises(InvalidBlueprint, match=r"spec invalid: TalkSpec lacks the field 'voice'"):
            compiled(blueprint(("a", "function", {"voice": "low"})), bind={"a": "talk"})


class TestResolved:
    def test_it_is_told_what_each_agent_runs_on(self, compiled, blueprint):
        routes = compiled(blueprint(("a", "ghost"), ("b", "speak", {"voice": "low"})), bind={"a": "echo"})

        assert routes.resolved == (
            ResolvedAgent(agent="a", asked="ghost", kind="echo", provider=None, policy=NO_POLICY),
            ResolvedAgent(
                agent="b", asked="speak", kind="talk", provider="talk (swarm-plugin-talk 1.0)", policy=NO_POLICY
            ),
        )


class TestPolicies:
    def test_without_hints_nothing_is_limited(self, compiled, blueprint):
        assert compiled(blueprint(("a", "echo"))).policies == {"a": NO_POLICY}

    def test_durations_become_seconds(self, compiled, blueprint):
        retry = RetryHint(max_attempts=4, backoff="500ms", max_backoff="2m", on=("failed", "blocked"))
        hints = CompilerHints(per_agent={"a": AgentHint(timeout="5m", retry=retry, concurrency=2)})

        routes = compiled(blueprint(("a", "echo"), hints=hints))

        expected = Retry(max_attempts=4, backoff=0.5, max_backoff=120.0, on=frozenset({"failed", "blocked"}))
        assert routes.policies["a"] == AgentPolicy(timeout=300.0, retry=expected, concurrency=2)

    def test_what_an_agent_does_not_say_global_says(self, compiled, blueprint):
        hints = CompilerHints(
            per_agent={"a": AgentHint(timeout=1)}, global_=AgentHint(timeout=9, concurrency=3, retry=RetryHint())
        )

        policies = compiled(blueprint(("a", "echo"), ("b", "echo"), hints=hints)).policies

        default = Retry(max_attempts=3, backoff=1.0, max_backoff=60.0, on=frozenset({"failed", "timeout"}))
        assert policies == {
            "a": AgentPolicy(timeout=1.0, retry=default, concurrency=3),
            "b": AgentPolicy(timeout=9.0, retry=default, concurrency=3),
        }

    def test_names_that_go_to_the_default_have_a_policy_too(self, compiled, blueprint):
        hints = CompilerHints(per_agent={"ghost": AgentHint(timeout=1)}, global_=AgentHint(concurrency=3))

        routes = compiled(blueprint(refs=("ghost", "other"), hints=hints), default=Returns(Result(1)))

        assert routes.policies == {
            "ghost": AgentPolicy(timeout=1.0, concurrency=3),
            "other": AgentPolicy(concurrency=3),
        }
        assert routes.problems == ()

    async def test_a_factory_sees_the_merged_hint(self, compiled, blueprint, call):
        hints = CompilerHints(
            per_agent={"a": AgentHint(extra={"x": 1, "y": 1})}, global_=AgentHint(extra={"y": 2, "z": 2})
        )

        routes = compiled(blueprint(("a", "echo"), hints=hints))

        assert (await routes.route(call("a"))).value["extra"] == {"x": 1, "y": 1, "z": 2}

    def test_the_merged_hint_has_the_agents_own_word_for_each_field(self):
        own, common = RetryHint(max_attempts=2), RetryHint(max_attempts=9)
        hints = CompilerHints(
            per_agent={"a": AgentHint(timeout="1s", retry=own), "b": AgentHint(concurrency=1, bind="echo")},
            global_=AgentHint(timeout="9s", retry=common, concurrency=9, bind="talk"),
        )

        merged = [merged_hint(hints, name) for name in ("a", "b", "c")]

        assert merged == [
            AgentHint(timeout="1s", retry=own, concurrency=9, bind="talk"),
            AgentHint(timeout="9s", retry=common, concurrency=1, bind="echo"),
            AgentHint(timeout="9s", retry=common, concurrency=9, bind="talk"),
        ]
