"""Layers: which ones a launch uses, and building them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from swarm_core.codec import structure
from swarm_core.compile.layer_sets import ListedLayer, expand_set, over
from swarm_core.compile.wording import advice, build_failed
from swarm_core.contracts import SpawnerLayer
from swarm_core.errors import DocumentError
from swarm_core.factories import Catalog, Environment, LayerFactory
from swarm_core.model.blueprint import Blueprint, LayerUse
from swarm_core.model.path import place as place_of
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import STANDARD_SET, Settings

BLUEPRINT = "the blueprint"
ALIAS_LAYER = "project_name_alias"
VERDICT_LAYER = "verdict"
TRACE_LAYER = "otel"

_LAYERS = "$.spawner_hints.layers"


@frozen(kw_only=True, eq=False, repr=False)
class LayerSelection:
    """The layers of a launch in the order in which they were listed, each key once.

    `why` says who asked for each (`layer set 'standard'` or `the blueprint`), `places` where its options stand, `files`
    in which file, where that is not the Blueprint's. Layers that are not installed are not in it but among the
    problems.
    """

    use: tuple[LayerUse, ...] = ()
    why: Mapping[str, str] = field(factory=dict)
    places: Mapping[str, str] = field(factory=dict)
    files: Mapping[str, str | None] = field(factory=dict)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, listed: Mapping[str, ListedLayer], problems: list[Problem]) -> LayerSelection:
        """Return the selection of layers that are listed by key."""
        return cls(
            use=tuple(each.use for each in listed.values()),
            why={key: each.why for key, each in listed.items()},
            places={key: each.place for key, each in listed.items()},
            files={key: each.file for key, each in listed.items()},
            problems=tuple(problems),
        )


@frozen(eq=False, repr=False)
class BuiltLayer:
    """A layer that was asked for, and what its factory built for that."""

    use: LayerUse
    layer: SpawnerLayer


def resolve_layers(
    blueprint: Blueprint, catalog: Catalog, settings: Settings, set_name: str = STANDARD_SET
) -> LayerSelection:
    """List the layers of a set, then those that the Blueprint adds.

    The settings' sets come before the plugins' sets of the same name. A key that is listed twice keeps its first
    position; options in the Blueprint then replace those of the set. A Blueprint with a `project_name_alias` has the
    layer of that name, the outermost of its stage; one with a verdict contract has the layer `verdict`, the innermost
    of its stage. The layer `otel` is there wherever its plugin is, the outermost of its stage.
    """
    listed, problems = expand_set(set_name, catalog, settings)
    found = {each.use.key: each for each in listed}
    seen: set[str] = set()
    for at, item in enumerate(blueprint.spawner_hints.layers):
        place = f"{_LAYERS}[{at}]"
        problem = _doubt(item, place, seen, catalog, strict=blueprint.strategy.strict_layers)
        seen.add(item.key)
        if problem is not None:
            problems.append(problem)
        else:
            options = place if item.options is None else place_of(place, item.key)
            found[item.key] = over(found.get(item.key), ListedLayer(use=item, why=BLUEPRINT, place=options))
    if blueprint.metadata.project_name_alias is not None and ALIAS_LAYER in catalog.layers and ALIAS_LAYER not in found:
        alias = ListedLayer(use=LayerUse(key=ALIAS_LAYER), why="metadata.project_name_alias")
        found = {ALIAS_LAYER: alias, **found}
    if any(agent.verdict for agent in blueprint.agents) and VERDICT_LAYER in catalog.layers:
        contracts = ListedLayer(use=LayerUse(key=VERDICT_LAYER), why="agents[].verdict")
        found = {key: each for key, each in found.items() if key != VERDICT_LAYER} | {VERDICT_LAYER: contracts}
    if TRACE_LAYER in catalog.layers and TRACE_LAYER not in found:
        found = {TRACE_LAYER: ListedLayer(use=LayerUse(key=TRACE_LAYER), why="where it is installed"), **found}
    return LayerSelection.of(found, problems)


def resolve_set(set_name: str, catalog: Catalog, settings: Settings) -> LayerSelection:
    """List the layers of a set alone; wrong options are among the problems too, as far as models can tell."""
    listed, problems = expand_set(set_name, catalog, settings)
    for each in listed:
        try:
            structure_options(each.use, catalog.layers[each.use.key], each.place)
        except DocumentError as error:
            problems += [evolve(_invalid(each.use, each.why, p), file=each.file) for p in error.problems]
    return LayerSelection.of({each.use.key: each for each in listed}, problems)


def build_layers(
    selection: LayerSelection, catalog: Catalog, environment: Environment
) -> tuple[tuple[BuiltLayer, ...], list[Problem]]:
    """Build each layer of a selection, and say which ones cannot be built."""
    built: list[BuiltLayer] = []
    problems: list[Problem] = []
    for use in selection.use:
        try:
            place, why = selection.places[use.key], selection.why[use.key]
            built.append(BuiltLayer(use, build_layer(use, catalog, environment, path=place, why=why)))
        except DocumentError as error:
            problems += [evolve(problem, file=selection.files.get(use.key)) for problem in error.problems]
    return tuple(built), problems


def build_layer(
    use: LayerUse, catalog: Catalog, environment: Environment, *, path: str = "$", why: str = BLUEPRINT
) -> SpawnerLayer:
    """Build one layer; raises DocumentError, when it is not installed, its options are wrong or its plugin fails."""
    factory = catalog.layers.get(use.key)
    if factory is None:
        raise DocumentError([_unknown(use.key, path, catalog, Severity.ERROR)])
    try:
        layer = factory.build(structure_options(use, factory, path), environment)
        if not isinstance(layer, SpawnerLayer):
            raise TypeError(f"build returned {type(layer).__name__}, not a SpawnerLayer")
    except DocumentError as error:
        raise DocumentError([_invalid(use, why, problem) for problem in error.problems]) from None
    except ValueError as error:
        raise DocumentError([_invalid(use, why, Problem(code="", message=str(error), path=path))]) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failed = build_failed(f"layer {use.key!r}", ("layer", use.key), catalog, path, error)
        raise DocumentError([failed]) from error
    return layer


def structure_options(use: LayerUse, factory: LayerFactory, path: str) -> Any:
    """Return a layer's options as an instance of its model, None when it takes none; raises DocumentError."""
    given = {} if use.options is None else use.options
    if factory.options is not None:
        return structure(given, factory.options, path=path)
    if given != {}:
        raise DocumentError([Problem(code="invalid_layer_options", message="the layer takes none", path=path)])
    return None


def _doubt(item: LayerUse, place: str, seen: set[str], catalog: Catalog, *, strict: bool) -> Problem | None:
    if item.key not in catalog.layers:
        return _unknown(item.key, place, catalog, Severity.ERROR if strict else Severity.WARNING)
    if item.key in seen:
        return Problem(
            code="duplicate_layer",
            message=f"the layer {item.key!r} is listed twice; the first counts",
            path=place,
            severity=Severity.WARNING,
        )
    return None


def _unknown(key: str, place: str, catalog: Catalog, severity: Severity) -> Problem:
    left_out = "" if severity is Severity.ERROR else ", so it is left out"
    return Problem(
        code="unknown_layer",
        message=f"no installed plugin provides the layer {key!r}{left_out}",
        path=place,
        severity=severity,
        hint=advice("layer", key, catalog.layers, catalog.absent),
    )


def _invalid(use: LayerUse, why: str, problem: Problem) -> Problem:
    message = f"options of layer {use.key!r} ({why}) invalid: {problem.message}"
    return Problem(code="invalid_layer_options", message=message, path=problem.path, hint=problem.hint)
