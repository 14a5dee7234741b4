"""One pass over all candidates: who is admitted, who is not and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import define

from swarm_core import __version__
from swarm_core.errors import PluginError, did_you_mean
from swarm_core.factories import Catalog
from swarm_core.host import checks
from swarm_core.host.admission import admit, is_disabled, name_clashes
from swarm_core.host.candidate import Candidate, from_found, from_object
from swarm_core.host.discovery import discover, normalized
from swarm_core.host.plugin import Plugin
from swarm_core.host.registry import Item, Registry, collect
from swarm_core.model.problem import Problem, Severity
from swarm_core.settings import Settings

CORE = "swarm-core"


@define(eq=False, repr=False)
class Entry:
    """A candidate and how far it got."""

    candidate: Candidate
    disabled: bool
    plugin: Plugin | None = None
    items: tuple[Item, ...] = ()
    error: PluginError | None = None

    @property
    def active(self) -> Plugin | None:
        """Return the plugin when nothing is wrong with it."""
        return None if self.error else self.plugin


def gather(
    plugins: Iterable[object] | None, builtin: Iterable[object]
) -> tuple[Sequence[Candidate], tuple[Problem, ...]]:
    """Return all candidates in the order of their admission, and what was wrong with the metadata.

    The core's own come first, then the others by distribution and name.
    """
    core = [from_object(item, distribution=CORE, version=__version__, core=True) for item in builtin]
    if plugins is not None:
        return [*sorted(core, key=_order), *sorted(map(from_object, plugins), key=_order)], ()
    discovery = discover()
    return [*sorted(core, key=_order), *map(from_found, discovery.found)], discovery.problems


def _order(candidate: Candidate) -> tuple[str, str]:
    return normalized(candidate.distribution or ""), candidate.name


def take_in(candidates: Iterable[Candidate], settings: Settings) -> list[Entry]:
    """Admit, register and configure every candidate that keeps to the rules."""
    entries = [Entry(candidate, is_disabled(candidate, settings.plugins)) for candidate in candidates]
    clashes = {id(one): error for one, error in name_clashes([e.candidate for e in entries if not e.disabled])}
    registry = Registry()
    for entry in entries:
        entry.error = clashes.get(id(entry.candidate))
        if not entry.disabled and entry.error is None:
            _try(entry, registry)
    for entry in entries:
        _configure(entry, settings)
    return entries


def _try(entry: Entry, registry: Registry) -> None:
    try:
        entry.plugin = admit(entry.candidate)
        entry.items = collect(entry.plugin)
        registry.register(entry.plugin, entry.items)
    except PluginError as error:
        entry.error = error


def _configure(entry: Entry, settings: Settings) -> None:
    if entry.active and "swarm_configure" in entry.active.hooks:
        try:
            entry.active.call("swarm_configure", settings=settings)
        except PluginError as error:
            entry.error = error


def catalog_of(entries: Iterable[Entry]) -> Catalog:
    """Return what the active plugins provide."""
    registry, asked = Registry(), []
    for entry in entries:
        if entry.active:
            registry.register(entry.active, entry.items)
            if checks.HOOK in entry.active.hooks:
                asked.append(checks.BlueprintCheck(entry.active))
    return registry.catalog(asked)


def doubts(settings: Settings, candidates: Sequence[Candidate]) -> Iterator[Problem]:
    """Yield a warning for each plugin that the settings speak of and that is not there."""
    names = {candidate.name for candidate in candidates}
    distributions = {normalized(candidate.distribution) for candidate in candidates if candidate.distribution}
    for name in settings.plugins.disable:
        if name not in names and normalized(name) not in distributions:
            yield _doubt(settings, "plugins.disable", name, names | distributions)
    for name in settings.sections:
        if name not in names:
            yield _doubt(settings, f"plugin.{name}", name, names)


def _doubt(settings: Settings, path: str, name: str, known: Iterable[str]) -> Problem:
    return Problem(
        code="unknown_plugin",
        message=f"no installed plugin is called {name!r}",
        path=path,
        severity=Severity.WARNING,
        hint=did_you_mean(name, known, otherwise="installed"),
        file=settings.origins.get(path),
    )
