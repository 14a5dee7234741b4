"""Every hook, in the order the host calls them.

No hook runs while a step runs: what works on steps is a layer. Order never comes from pluggy or from installation
order: plugins are admitted sorted by distribution and name.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from swarm_core.endpoints import Endpoint
    from swarm_core.factories import (
        DirectiveFactory,
        Function,
        LayerFactory,
        LayerSet,
        ReaderFactory,
        ResolverFactory,
        SpawnerFactory,
        StoreFactory,
    )
    from swarm_core.model.blueprint import Blueprint
    from swarm_core.model.problem import Problem
    from swarm_core.remote import RemoteSwarm
    from swarm_core.settings import Settings
    from swarm_core.tokens import CapTokenSigner
    from swarm_core.tools import Tool
    from swarm_core.verifiers import Verifier

PROJECT = "swarm_core"
ENTRY_POINT_GROUP = "swarm_core.plugins"
SWARM_API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def swarm_register_spawners() -> Iterable[SpawnerFactory]:
    """Provide worker kinds.

    Called once while the host loads. Return the same factories every time, without I/O: a spawner is built later by
    `SpawnerFactory.build`, once per agent and prepared Blueprint. A kind or alias that another plugin already provides
    refuses this plugin (`PluginConflict`); the host goes on and reports it.
    """


@hookspec
def swarm_register_layers() -> Iterable[LayerFactory]:
    """Provide layers that a Blueprint or a layer set may name.

    Called once while the host loads; a layer is built later by `LayerFactory.build`, once per prepared Blueprint. A key
    that is already provided refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_layer_sets() -> Iterable[LayerSet]:
    """Provide named lists of layers for teams; the keys may be those of other plugins.

    Called once while the host loads. A name that is already provided refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_stores() -> Iterable[StoreFactory]:
    """Provide stores by role and URL scheme.

    Called once while the host loads; `StoreFactory.open(url)` is an async context manager that the engine enters at its
    start and leaves at its end. The same role and scheme twice refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_resolvers() -> Iterable[ResolverFactory]:
    """Provide resolvers that the `resolver` layer may use by name.

    Called once while the host loads. A name that is already provided refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_functions() -> Iterable[Function]:
    """Provide Python callables for the `function` kind, and pure ones for `call_extern`.

    Called once while the host loads. A name that is already provided refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_readers() -> Iterable[ReaderFactory | DirectiveFactory]:
    """Provide readers of Blueprint sources by suffix, and directives such as `$file`.

    Called once while the host loads. A suffix or directive that is already provided refuses this plugin
    (`PluginConflict`).
    """


@hookspec
def swarm_register_endpoints() -> Iterable[Endpoint]:
    """Provide what a server answers over HTTP, beside its own endpoints.

    Called once while the host loads, also where nothing is served. A method and path that another plugin already
    provides refuse this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_tools() -> Iterable[Tool]:
    """Provide tools that an agent's model may call when the agent's profile names them.

    Called once while the host loads. A name that is already provided refuses this plugin (`PluginConflict`).
    """


@hookspec
def swarm_register_verifiers() -> Iterable[Verifier]:
    """Provide axes on which changes of Blueprints are judged before they are kept.

    Called once while the host loads. An axis that another plugin already provides refuses this plugin
    (`PluginConflict`).
    """


@hookspec
def swarm_configure(settings: Settings) -> None:
    """Read the plugin's own section of the settings.

    Called once, after all plugins are in. `settings.section(name, Model)` structures the section `[plugin.<name>]`.
    Raises: SettingsError, when it is wrong; the host then refuses this plugin.
    """


@hookspec
def swarm_register_commands(cli: click.Group) -> None:
    """Add subcommands to `swarm`.

    Called once when the command line starts, only when the command is not one of the core's own. A name that is already
    there refuses the addition.
    """


@hookspec(firstresult=True)
def swarm_connect(settings: Settings, url: str) -> AbstractAsyncContextManager[RemoteSwarm] | None:
    """Reach the server at an address, for the commands that are told `--server URL`; the first answer wins.

    Called once for each command that asks a server. The connection is opened and closed by the context manager.
    """


@hookspec(firstresult=True)
def swarm_signer(settings: Settings) -> CapTokenSigner | None:
    """Return the signer of capability tokens; the first answer wins, the core answers last.

    Called once when a Swarm opens.
    """


@hookspec
def swarm_lifespan(swarm: Any) -> AbstractAsyncContextManager[None]:
    """Return an async context manager that lives as long as the Swarm: pools, connections.

    Called once when a Swarm opens; entered in admission order and left in reverse. What others need of it goes into
    `swarm.services` under its type.
    """


@hookspec
def swarm_check_blueprint(blueprint: Blueprint) -> Iterable[Problem]:
    """Return what is wrong with a Blueprint in this plugin's eyes; never change it.

    Called at each compile, after the core's own checks.
    """
