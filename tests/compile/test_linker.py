from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from swarm_core.builtin.resolver import RESOLVER_LAYER
from swarm_core.compile import LinkedLayer, compile_blueprint, link, resolve_layers
from swarm_core.contracts import AgentResolver, SpawnerLayer
from swarm_core.errors import InvalidBlueprint, WorkerFailed
from swarm_core.factories import LayerFactory, ResolverFactory, Stage
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.call import Result
from swarm_core.model.output import Final, Inline
from swarm_core.settings import Settings


class Transparent(SpawnerLayer):
    """Changes nothing."""

    async def run(self, call, inner):
        return await inner(call)


class Answers(SpawnerLayer):
    """Gives its own answer and asks nobody."""

    def __init__(self, answer):
        self.answer = answer

    async def run(self, call, inner):
        return self.answer


class Repeats(SpawnerLayer):
    """Tries twice and returns the first result."""

    async def run(self, call, inner):
        first = await inner(call)
        await inner(call)
        return first


class WriterTwo(AgentResolver):
    def resolve(self, agent, call):
        return "writer-v2" if agent == "writer" else agent


@pytest.fixture
def linked(catalog, blueprint, environment):
    """Link one echo agent `a` with layers: keys, LayerUses, or layers that are put at a stage of their own."""

    def make(*layers, **parts):
        factories = dict(catalog.layers)
        uses = []
        for number, layer in enumerate(layers):
            key = f"layer{number}" if isinstance(layer, SpawnerLayer) else layer
            if isinstance(layer, SpawnerLayer):
                factories[key] = LayerFactory(key, Stage.STORE, lambda options, environment, layer=layer: layer)
            uses.append(key if isinstance(key, LayerUse) else LayerUse(key=key))
        known = evolve(catalog, layers=factories, **parts)
        sound = blueprint(("a", "echo"))
        surroundings = environment(sound)
        routes = compile_blueprint(sound, known, surroundings)
        return link(routes, uses, known, surroundings)

    return make


def marks(value):
    """Return the marks that layers left around a value, outermost first."""
    found = []
    while isinstance(value, list):
        mark, value = value
        found.append(mark.partition(":")[0])
    return found


class TestOrder:
    async def test_row_70_stages_decide_who_is_outside(self, linked, call):
        chain = linked("deep", "near", "outer", "plain")

        result = await chain.run(call("a"))

        assert marks(result.value) == ["outer", "near", "plain", "deep"]

    async def test_row_70_within_a_stage_the_first_listed_is_outside(self, linked, call):
        one = await linked("near", "also_near").run(call("a"))
        other = await linked("also_near", "near").run(call("a"))

        assert (marks(one.value), marks(other.value)) == (["near", "also_near"], ["also_near", "near"])

    async def test_without_layers_the_worker_is_reached(self, linked, call):
        assert (await linked().run(call("a"))).value["agent"] == "a"

    def test_the_chain_is_told_outermost_first(self, linked):
        chain = linked("deep", "outer").chain

        assert chain == (
            LinkedLayer(
                key="outer",
                stage=Stage.OBSERVE,
                provider="outer (swarm-plugin-outer 3.0)",
                why="the blueprint",
                options={"mark": "x"},
            ),
            LinkedLayer(key="deep", stage=Stage.DELEGATE, provider=None, why="the blueprint", options={"mark": "x"}),
        )

    def test_the_chain_tells_the_options_that_were_given(self, linked):
        (layer,) = linked(LayerUse(key="near", options={"mark": "y"})).chain

        assert layer.options == {"mark": "y"}

    async def test_of_a_layer_that_is_listed_twice_the_first_counts(self, linked, call):
        twice = (LayerUse(key="near", options={"mark": "1"}), LayerUse(key="near", options={"mark": "2"}))

        result = await linked(*twice).run(call("a"))

        assert result.value[0] == "near:1"
        assert marks(result.value) == ["near"]


