"""The contract of plugins as the host sees them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from swarm_core.factories import Catalog
from swarm_core.host import Host
from swarm_core.model.ids import is_name
from swarm_core.settings import Settings
from swarm_core.testing.checks.contract import ContractBroken

# What a catalog's things are built with: the field, and how many positional arguments it is called with.
_CALLED_WITH = {
    "spawners": ("build", 4),
    "layers": ("build", 2),
    "stores": ("open", 1),
    "resolvers": ("build", 1),
    "readers": ("build", 0),
    "directives": ("expand", 3),
}

_NAMED = ("spawners", "layers", "layer_sets", "resolvers", "functions")


def check_plugin(plugin: object, settings: Settings | None = None) -> Catalog:
    """Load a plugin's module (or object) as a host would, and return what it provides.

    Checked: it says the API number; every hook is known and its arguments are; the registration hooks return the right
    things, with names that a Blueprint can write, with factories that take what they will be called with, and the same
    ones each time. Raises: ContractBroken, with everything that is wrong.
    """
    first, second = _load(plugin, settings or Settings()), _load(plugin, settings or Settings())
    wrong = [*_bad_names(first), *_bad_factories(first)]
    if set(first.provider) != set(second.provider):
        wrong.append("the registration hooks provide other things when they are called again")
    if wrong:
        raise ContractBroken("\n".join(wrong))
    return first


def _load(plugin: object, settings: Settings) -> Catalog:
    try:
        return Host.load([plugin], settings).catalog
    except ExceptionGroup as errors:
        raise ContractBroken("\n".join(str(error) for error in errors.exceptions)) from errors


def _bad_names(catalog: Catalog) -> Iterator[str]:
    for place in _NAMED:
        for name in getattr(catalog, place):
            if not is_name(name):
                yield f"{name!r} in {place} is no name; use letters, digits, '_', '.' and '-', 64 at most"
    for suffix in catalog.readers:
        if not suffix.startswith("."):
            yield f"the reader's suffix {suffix!r} does not start with a dot"


def _bad_factories(catalog: Catalog) -> Iterator[str]:
    for place, (part, count) in _CALLED_WITH.items():
        for name, thing in getattr(catalog, place).items():
            if not _takes(getattr(thing, part), count):
                yield f"{part} of {name!r} in {place} cannot be called with {count} arguments"


def _takes(call: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(call).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a built-in that does not say
        return True
    return True
