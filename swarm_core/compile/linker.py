"""Layers and the way to the workers, as one callable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import NOTHING, field, frozen

from swarm_core.codec import unstructure
from swarm_core.codec.shapes import record_of
from swarm_core.compile.compiler import Routes
from swarm_core.compile.layers import BLUEPRINT, build_layer
from swarm_core.contracts import Run, SpawnerLayer
from swarm_core.errors import DocumentError, InvalidBlueprint, WorkerFailed
from swarm_core.factories import Catalog, Environment, LayerFactory, Stage
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.call import Call, Result
from swarm_core.model.problem import Problem


@frozen(kw_only=True)
class LinkedLayer:
    """One link of a chain: the layer's key, its stage, who provides it, who asked for it, and with which options.

    `options` has all options of the layer's model, those that nobody gave with their defaults.
    """

    key: str
    stage: Stage
    provider: str | None
    why: str
    options: Mapping[str, Any] = field(factory=dict)


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
    return Linked(run, described(ordered, catalog, why or {}))


def described(layers: Iterable[LayerUse], catalog: Catalog, why: Mapping[str, str]) -> tuple[LinkedLayer, ...]:
    """Tell about layers what `explain` shows, the outermost first; all of them are installed."""
    ordered = sorted(layers, key=lambda use: catalog.layers[use.key].stage)
    return tuple(
        LinkedLayer(
            key=use.key,
            stage=catalog.layers[use.key].stage,
            provider=catalog.provider.get(("layer", use.key)),
            why=why.get(use.key, BLUEPRINT),
            options=_effective(use, catalog.layers[use.key]),
        )
        for use in ordered
    )


def _effective(use: LayerUse, factory: LayerFactory) -> Mapping[str, Any]:
    given: Mapping[str, Any] = use.options if isinstance(use.options, Mapping) else {}
    if factory.options is None:
        return given
    defaults = {name: member.default for name, member in record_of(factory.options).members.items()}
    return {name: given.get(name, None if value is NOTHING else unstructure(value)) for name, value in defaults.items()}


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
