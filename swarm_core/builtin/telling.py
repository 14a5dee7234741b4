"""Layers that tell workers a fact through `Call.meta`: `project_name_alias`, `sink` and `input_inject`.

A function reads it as `call.meta`; worker kinds outside the process pass it on in their own way.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import InvalidId
from swarm_core.factories import Environment, LayerFactory, Stage
from swarm_core.model.call import Call, Result
from swarm_core.model.ids import check_id

PROJECT_NAME_ALIAS = "project_name_alias"
DATA_SINK_ENDPOINT = "data_sink_endpoint"
INPUT_REFS = "input_refs"


class TellingLayer(SpawnerLayer):
    """Adds facts to the meta of each attempt; a fact of an outer layer of the same name gives way."""

    def __init__(self, **facts: Any) -> None:
        self._facts = facts

    async def run(self, call: Call, inner: Run) -> Result:
        """Carry out the attempt with the facts."""
        return await inner(evolve(call, meta={**call.meta, **self._facts}))


@frozen(kw_only=True)
class SinkOptions:
    """Where workers shall put their data: a URL, or whatever they understand."""

    endpoint: str


@frozen(kw_only=True)
class InputInjectOptions:
    """Which recorded outputs workers shall start from, by their references (`out-...`)."""

    refs: tuple[str, ...]


def build_alias(options: None, environment: Environment) -> SpawnerLayer:
    """Build the layer that tells the Blueprint's `metadata.project_name_alias`; without one it tells nothing."""
    alias = environment.blueprint.metadata.project_name_alias
    return TellingLayer() if alias is None else TellingLayer(**{PROJECT_NAME_ALIAS: alias})


def build_sink(options: SinkOptions, environment: Environment) -> SpawnerLayer:
    """Build the layer that tells where data goes; raises ValueError, when that is nowhere."""
    if not options.endpoint.strip():
        raise ValueError("'endpoint' is empty")
    return TellingLayer(**{DATA_SINK_ENDPOINT: options.endpoint})


def build_input_inject(options: InputInjectOptions, environment: Environment) -> SpawnerLayer:
    """Build the layer that tells references; raises ValueError, when one of them is none."""
    for at, ref in enumerate(options.refs):
        try:
            check_id("out-", ref)
        except InvalidId as error:
            raise ValueError(f"refs[{at}]: {error}") from None
    return TellingLayer(**{INPUT_REFS: list(options.refs)})


ALIAS_LAYER = LayerFactory(
    PROJECT_NAME_ALIAS, Stage.ROUTE, build_alias, summary="tells workers metadata.project_name_alias"
)
SINK_LAYER = LayerFactory("sink", Stage.STORE, build_sink, options=SinkOptions, summary="tells workers where data goes")
INPUT_INJECT_LAYER = LayerFactory(
    "input_inject",
    Stage.ROUTE,
    build_input_inject,
    options=InputInjectOptions,
    summary="tells workers recorded outputs to start from",
)
