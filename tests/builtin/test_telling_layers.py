"""Layers that tell workers a fact: `project_name_alias`, `sink`, `input_inject`."""

from __future__ import annotations

import pytest
from attrs import evolve

from swarm_core import Swarm, function
from swarm_core.builtin.telling import (
    ALIAS_LAYER,
    INPUT_INJECT_LAYER,
    SINK_LAYER,
    InputInjectOptions,
    SinkOptions,
    TellingLayer,
)
from swarm_core.model.blueprint import BlueprintMetadata
from swarm_core.model.call import Result
from swarm_core.testing import check_layer


async def metas(call):
    return Result(dict(call.meta))


class TestLayers:
    async def test_a_fact_goes_beside_what_others_told(self, make_call):
        call = evolve(make_call(), meta={"other": 1, "data_sink_endpoint": "old"})
        layer = SINK_LAYER.build(SinkOptions(endpoint="s3://bucket"), None)

        assert await layer.run(call, metas) == Result({"other": 1, "data_sink_endpoint": "s3://bucket"})
        assert call.meta == {"other": 1, "data_sink_endpoint": "old"}

    async def test_references_are_told_as_a_list(self, make_call):
        layer = INPUT_INJECT_LAYER.build(InputInjectOptions(refs=("out-1", "out-2")), None)

        assert await layer.run(make_call(), metas) == Result({"input_refs": ["out-1", "out-2"]})

    async def test_the_alias_is_that_of_the_blueprint(self, make_call, make_environment):
        environment = make_environment()
        named = evolve(environment.blueprint, metadata=BlueprintMetadata(project_name_alias="apollo"))

        layer = ALIAS_LAYER.build(None, evolve(environment, blueprint=named))

        assert await layer.run(make_call(), metas) == Result({"project_name_alias": "apollo"})

    async def test_without_an_alias_nothing_is_told(self, make_call, make_environment):
        assert await ALIAS_LAYER.build(None, make_environment()).run(make_call(), metas) == Result({})

    def test_an_empty_endpoint_is_refused(self):
        with pytest.raises(ValueError, match="'endpoint' is empty"):
            SINK_LAYER.build(SinkOptions(endpoint=" "), None)

    @pytest.mark.parametrize("ref", ["x", "out-", "out-a/b", "RUN-1"])
    def test_what_is_no_reference_is_refused_at_its_place(self, ref):
        with pytest.raises(ValueError, match=r"refs\[1\]: .*out-"):
            INPUT_INJECT_LAYER.build(InputInjectOptions(refs=("out-1", ref)), None)

    async def test_they_keep_the_contract(self):
        await check_layer(TellingLayer(fact=1))


async def test_a_run_tells_its_workers_all_of_it():
    """From the document to the function: alias by itself, sink and references by options."""

    @function
    async def tell(call):
        return dict(call.meta)

    blueprint = {
        "id": "b",
        "flow": {"kind": "step", "ref": "a", "in": {"op": "lit", "value": 1}, "out": {"op": "path", "at": "$.x"}},
        "agents": [{"name": "a", "kind": "function", "spec": {"fn_id": "tell"}}],
        "metadata": {"project_name_alias": "apollo"},
        "spawner_hints": {"layers": [{"sink": {"endpoint": "here"}}, {"input_inject": {"refs": ["out-7"]}}]},
    }
    async with Swarm.open(plugins=(), functions=[tell]) as swarm:
        result = await (await swarm.launch(blueprint)).wait()

    told = {"project_name_alias": "apollo", "data_sink_endpoint": "here", "input_refs": ["out-7"]}
    assert result.final_ctx == {"x": told}
