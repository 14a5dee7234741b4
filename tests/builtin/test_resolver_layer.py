from __future__ import annotations

import pytest

from swarm_core.builtin.resolver import RESOLVER_LAYER, ResolverLayer, ResolverOptions
from swarm_core.contracts import AgentResolver
from swarm_core.errors import RejectedByMiddleware
from swarm_core.factories import ResolverFactory, Stage
from swarm_core.model.call import Result
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
