"""Layers and the way to the workers, as one callable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from swarm_core.compile.compiler import Routes
from swarm_core.compile.layers import BLUEPRINT, build_layer
from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import DocumentError, InvalidBlueprint, WorkerFailed
from swarm_core.factories import Catalog, Environment, Stage
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.call import Call, Result
from swarm_core.model.problem import Problem


@frozen(kw_only=True)
class LinkedLayer:
    """One link of a chain: the layer's key, its stage, who provides it, and who asked for it."""

    key: str
    stage: Stage
    provider: str | None
    why: str


@frozen(eq=False, repr=False)
class Linked:
    """The way of every attempt of a launch: `run` is the outermost layer, `chain` names all layers, outermost first."""

    run: Run
    chain: tuple[LinkedLayer, ...]


def link(
    routes: Routes,
    layers: Sequence[LayerUse],
    catalog: Catalog,
    environment: Environment,
    *,
    why: Mapping[str, str] | None = None,
) -> Linked:
    """Put the layers around the routes: the smallest stage outermost, within a stage the first listed.

    `layers` and `why` are what `resolve_layers` gives. Of a key that is listed twice the first one counts. A layer that
    was built for the same options while the Blueprint was checked is not built again.
    Raises: InvalidBlueprint, with every layer that is not installed or whose options are wrong.
    """
    first: dict[str, LayerUse] = {}
    for use in layers:
        first.setdefault(use.key, use)
    built = _built(routes, first.values(), catalog, environment)
    ordered = sorted(first.values(), key=lambda use: catalog.layers[use.key].stage)
    run = routes.route
    for use in reversed(ordered):
        run = _linked(use.key, built[use.key], run)
    return Linked(run, tuple(_described(use, catalog, why or {}) for use in ordered))


def _built(
    routes: Routes, layers: Iterable[LayerUse], catalog: Catalog, environment: Environment
) -> dict[str, SpawnerLayer]:
    built: dict[str, SpawnerLayer] = {}
    problems: list[Problem] = []
    for use in layers:
        ready = [item.layer for item in routes.layers if item.use == use]
        try:
            built[use.key] = ready[0] if ready else build_layer(use, catalog, environment)
        except DocumentError as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidBlueprint(problems)
    return built


def _linked(key: str, layer: SpawnerLayer, inner: Run) -> Run:
    around = layer.run

    async def linked(call: Call) -> Result:
        result = await around(call, inner)
        if not isinstance(result, Result):
            raise WorkerFailed(f"layer {key!r} returned {type(result).__name__}, not a Result", kind="invalid_result")
        context = call.context
        if result is not context.latest:
            context.record_final(result, by=key)
        return result

    return linked


def _described(use: LayerUse, catalog: Catalog, why: Mapping[str, str]) -> LinkedLayer:
    return LinkedLayer(
        key=use.key,
        stage=catalog.layers[use.key].stage,
        provider=catalog.provider.get(("layer", use.key)),
        why=why.get(use.key, BLUEPRINT),
    )
