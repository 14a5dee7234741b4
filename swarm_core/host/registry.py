"""Collects what plugins provide into one catalog, in which no name stands for two things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from attrs import define, field, frozen

from swarm_core.endpoints import Endpoint
from swarm_core.errors import PluginConflict
from swarm_core.factories import (
    Catalog,
    DirectiveFactory,
    Function,
    LayerFactory,
    LayerSet,
    ReaderFactory,
    ResolverFactory,
    SpawnerFactory,
    Stage,
    StoreFactory,
)
from swarm_core.host.plugin import Plugin
from swarm_core.model.blueprint import LayerUse
from swarm_core.tools import Tool
from swarm_core.verifiers import Verifier

_MOST_THINGS = 10_000

Key = str | tuple[str, str]
Test = Callable[[Any], bool]


def _is_stage(value: Any) -> bool:
    return isinstance(value, Stage)


def _are_uses(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(use, LayerUse) for use in value)


def _is_method(value: Any) -> bool:
    return value in ("GET", "POST", "PUT", "PATCH", "DELETE")


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/") and value.isprintable()


@frozen(kw_only=True, eq=False, repr=False)
class Shelf:
    """One kind of thing that plugins provide.

    `thing` is its name in messages and in `Catalog.provider`, `place` the field of the catalog, `keys` all the names
    that one of them takes, `parts` what some of its fields must be.
    """

    hook: str
    type: type
    thing: str
    place: str
    keys: Callable[[Any], Iterable[Key]]
    parts: Mapping[str, Test]


SHELVES = (
    Shelf(
        hook="swarm_register_spawners",
        type=SpawnerFactory,
        thing="spawner",
        place="spawners",
        keys=lambda factory: (factory.kind, *factory.aliases),
        parts={"build": callable},
    ),
    Shelf(
        hook="swarm_register_layers",
        type=LayerFactory,
        thing="layer",
        place="layers",
        keys=lambda factory: (factory.key,),
        parts={"stage": _is_stage, "build": callable},
    ),
    Shelf(
        hook="swarm_register_layer_sets",
        type=LayerSet,
        thing="layer_set",
        place="layer_sets",
        keys=lambda layer_set: (layer_set.name,),
        parts={"use": _are_uses},
    ),
    Shelf(
        hook="swarm_register_stores",
        type=StoreFactory,
        thing="store",
        place="stores",
        keys=lambda factory: ((factory.role, factory.scheme),),
        parts={"open": callable},
    ),
    Shelf(
        hook="swarm_register_resolvers",
        type=ResolverFactory,
        thing="resolver",
        place="resolvers",
        keys=lambda factory: (factory.name,),
        parts={"build": callable},
    ),
    Shelf(
        hook="swarm_register_functions",
        type=Function,
        thing="function",
        place="functions",
        keys=lambda function: (function.name,),
        parts={"call": callable},
    ),
    Shelf(
        hook="swarm_register_readers",
        type=ReaderFactory,
        thing="reader",
        place="readers",
        keys=lambda factory: factory.suffixes,
        parts={"build": callable},
    ),
    Shelf(
        hook="swarm_register_readers",
        type=DirectiveFactory,
        thing="directive",
        place="directives",
        keys=lambda factory: (factory.name,),
        parts={"expand": callable},
    ),
    Shelf(
        hook="swarm_register_endpoints",
        type=Endpoint,
        thing="endpoint",
        place="endpoints",
        keys=lambda endpoint: (f"{endpoint.method} {endpoint.path}",),
        parts={"handler": callable, "method": _is_method, "path": _is_path},
    ),
    Shelf(
        hook="swarm_register_tools",
        type=Tool,
        thing="tool",
        place="tools",
        keys=lambda tool: (tool.name,),
        parts={"call": callable},
    ),
    Shelf(
        hook="swarm_register_verifiers",
        type=Verifier,
        thing="verifier",
        place="verifiers",
        keys=lambda verifier: (verifier.axis,),
        parts={"verify": callable},
    ),
)


@frozen(eq=False, repr=False)
class Item:
    """One thing of a plugin, and one name that it takes."""

    shelf: Shelf
    key: Key
    thing: Any

    @property
    def name(self) -> tuple[str, str]:
        """Return the key of `Catalog.provider`; a store is named by role and scheme, `output memory`."""
        return self.shelf.thing, self.key if isinstance(self.key, str) else " ".join(self.key)

    def __str__(self) -> str:
        thing, name = self.name
        return f"{thing.replace('_', ' ')} {name}"


def collect(plugin: Plugin) -> tuple[Item, ...]:
    """Call the plugin's registration hooks and return everything it provides, checked but not yet registered.

    Raises: PluginInvalid, when a hook raises or returns what it must not.
    """
    items: list[Item] = []
    for hook in dict.fromkeys(shelf.hook for shelf in SHELVES):
        if hook in plugin.hooks:
            for thing in _things(plugin, hook):
                items += _items(plugin, hook, thing)
    return tuple(items)


def _things(plugin: Plugin, hook: str) -> list[Any]:
    answer = plugin.call(hook)
    if isinstance(answer, str | Mapping) or not isinstance(answer, Iterable):
        raise plugin.answered(hook, answer, f"a list of {_expected(hook)}")
    try:
        things = list(islice(answer, _MOST_THINGS + 1))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise plugin.raised(hook, error) from error
    if len(things) > _MOST_THINGS:
        raise plugin.answered(hook, answer, f"at most {_MOST_THINGS} {_expected(hook)}")
    return things


def _items(plugin: Plugin, hook: str, thing: Any) -> list[Item]:
    shelf = next((shelf for shelf in SHELVES if shelf.hook == hook and isinstance(thing, shelf.type)), None)
    if shelf is None:
        raise plugin.answered(hook, thing, f"{_expected(hook)}, in its list")
    try:
        keys = list(shelf.keys(thing))
    except TypeError:
        keys = []
    wrong = [name for name, test in shelf.parts.items() if not test(getattr(thing, name))]
    if not keys or not all(_is_key(key) for key in keys):
        wrong.append("name")
    if wrong:
        raise plugin.answered(hook, thing, f"one that can be used: look at its {' and its '.join(wrong)}")
    return [Item(shelf, key, thing) for key in keys]


def _is_key(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(isinstance(part, str) and part for part in parts)


def _expected(hook: str) -> str:
    return " or ".join(shelf.type.__name__ for shelf in SHELVES if shelf.hook == hook)


@define(eq=False, repr=False)
class Registry:
    """What has been registered so far; the first claim of a name counts."""

    _items: dict[tuple[str, Key], Item] = field(factory=dict, init=False)
    _plugins: dict[tuple[str, str], Plugin] = field(factory=dict, init=False)

    def register(self, plugin: Plugin, items: Iterable[Item]) -> None:
        """Take in everything that a plugin provides, or nothing.

        Raises: PluginConflict, naming every name that is taken and by whom.
        """
        new = list(items)
        if taken := self._taken(plugin, new):
            hint = f'uninstall one of the two, or switch one off: [plugins] disable = ["{plugin.candidate.name}"]'
            raise plugin.candidate.refusal(PluginConflict, "; ".join(taken), hint=hint)
        for item in new:
            self._items[item.shelf.place, item.key] = item
            self._plugins[item.name] = plugin

    def _taken(self, plugin: Plugin, items: list[Item]) -> list[str]:
        count = Counter((item.shelf.place, item.key) for item in items)
        sentences = [f"it provides {item} twice" for item in items if count[item.shelf.place, item.key] > 1]
        for item in items:
            if (item.shelf.place, item.key) in self._items:
                sentences.append(f"{item} is already provided by {self._plugins[item.name].candidate}")
        return list(dict.fromkeys(sentences))

    def catalog(self, checks: Iterable[Callable[..., Any]]) -> Catalog:
        """Return what was registered, and the plugins' Blueprint checks."""
        places: dict[str, dict[Key, Any]] = {shelf.place: {} for shelf in SHELVES}
        for (place, key), item in self._items.items():
            places[place][key] = item.thing
        provider = {name: str(plugin.candidate) for name, plugin in self._plugins.items()}
        return Catalog(**places, checks=tuple(checks), provider=provider)  # type: ignore[arg-type]
