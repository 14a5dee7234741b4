"""What could become a plugin: an installed entry point or an object, before any of its code has run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

from swarm_core.errors import PluginError
from swarm_core.host.discovery import Found

E = TypeVar("E", bound=PluginError)

_PREFIX = "swarm_plugin_"


@frozen(kw_only=True, eq=False, repr=False)
class Candidate:
    """A plugin's name and origin, and how to get at it; `core` marks what the core brings itself.

    `distribution` and `version` are None for an object that no installed distribution names.
    """

    name: str
    module: str
    load: Callable[[], Any]
    distribution: str | None = None
    version: str | None = None
    core: bool = False

    @property
    def origin(self) -> str:
        """Return the distribution and its version, or the module where there is none."""
        return " ".join(filter(None, (self.distribution, self.version))) or self.module

    def __str__(self) -> str:
        return f"{self.name} ({self.origin})"

    def refusal(self, kind: type[E], message: str, *, hint: str | None = None) -> E:
        """Return an error that names this plugin."""
        return kind(message, plugin=self.name, distribution=self.distribution, version=self.version, hint=hint)


def from_found(found: Found) -> Candidate:
    """Return an installed plugin that is imported when it is loaded."""
    return Candidate(
        name=found.name,
        module=found.module,
        load=found.load,
        distribution=found.distribution,
        version=found.version,
    )


def from_object(
    plugin: object, *, distribution: str | None = None, version: str | None = None, core: bool = False
) -> Candidate:
    """Return a plugin that a program passes: a module, a class or an instance.

    Its name is the last part of the module's, without `swarm_plugin_`, or the name of the class.
    """
    if inspect.ismodule(plugin):
        name, module = plugin.__name__.rpartition(".")[2].removeprefix(_PREFIX), plugin.__name__
    else:
        kind = plugin if inspect.isclass(plugin) else type(plugin)
        name, module = kind.__name__, f"{kind.__module__}:{kind.__qualname__}"
    return Candidate(
        name=name, module=module, load=lambda: plugin, distribution=distribution, version=version, core=core
    )
