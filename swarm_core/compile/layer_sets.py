"""Layer sets: what a set lists, with the sets that it is built on."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, evolve, field, frozen

from swarm_core.compile.wording import advice
from swarm_core.errors import did_you_mean
from swarm_core.factories import Catalog
from swarm_core.model.blueprint import LayerUse
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import STANDARD_SET, Settings, SetUse


@frozen(kw_only=True, eq=False, repr=False)
class ListedLayer:
    """A layer as somebody lists it: who that is, and where its options stand (`file` None: in the Blueprint)."""

    use: LayerUse
    why: str
    place: str = "$"
    file: str | None = None


@frozen(kw_only=True, eq=False, repr=False)
class SetSource:
    """A layer set by name: who defines it, what it lists, and whose set of the same name it takes the place of."""

    name: str
    use: tuple[LayerUse | SetUse, ...]
    provider: str
    file: str | None = None
    summary: str = ""
    covers: str | None = None

    @property
    def own(self) -> bool:
        """Tell whether the user wrote it: it stands in the settings, not in a plugin."""
        return self.file is not None


def set_sources(catalog: Catalog, settings: Settings) -> tuple[SetSource, ...]:
    """Return all layer sets by name; a set of the settings takes the place of a plugin's of the same name."""
    names = sorted({*catalog.layer_sets, *settings.layer_sets})
    return tuple(source for name in names if (source := _source(name, catalog, settings)) is not None)


def expand_set(name: str, catalog: Catalog, settings: Settings) -> tuple[list[ListedLayer], list[Problem]]:
    """Return the layers of a set in their order, each key once, and what is doubtful or wrong about the set.

    A set that is built on another has that one's layers in its place. A key that is there already keeps its place;
    options that the set itself gives then replace those of the set below. Layers that are not installed are not among
    the layers but among the problems.
    """
    expansion = _Expansion(catalog, settings)
    source = _source(name, catalog, settings)
    if source is None:
        problem = _unknown_set(name, catalog, settings)
        return [], [evolve(problem, severity=Severity.NOTE) if name == STANDARD_SET else problem]
    return expansion.layers_of(source, ()), expansion.problems


@define(eq=False, repr=False)
class _Expansion:
    catalog: Catalog
    settings: Settings
    problems: list[Problem] = field(factory=list)
    _done: set[tuple[str, bool]] = field(factory=set)

    def layers_of(self, source: SetSource, outer: tuple[SetSource, ...]) -> list[ListedLayer]:
        """Return the layers of a set; `outer` are the sets that it was reached through, the first one asked for."""
        found: dict[str, ListedLayer] = {}
        own: set[str] = set()
        for listed in self._listed(source, outer):
            key = listed.use.key
            if listed.why != _why(source, outer):
                found.setdefault(key, listed)
            elif key not in own:
                own.add(key)
                found[key] = over(found.get(key), listed)
        return list(found.values())

    def _listed(self, source: SetSource, outer: tuple[SetSource, ...]) -> Iterator[ListedLayer]:
        for at, item in enumerate(source.use):
            place = f"layers.{source.name}.use[{at}]" if source.own else "$"
            if isinstance(item, SetUse):
                yield from self._below(item, f"{place}.set", source, outer)
            elif item.key in self.catalog.layers:
                yield ListedLayer(use=item, why=_why(source, outer), place=place, file=source.file)
            else:
                self.problems.append(self._not_installed(item.key, place, source))

    def _below(
        self, item: SetUse, place: str, source: SetSource, outer: tuple[SetSource, ...]
    ) -> Iterator[ListedLayer]:
        way = (*outer, source)
        below = _source(item.name, self.catalog, self.settings, covered=item.name == source.name and source.own)
        if below is None:
            problem = _unknown_set(item.name, self.catalog, self.settings)
            self.problems.append(evolve(problem, path=place, file=source.file))
        elif any(each.name == below.name and each.own == below.own for each in way):
            self.problems.append(_cycle([each.name for each in way] + [below.name], place, source.file))
        elif (below.name, below.own) not in self._done:  # a second time it would bring nothing new
            self._done.add((below.name, below.own))
            yield from self.layers_of(below, way)

    def _not_installed(self, key: str, place: str, source: SetSource) -> Problem:
        return Problem(
            code="layer_not_installed",
            message=f"layer set {source.name!r} lists {key!r}, which no installed plugin provides",
            path=place,
            file=source.file,
            severity=Severity.WARNING if source.own else Severity.NOTE,
            hint=advice("layer", key, self.catalog.layers, self.catalog.absent),
        )


def over(below: ListedLayer | None, listed: ListedLayer) -> ListedLayer:
    """Return what a later listing makes of an earlier one of the same key: its options count, when it gives any."""
    if below is None:
        return listed
    if listed.use.options is None:
        return below
    why = below.why if below.why == listed.why else f"{below.why}, options of {listed.why}"
    return ListedLayer(use=listed.use, why=why, place=listed.place, file=listed.file)


def _source(name: str, catalog: Catalog, settings: Settings, *, covered: bool = False) -> SetSource | None:
    """Return the set of a name; `covered` asks for the plugin's one even where the settings have one."""
    own, brought = settings.layer_sets.get(name), catalog.layer_sets.get(name)
    by = catalog.provider.get(("layer_set", name), "an unnamed plugin") if brought is not None else None
    if own is not None and not covered:
        file = settings.origins.get(f"layers.{name}.use") or str(settings.file or "the settings")
        return SetSource(name=name, use=tuple(own), provider=file, file=file, covers=by)
    if brought is None or by is None:
        return None
    return SetSource(name=name, use=tuple(brought.use), provider=by, summary=brought.summary)


def _why(source: SetSource, outer: tuple[SetSource, ...]) -> str:
    return "layer set " + " > ".join(repr(each.name) for each in (*outer, source))


def _unknown_set(name: str, catalog: Catalog, settings: Settings) -> Problem:
    return Problem(
        code="unknown_layer_set",
        message=f"no layer set is named {name!r}",
        hint=did_you_mean(name, {*settings.layer_sets, *catalog.layer_sets}, otherwise="layer sets"),
    )


def _cycle(names: list[str], place: str, file: str | None) -> Problem:
    return Problem(
        code="layer_set_cycle",
        message=f"layer set {names[-1]!r} is built on itself: {' > '.join(names[names.index(names[-1]) :])}",
        path=place,
        file=file,
        hint="take one of these references out",
    )
