"""Layers: which ones a launch uses, and building them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from swarm_core.codec import structure
from swarm_core.compile.wording import advice, build_failed
from swarm_core.contracts import SpawnerLayer
from swarm_core.errors import DocumentError, did_you_mean
from swarm_core.factories import Catalog, Environment, LayerFactory
from swarm_core.model.blueprint import Blueprint, LayerUse
from swarm_core.model.path import place as place_of
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import STANDARD_SET, Settings

BLUEPRINT = "the blueprint"

_LAYERS = "$.spawner_hints.layers"


@frozen(kw_only=True, eq=False, repr=False)
class LayerSelection:
    """The layers of a launch in the order in which they were listed, each key once.

    `why` says who asked for each (`layer set 'standard'` or `the blueprint`), `places` where its options stand. Layers
    that are not installed are not in it but among the problems.
    """

    use: tuple[LayerUse, ...] = ()
    why: Mapping[str, str] = field(factory=dict)
    places: Mapping[str, str] = field(factory=dict)
    problems: tuple[Problem, ...] = ()


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
    position; options in the Blueprint then replace those of the set.
    """
    listed, problems = _listed_by_set(catalog, settings, set_name)
    use = {item.key: item for item in listed}
    why = dict.fromkeys(use, f"layer set {set_name!r}")
    places = dict.fromkeys(use, "$")
    seen: set[str] = set()
    for at, item in enumerate(blueprint.spawner_hints.layers):
        place = f"{_LAYERS}[{at}]"
        problem = _doubt(item, place, seen, catalog, strict=blueprint.strategy.strict_layers)
        seen.add(item.key)
        if problem is not None:
            problems.append(problem)
        elif item.key not in use or item.options is not None:
            use[item.key] = item
            why.setdefault(item.key, BLUEPRINT)
            places[item.key] = place if item.options is None else place_of(place, item.key)
    return LayerSelection(use=tuple(use.values()), why=why, places=places, problems=tuple(problems))


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
            problems.extend(error.problems)
    return tuple(built), problems


def build_layer(
    use: LayerUse, catalog: Catalog, environment: Environment, *, path: str = "$", why: str = BLUEPRINT
) -> SpawnerLayer:
    """Build one layer; raises DocumentError, when it is not installed, its options are wrong or its plugin fails."""
    factory = catalog.layers.get(use.key)
    if factory is None:
        raise DocumentError([_unknown(use.key, path, catalog, Severity.ERROR)])
    try:
        layer = factory.build(_options(use, factory, path), environment)
        if not isinstance(layer, SpawnerLayer):
            raise TypeError(f"build returned {type(layer).__name__}, not a SpawnerLayer")
    except DocumentError as error:
        raise DocumentError([_invalid(use, why, p.message, p.path, p.hint) for p in error.problems]) from None
    except ValueError as error:
        raise DocumentError([_invalid(use, why, str(error), path, None)]) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failed = build_failed(f"layer {use.key!r}", ("layer", use.key), catalog, path, error)
        raise DocumentError([failed]) from error
    return layer


def _listed_by_set(catalog: Catalog, settings: Settings, name: str) -> tuple[list[LayerUse], list[Problem]]:
    own = settings.layer_sets.get(name)
    brought = catalog.layer_sets.get(name)
    if own is None and brought is None:
        known = {*settings.layer_sets, *catalog.layer_sets}
        missing = Problem(
            code="unknown_layer_set",
            message=f"no layer set is named {name!r}",
            severity=Severity.NOTE if name == STANDARD_SET else Severity.ERROR,
            hint=did_you_mean(name, known, otherwise="layer sets"),
        )
        return [], [missing]
    listed = own if own is not None else brought.use if brought is not None else ()
    problems = [
        Problem(
            code="layer_not_installed",
            message=f"layer set {name!r} lists {item.key!r}, which no installed plugin provides",
            severity=Severity.NOTE if own is None else Severity.WARNING,
            hint=advice("layer", item.key, catalog.layers, catalog.absent),
        )
        for item in listed
        if item.key not in catalog.layers
    ]
    return list(_once(item for item in listed if item.key in catalog.layers)), problems


def _once(listed: Iterable[LayerUse]) -> Iterator[LayerUse]:
    seen: set[str] = set()
    for item in listed:
        if item.key not in seen:
            seen.add(item.key)
            yield item


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


def _options(use: LayerUse, factory: LayerFactory, path: str) -> Any:
    given = {} if use.options is None else use.options
    if factory.options is not None:
        return structure(given, factory.options, path=path)
    if given != {}:
        raise ValueError("the layer takes none")
    return None


def _invalid(use: LayerUse, why: str, message: str, path: str, hint: str | None) -> Problem:
    message = f"options of layer {use.key!r} ({why}) invalid: {message}"
    return Problem(code="invalid_layer_options", message=message, path=path, hint=hint)
