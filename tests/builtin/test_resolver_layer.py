from __future__ import annotations

import pytest
from attrs import evolve

from swarm_core.builtin.resolver import RESOLVER_LAYER, ResolverLayer, ResolverOptions, unused_mappings
from swarm_core.contracts import AgentResolver
from swarm_core.errors import RejectedByMiddleware
from swarm_core.factories import Function, ResolverFactory, Stage
from swarm_core.model.blueprint import AgentDef, Blueprint, LayerUse, SpawnerHints
from swarm_core.model.call import Result
from swarm_core.model.nodes import Lit, Path, Step
from swarm_core.testing import check_layer


class Newest(AgentResolver):
    """Sends `writer` to `writer-v2` and leaves the others alone."""

    def resolve(self, agent, call):
        return "writer-v2" if agent == "writer" else agent


class Lost(AgentResolver):
    """Names no agent at all."""

    def resolve(self, agent, call):
        return None


async def echo(call):
    return Result([call.agent, call.input])


class TestRouting:
    async def test_row_75_the_resolved_agent_runs(self, make_call):
        result = await ResolverLayer("newest", Newest()).run(make_call("hi", agent="writer"), echo)

        assert Result(["writer-v2", "hi"]) == result

    async def test_an_agent_that_stays_gets_the_same_call(self, make_call):
        call, seen = make_call("hi", agent="editor"), []

        async def inner(call):
            seen.append(call)
            return Result(None)

        await ResolverLayer("newest", Newest()).run(call, inner)

        assert [call is passed for passed in seen] == [True]

    async def test_the_inner_result_is_returned_as_it_is(self, make_call):
        verdict = Result("no", ok=False)

        async def inner(call):
            return verdict

        assert verdict is await ResolverLayer("newest", Newest()).run(make_call(agent="writer"), inner)

    async def test_a_resolver_that_names_no_agent_is_told_apart(self, make_call):
        with pytest.raises(RejectedByMiddleware, match="resolver 'lost' named no agent for 'writer'"):
            await ResolverLayer("lost", Lost()).run(make_call(agent="writer"), echo)

    async def test_the_layer_keeps_the_contract(self):
        await check_layer(ResolverLayer("newest", Newest()))


class TestFactory:
    def test_the_layer_stands_in_the_route_stage(self):
        assert ("resolver", Stage.ROUTE, ResolverOptions) == (
            RESOLVER_LAYER.key,
            RESOLVER_LAYER.stage,
            RESOLVER_LAYER.options,
        )

    async def test_options_name_the_resolver(self, make_environment, make_call):
        resolvers = {"newest": ResolverFactory("newest", lambda environment: Newest())}
        environment = make_environment(resolvers=resolvers)

        layer = RESOLVER_LAYER.build(ResolverOptions(use="newest"), environment)

        assert Result(["writer-v2", None]) == await layer.run(make_call(agent="writer"), echo)

    def test_an_unknown_resolver_is_refused_with_the_nearest(self, make_environment):
        environment = make_environment(resolvers={"newest": ResolverFactory("newest", lambda environment: Newest())})

        with pytest.raises(ValueError, match=r"no resolver is named 'newst'; did you mean 'newest'\?"):
            RESOLVER_LAYER.build(ResolverOptions(use="newst"), environment)


class TestMapping:
    @pytest.fixture
    def environment(self, make_environment):
        """An environment whose Blueprint has a step `writer` and the agents `writer-v2` and `editor`."""

        def make(*functions):
            step = Step(ref="writer", in_=Lit(value=1), out=Path(at="$.x"))
            agents = tuple(AgentDef(name=name, kind="function") for name in ("writer-v2", "editor"))
            return evolve(make_environment(*functions), blueprint=Blueprint(id="b", flow=step, agents=agents))

        return make

    async def test_row_75_a_mapping_names_the_agent(self, environment, make_call):
        layer = RESOLVER_LAYER.build(ResolverOptions(map={"writer": "writer-v2"}), environment())

        assert Result(["writer-v2", None]) == await layer.run(make_call(agent="writer"), echo)
        assert Result(["editor", None]) == await layer.run(make_call(agent="editor"), echo)

    def test_row_75_an_agent_that_is_not_there_is_found_before_anything_runs(self, environment):
        with pytest.raises(ValueError, match=r"map.writer: no agent is named 'writer-v3'; did you mean 'writer-v2'\?"):
            RESOLVER_LAYER.build(ResolverOptions(map={"writer": "writer-v3"}), environment())

    def test_what_no_step_and_no_agent_is_named_needs_no_target(self, environment):
        RESOLVER_LAYER.build(ResolverOptions(map={"painter": "painter-v2"}), environment())

    def test_in_the_blueprints_own_list_it_is_a_warning(self, environment):
        use = LayerUse(key="resolver", options={"map": {"writer": "writer-v2", "wirter": "editor"}})
        blueprint = evolve(environment().blueprint, spawner_hints=SpawnerHints(layers=(use,)))

        (problem,) = unused_mappings(blueprint)

        assert problem.path == "$.spawner_hints.layers[0].resolver.map.wirter"
        assert (str(problem.severity), problem.hint) == ("warning", "did you mean 'writer'?")

    @pytest.mark.parametrize("function", [lambda agent: f"{agent}-v2", lambda agent, call: f"{agent}-v{call.attempt}"])
    async def test_row_75_a_function_names_the_agent(self, environment, make_call, function):
        layer = RESOLVER_LAYER.build(ResolverOptions(function="newest"), environment(Function("newest", function)))

        assert Result(["writer-v2", None]) == await layer.run(evolve(make_call(agent="writer"), attempt=2), echo)

    def test_an_unknown_function_is_refused_with_the_nearest(self, environment):
        with pytest.raises(ValueError, match=r"no function is named 'newst'; did you mean 'newest'\?"):
            RESOLVER_LAYER.build(ResolverOptions(function="newst"), environment(Function("newest", str)))

    def test_an_async_function_is_refused(self, environment):
        async def later(agent):
            return agent

        with pytest.raises(ValueError, match="is async"):
            RESOLVER_LAYER.build(ResolverOptions(function="later"), environment(Function("later", later)))

    @pytest.mark.parametrize("options", [{}, {"use": "x", "map": {}}])
    def test_exactly_one_decides(self, environment, options):
        with pytest.raises(ValueError, match="give one of 'use', 'function' and 'map'"):
            RESOLVER_LAYER.build(ResolverOptions(**options), environment())