class TestSelection:
    async def test_a_resolved_selection_is_linked_with_its_reasons(self, catalog, blueprint, environment, call):
        sound = blueprint(("a", "echo"), layers=(LayerUse(key="deep"), LayerUse(key="near", options={"mark": "y"})))
        surroundings = environment(sound)
        selection = resolve_layers(sound, catalog, Settings(), "team")
        routes = compile_blueprint(sound, catalog, surroundings, layer_set="team")

        chain = link(routes, selection.use, catalog, surroundings, why=selection.why)

        result = await chain.run(call("a"))
        assert marks(result.value) == ["outer", "near", "deep"]
        assert result.value[1][0] == "near:y"
        assert [(layer.key, layer.why) for layer in chain.chain] == [
            ("outer", "layer set 'team'"),
            ("near", "layer set 'team', options of the blueprint"),
            ("deep", "the blueprint"),
        ]

    def test_each_layer_is_built_once_per_launch(self, catalog, blueprint, environment):
        built = []
        counting = LayerFactory("counting", Stage.STORE, lambda options, environment: built.append(1) or Transparent())
        known = evolve(catalog, layers={**catalog.layers, "counting": counting})
        sound = blueprint(("a", "echo"), layers=(LayerUse(key="counting"),))
        surroundings = environment(sound)

        routes = compile_blueprint(sound, known, surroundings)
        link(routes, resolve_layers(sound, known, Settings()).use, known, surroundings)

        assert built == [1]

    def test_a_layer_with_other_options_is_not_the_one_that_was_built(self, catalog, blueprint, environment):
        sound = blueprint(("a", "echo"), layers=(LayerUse(key="near"),))
        surroundings = environment(sound)
        routes = compile_blueprint(sound, catalog, surroundings)

        with pytest.raises(InvalidBlueprint, match="options of layer 'near'"):
            link(routes, [LayerUse(key="near", options={"makr": 1})], catalog, surroundings)

    def test_every_layer_that_cannot_be_linked_is_told(self, linked):
        with pytest.raises(InvalidBlueprint) as caught:
            linked("ghost", LayerUse(key="plain", options={"x": 1}), "near")

        assert [problem.code for problem in caught.value.problems] == ["unknown_layer", "invalid_layer_options"]


class TestRecords:
    async def test_a_transparent_layer_leaves_no_trace(self, linked, call):
        attempt = call("a")

        result = await linked(Transparent(), Transparent()).run(attempt)

        assert attempt.context.outputs == [Final(Inline(result.value), True, None)]

    async def test_another_result_is_recorded_under_the_layers_key(self, linked, call):
        attempt = call("a")

        result = await linked("near").run(attempt)

        assert [final.by for final in attempt.context.outputs] == [None, "near"]
        assert attempt.context.latest is result

    async def test_an_answer_without_the_worker_is_recorded_too(self, linked, call):
        attempt = call("a")

        await linked(Answers(Result("no", ok=False))).run(attempt)

        assert attempt.context.outputs == [Final(Inline("no"), False, "layer0")]

    async def test_a_result_that_is_not_the_latest_any_more_is_recorded_again(self, linked, call):
        attempt = call("a")

        result = await linked(Repeats()).run(attempt)

        assert [final.by for final in attempt.context.outputs] == [None, None, "layer0"]
        assert attempt.context.latest is result

    async def test_an_outer_layer_does_not_record_the_inner_ones_result_again(self, linked, call):
        attempt = call("a")

        await linked("near", Transparent()).run(attempt)

        assert [final.by for final in attempt.context.outputs] == [None, "near"]

    @pytest.mark.parametrize("answer", [None, {"value": 1}, "text"], ids=repr)
    async def test_a_layer_that_returns_no_result_is_named(self, linked, call, answer):
        with pytest.raises(WorkerFailed, match=r"layer 'layer0' returned .*, not a Result") as caught:
            await linked(Answers(answer)).run(call("a"))

        assert caught.value.kind == "invalid_result"

    async def test_an_error_goes_through_every_layer(self, linked, call):
        class Fails(SpawnerLayer):
            async def run(self, call, inner):
                raise LookupError("gone")

        with pytest.raises(LookupError, match="gone"):
            await linked("outer", "near", Fails()).run(call("a"))

    async def test_cancelling_goes_through_every_layer(self, linked, call):
        class Waits(SpawnerLayer):
            async def run(self, call, inner):
                await asyncio.sleep(60)
                return await inner(call)

        task = asyncio.ensure_future(linked("outer", "near", Waits()).run(call("a")))
        await asyncio.sleep(0)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


class TestResolver:
    async def test_row_75_a_step_runs_as_the_resolved_agent(self, catalog, blueprint, environment, call):
        known = evolve(catalog, layers={"resolver": RESOLVER_LAYER})
        use = LayerUse(key="resolver", options={"use": "newest"})
        sound = blueprint(("writer", "echo", 1), ("writer-v2", "echo", 2), layers=(use,))
        resolvers = {"newest": ResolverFactory("newest", lambda environment: WriterTwo())}
        surroundings = environment(sound, resolvers=resolvers)

        chain = link(compile_blueprint(sound, known, surroundings), [use], known, surroundings)

        assert (await chain.run(call("writer"))).value == {"agent": "writer-v2", "spec": 2, "extra": {}}

    def test_row_75_an_unknown_resolver_is_found_before_anything_runs(self, catalog, blueprint, environment):
        known = evolve(catalog, layers={"resolver": RESOLVER_LAYER})
        wrong = blueprint(layers=(LayerUse(key="resolver", options={"use": "ghost"}),))

        with pytest.raises(InvalidBlueprint, match="no resolver is named 'ghost'; installed: none"):
            compile_blueprint(wrong, known, environment(wrong))
